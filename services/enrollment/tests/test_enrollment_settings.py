"""What the public service starts with."""

from __future__ import annotations

from typing import Any

import pytest

from enrollment.settings import EnrollmentSettings
from servicekit.start_rules import StartRefused
from servicekit.startup import embedded_settings

FIT_FOR_PRODUCTION = {
    "environment": "production",
    "core_url": "https://core.example/powerauth-java-server",
    "core_client_token": "token",
    "management_port": 9090,
    "core_client_secret": "5b1f0b0e-secret-of-the-door",
}


@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"core_client_token": ""}, "CORE_CLIENT_TOKEN"),
        ({"core_client_secret": "short"}, "CORE_CLIENT_SECRET"),
        ({"push_url": "https://push.example"}, "PUSH_CLIENT_SECRET"),
        ({"test_endpoints": True}, "TEST_ENDPOINTS"),
        ({"trusted_proxies": "10.0.0.0/8,::/0"}, "TRUSTED_PROXIES"),
        ({"trusted_proxies": "10.0.0.0/8,nonsense"}, "TRUSTED_PROXIES"),
    ],
)
def test_production_refuses(changed: dict[str, Any], variable: str) -> None:
    with pytest.raises(StartRefused) as refused:
        embedded_settings(EnrollmentSettings, **FIT_FOR_PRODUCTION | changed)
    assert [finding.variable for finding in refused.value.findings] == [f"ENROLLMENT_{variable}"]


def test_everything_that_production_lacks_is_told_at_once() -> None:
    with pytest.raises(StartRefused) as refused:
        embedded_settings(EnrollmentSettings, environment="production")
    told = {finding.variable.removeprefix("ENROLLMENT_") for finding in refused.value.findings}
    assert told == {"CORE_URL", "CORE_CLIENT_TOKEN", "CORE_CLIENT_SECRET"}


def test_production_takes_what_is_doubtful() -> None:
    doubtful = {"core_url": "http://core.example", "limit_storage_url": "redis://redis.example"} | {
        name: 0
        for name, field in EnrollmentSettings.model_fields.items()
        if name.startswith("limit_") and "burst" not in name and field.annotation is int and field.default
    }
    settings = embedded_settings(EnrollmentSettings, **FIT_FOR_PRODUCTION | doubtful)
    broken = {rule.setting for rule in EnrollmentSettings.all_start_rules() if rule.broken(settings)}
    assert broken == set(doubtful)
