"""Settings (spec/cloud-api.md §15)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from cloud_private_api.settings import CloudSettings
from servicekit.start_rules import StartRefused
from servicekit.startup import embedded_settings


def test_defaults_are_those_of_the_documentation() -> None:
    settings = CloudSettings()
    assert settings.root_path == "/powerauth-cloud"
    assert settings.core_url == "http://localhost:8080/powerauth-java-server"
    assert (settings.http_connect_timeout, settings.http_response_timeout) == (5.0, 60.0)
    assert (settings.security_auth_type, settings.security_auth_basic_cache_seconds) == ("BASIC_HTTP", 86_400)
    assert settings.audit_default_days == 30
    assert not settings.derivation_keys


def test_names_of_the_original_are_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERAUTH_CLOUD_SERVICE_BASE_URL", "https://original.example")
    monkeypatch.setenv("POWERAUTH_CLOUD_ADMIN_USERNAME", "root")
    monkeypatch.setenv("POWERAUTH_CLOUD_CORE_URL", "http://original")
    monkeypatch.setenv("CLOUD_CORE_URL", "http://ours")
    settings = CloudSettings()
    assert settings.service_base_url == "https://original.example"
    assert settings.admin_username == "root"
    assert settings.core_url == "http://ours"


def test_variables_of_the_platform_are_not_taken_for_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERAUTH_CLOUD_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("POWERAUTH_CLOUD_SERVICE_PORT", "8000")
    assert CloudSettings().port == 8000


def test_datasource_of_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERAUTH_CLOUD_DATASOURCE_URL", "jdbc:postgresql://db:5432/cloud")
    monkeypatch.setenv("POWERAUTH_CLOUD_DATASOURCE_USERNAME", "user")
    monkeypatch.setenv("POWERAUTH_CLOUD_DATASOURCE_PASSWORD", "p@ss")
    settings = CloudSettings()
    assert settings.effective_database_url == "postgresql://user:p%40ss@db:5432/cloud"
    assert "p@ss" not in repr(settings)


def test_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_DATABASE_URL", "postgresql://db/cloud")
    assert CloudSettings().effective_database_url == "postgresql://db/cloud"


def test_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    monkeypatch.setenv("CLOUD_CORE_PASSWORD_FILE", str(path))
    assert CloudSettings().core_password.get_secret_value() == "s3cret"


def _base64(length: int) -> str:
    return base64.b64encode(bytes(length)).decode()


@pytest.mark.parametrize("key", ["x", _base64(16), _base64(33)])
def test_derivation_key_has_thirty_two_bytes(key: str) -> None:
    with pytest.raises(ValidationError):
        CloudSettings(offline_derivation_key=key)
    settings = CloudSettings(offline_derivation_key=_base64(32))
    assert settings.derivation_keys == [bytes(32)]


FIT_FOR_PRODUCTION = {
    "environment": "production",
    "database_url": "postgresql://db.example/cloud?sslmode=verify-full",
    "bus_url": "amqps://bus.example/",
    "management_port": 9090,
    "core_url": "https://core.example/powerauth-java-server",
    "core_username": "token",
    "core_password": "5b1f0b0e-secret-of-cloud",
}
TOKENS = {
    "security_auth_type": "OAUTH2",
    "security_auth_oauth2_audiences": "cloud",
    "security_auth_oauth2_issuer_uri": "https://login.example",
}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("database_url", "sqlite:///cloud.sqlite3"),
        ("bus_url", ""),
        ("core_username", ""),
        ("core_password", "short"),
        ("admin_password_encoded", "in clear, not as a hash"),
        ("offline_derivation_key", _base64(32)),
        ("security_auth_oauth2_issuer_uri", "http://login.example"),
        ("security_auth_oauth2_jwk_set_uri", "http://login.example/keys"),
        ("security_auth_oauth2_audiences", ""),
        ("datasource_url", "jdbc:oracle:thin:@db"),
    ],
)
def test_production_refuses(setting: str, value: str) -> None:
    with pytest.raises(StartRefused) as refused:
        embedded_settings(CloudSettings, **FIT_FOR_PRODUCTION | TOKENS | {setting: value})
    assert [finding.variable for finding in refused.value.findings] == [f"CLOUD_{setting.upper()}"]


def test_production_must_be_told_where_the_core_is() -> None:
    given = {name: value for name, value in FIT_FOR_PRODUCTION.items() if name != "core_url"}
    with pytest.raises(StartRefused, match="CLOUD_CORE_URL: where the core is must be said"):
        embedded_settings(CloudSettings, **given)


def test_an_administrator_needs_name_and_hash_everywhere() -> None:
    with pytest.raises(StartRefused, match="CLOUD_ADMIN_PASSWORD_ENCODED"):
        embedded_settings(CloudSettings, admin_username="admin")


def test_production_takes_what_is_doubtful() -> None:
    doubtful = {"core_url": "http://core.example", "service_base_url": "http://phones.example"}
    settings = embedded_settings(CloudSettings, **FIT_FOR_PRODUCTION | doubtful)
    broken = {rule.setting for rule in CloudSettings.all_start_rules() if rule.broken(settings)}
    assert broken == set(doubtful)
