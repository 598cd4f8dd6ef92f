"""`powerauth settings`: what a service would work with, and whether it would start."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from powerauth_cli.main import app

SECRET = "hunter2hunter2hunter2"
DATABASE = f"postgresql://core:{SECRET}@db/core"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("CORE_", "CLOUD_", "ENROLLMENT_", "PUSH_")):
            monkeypatch.delenv(name)


def _printed(*arguments: str, **environment: str) -> list[str]:
    result = CliRunner().invoke(app, ["settings", *arguments], env=environment)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_what_differs_is_told_without_its_secrets() -> None:
    given = {
        "CORE_DATABASE_URL": DATABASE,
        "CORE_USER_INFO_REST_URL": f"https://bank:{SECRET}@claims.bank/x",
        "CORE_EGRESS_ALLOWED_NETWORKS": "10.1.0.0/16,10.2.0.0/16",
        "CORE_PORT": "8080",
        "CORE_METRICS_ENABLED": "true",
    }
    assert sorted(_printed("core", "--diff", **given)) == [
        "CORE_DATABASE_URL=***",
        "CORE_EGRESS_ALLOWED_NETWORKS=10.1.0.0/16,10.2.0.0/16",
        "CORE_METRICS_ENABLED=true",
        "CORE_USER_INFO_REST_URL=https://***@claims.bank/x",
    ]
    jdbc = f"jdbc:postgresql://cloud:{SECRET}@db/cloud"
    assert SECRET not in "\n".join(_printed("cloud", CLOUD_CORE_PASSWORD=SECRET, CLOUD_DATASOURCE_URL=jdbc))


def test_all_services_are_told_of_with_what_holds_by_itself() -> None:
    assert {"CORE_PORT=8080", "CLOUD_PORT=8000", "ENROLLMENT_CORE_CLIENT_SECRET=", "PUSH_WORKERS=1"} <= set(
        _printed()
    )


def test_a_check_says_what_a_start_would_say(capfd: pytest.CaptureFixture[str]) -> None:
    assert _printed("enrollment", "--check") == ["enrollment: may start"]
    environment = {"ENROLLMENT_ENVIRONMENT": "production", "ENROLLMENT_CORE_CLIENT_SECRET": "hunter2"}
    refused = CliRunner().invoke(app, ["settings", "enrollment", "--check"], env=environment)
    assert refused.exit_code == 78
    reasons = refused.stderr + capfd.readouterr().err
    assert "ENROLLMENT_CORE_URL: " in reasons
    assert "hunter2" not in reasons
