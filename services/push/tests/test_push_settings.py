"""What the service must be told before it serves, and what an operator does beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from push_client import Client, Service, settings_of
from push_fake_core import FakeCore
from push_fake_providers import FakeProviders

from powerauth_push import commands
from powerauth_push.__main__ import main
from powerauth_push.app import create_app
from powerauth_push.callers.rules import Scope
from powerauth_push.settings import PushSettings
from servicekit.calls.client import AsgiTransport
from servicekit.serving import lifespan_of
from servicekit.start_rules import StartRefused
from servicekit.startup import judge_settings

PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "database_url": "postgresql://push@db/push",
    "bus_url": "amqps://push@bus/",
    "core_url": "https://core.internal/powerauth-java-server",
    "core_username": "push",
    "core_password": "a long enough secret",
    "master_encryption_key": "kYlfZbXxQ2m0s9uRZb7V1w==",
}


def refused(**changed: Any) -> list[str]:
    try:
        judge_settings(PushSettings, **PRODUCTION | changed)
    except StartRefused as error:
        return sorted({finding.variable for finding in error.findings})
    return []


def test_production_starts_with_all_that_it_needs() -> None:
    assert refused() == []


@pytest.mark.parametrize(
    ("changed", "starts"),
    [
        ({"provider_send_timeout": 60}, False),
        ({"fcm_connect_timeout": 7}, False),
        ({"apns_connect_timeout": 6}, True),
    ],
)
def test_nobody_takes_over_what_is_still_being_sent(changed: dict[str, Any], *, starts: bool) -> None:
    assert refused(**changed) == ([] if starts else ["PUSH_DELIVERY_LEASE_SECONDS"])


@pytest.mark.parametrize(
    "changed",
    [
        {"master_encryption_key": ""},
        {"master_encryption_key": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"master_encryption_key": "c2hvcnQ="},
        {"restrict_access": False},
        {"core_username": ""},
        {"core_password": "short"},
        {"bus_url": ""},
        {"database_url": "sqlite:///push.sqlite3"},
        {"apns_production_url": "http://127.0.0.1"},
        {"fcm_token_url": "http://127.0.0.1"},
        {"delivery_lease_seconds": 115},
    ],
    ids="-".join,
)
def test_production_does_not_start_without(changed: dict[str, Any]) -> None:
    assert refused(**changed) == [f"PUSH_{name.upper()}" for name in changed]


async def test_an_operator_makes_and_removes_callers(database_url: str) -> None:
    settings = settings_of(database_url)
    made = await commands.create_caller(settings, "enrollment", [Scope.ENROLLMENT])
    assert json.loads(made.text).keys() == {"clientToken", "clientSecret"}
    assert not (await commands.create_caller(settings, "enrollment", [Scope.ADMIN])).ok
    (listed,) = json.loads((await commands.list_callers(settings)).text)
    assert (listed["name"], listed["scopes"]) == ("enrollment", ["enrollment"])
    assert (await commands.remove_caller(settings, "enrollment")).ok
    assert not (await commands.remove_caller(settings, "enrollment")).ok
    assert (await commands.check(settings)).ok


def test_an_unknown_scope_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["caller", "create", "bank", "--scopes", "everything"])
    assert "--scopes" in capsys.readouterr().err


async def test_the_whole_service_starts_works_and_stops(
    core: FakeCore, providers: FakeProviders, database_url: str
) -> None:
    settings = settings_of(database_url, jobs_enabled=True, metrics_enabled=True, restrict_access=False)
    app = create_app(settings, core_transport=AsgiTransport(core), factory=providers)
    async with lifespan_of(app):
        client: Client = Service(app, app.state.push, core, providers).anonymous()
        assert (await client.send("GET", "/actuator/health/readiness")).status_code == 200
        assert (await client.send("GET", "/actuator/prometheus")).status_code == 200
        assert await client.ok("GET", "/admin/app/list") == {"applicationList": []}
        assert "PowerAuth Push Server" in (await client.send("GET", "/")).text
        told = await client.ok("GET", "/push/service/status")
        assert told.keys() >= {"version", "buildTime", "timestamp"}


@pytest.mark.parametrize("restricted", [True, False])
def test_the_document_says_who_may_call(database_url: str, restricted: bool) -> None:
    document = create_app(settings_of(database_url, restrict_access=restricted)).openapi()
    secured = {
        path
        for path, operations in document["paths"].items()
        if all("security" in operation for operation in operations.values())
    }
    guarded = {path for path in document["paths"] if path.startswith(("/push/", "/inbox/", "/admin/"))}
    assert secured == (guarded if restricted else set())
    assert len(guarded) > 30
