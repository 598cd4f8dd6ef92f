"""What enrollment asks for phones: only with the core's statement, and only once (D1 rule 5)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from push_client import Client, Service
from push_fake_core import FakeCore, new_key
from push_phones import application
from sqlalchemy import select

from powerauth_push.callers.rules import Scope
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.statements import service as statements

CREATE = "/push/device/create"
ACTION = "push/device/register"
DEVICE = {"appId": "app-1", "token": "token", "platform": "ios", "activationId": "a"}


async def enrollment(service: Service, cloud: Client) -> Client:
    await application(cloud)
    service.core.activation("a")
    service.core.activation("b", "user-2")
    return await service.caller("enrollment", Scope.ENROLLMENT)


async def test_a_statement_says_whose_the_token_is_and_is_good_once(service: Service, cloud: Client) -> None:
    client = await enrollment(service, cloud)
    headers = service.core.statement("a", ACTION)
    await client.ok("POST", CREATE, DEVICE | {"userId": "somebody", "activationStatus": "ACTIVE"}, headers)
    async with service.push.database.read() as session:
        row = await session.scalar(select(DeviceRegistration))
    assert row is not None
    assert (row.user_id, row.is_active) == ("user-1", True)
    assert await client.refused("POST", CREATE, DEVICE, headers) == (403, "HTTP_403")


async def test_what_happened_since_a_statement_counts(service: Service, cloud: Client) -> None:
    async def is_active() -> bool | None:
        async with service.push.database.read() as session:
            return await session.scalar(select(DeviceRegistration.is_active))

    client = await enrollment(service, cloud)
    headers = [service.core.statement("a", ACTION) for _ in range(4)]
    service.core.activation("a", status="BLOCKED")
    await client.ok("POST", CREATE, DEVICE, headers[0])
    assert await is_active() is False
    service.core.activation("a")
    await client.ok("POST", CREATE, DEVICE, headers[1])
    service.core.down = True
    assert await client.refused("POST", CREATE, DEVICE, headers[2]) == (400, "ERROR_GENERIC")
    assert await is_active() is True, "an activation keeps what events have told of it"
    await cloud.ok("POST", "/push/device/delete", {"appId": "app-1", "token": "token"})
    assert await client.refused("POST", CREATE, DEVICE, headers[3]) == (400, "ERROR_GENERIC")
    assert await is_active() is False, "nobody has said that it is active"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "inbox/count"},
        {"exp": 1},
        {"iss": "/somebody"},
        {"exp": 99_999_999_999},
        {"jti": None},
        {"userId": None},
        {"activationId": "b"},
        {"applicationId": "app-2"},
    ],
    ids=lambda claims: next(iter(claims)),
)
async def test_another_statement_is_refused(service: Service, cloud: Client, claims: dict[str, Any]) -> None:
    client = await enrollment(service, cloud)
    headers = service.core.statement("a", ACTION, **claims)
    assert await client.refused("POST", CREATE, DEVICE, headers) == (403, "HTTP_403")


async def test_forged_and_missing_statements_are_refused_and_new_keys_learnt(
    service: Service, cloud: Client
) -> None:
    client = await enrollment(service, cloud)
    forged = service.core.statement("a", ACTION, key=FakeCore().key)
    assert await client.refused("POST", CREATE, DEVICE, forged) == (403, "HTTP_403")
    assert await client.refused("POST", CREATE, DEVICE) == (403, "HTTP_403")
    garbage = {"X-PowerAuth-Statement": "a.b.c"}
    assert await client.refused("POST", CREATE, DEVICE, garbage) == (403, "HTTP_403")
    assert service.core.asked.count("statement/keys") == 1, "a stranger's key asks the core once in a while"
    await client.ok("POST", CREATE, DEVICE, service.core.statement("a", ACTION))


async def test_a_key_that_the_core_no_longer_publishes_is_believed_no_longer(
    service: Service, cloud: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, core, passed = await enrollment(service, cloud), service.core, [0.0]
    monkeypatch.setattr(statements, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    old = core.key
    await client.ok("POST", CREATE, DEVICE, core.statement("a", ACTION))
    core.key = new_key()
    await client.ok("POST", CREATE, DEVICE, core.statement("a", ACTION, key=old))
    passed[0] += 300
    core.down = True
    still = core.statement("a", ACTION, key=old)
    assert await client.refused("POST", CREATE, DEVICE, still) == (400, "ERROR_GENERIC"), (
        "not for the statement"
    )
    passed[0] += 3_600
    core.down = False
    late = core.statement("a", ACTION, key=old)
    assert await client.refused("POST", CREATE, DEVICE, late) == (403, "HTTP_403")
    await client.ok("POST", CREATE, DEVICE, core.statement("a", ACTION))


async def test_the_credential_of_the_dmz_opens_nothing_else(service: Service, cloud: Client) -> None:
    client = await enrollment(service, cloud)
    headers = service.core.statement("a", ACTION)
    for method, path in (
        ("POST", "/push/message/send"),
        ("GET", "/admin/app/list"),
        ("GET", "/push/campaign/list"),
        ("POST", "/inbox/messages"),
        ("POST", "/push/device/delete"),
        ("GET", "/push/service/status"),
        ("GET", "/push/nothing"),
    ):
        assert await client.refused(method, path, {}, headers) == (403, "HTTP_403"), path


async def test_strangers_learn_nothing(service: Service) -> None:
    for auth in (service.anonymous(), Client(service.app, ("nobody", "secret"))):
        for path in ("/push/service/status", "/push/nothing", "/admin/app/list"):
            assert await auth.refused("GET", path) == (401, "HTTP_401")
    assert (await service.anonymous().send("GET", "/nothing")).status_code == 404
