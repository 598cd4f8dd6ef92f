"""Registrations (spec/push-api.md §6): what replaces what, and who may say whose a token is."""

from __future__ import annotations

import asyncio

import pytest
from push_client import Client, Service
from push_phones import application, phone
from sqlalchemy import select

from powerauth_push.callers.rules import Scope
from powerauth_push.devices.models import DeviceRegistration
from servicekit.testing import DIALECTS

CREATE, MULTI = "/push/device/create", "/push/device/create/multi"


async def registered(service: Service) -> list[tuple[str | None, str, str | None, bool]]:
    async with service.push.database.read() as session:
        rows = await session.scalars(select(DeviceRegistration).order_by(DeviceRegistration.id))
        return [(row.activation_id, row.push_token, row.user_id, row.is_active) for row in rows]


def device(activation: str, token: str, **changed: str) -> dict[str, str]:
    return {"appId": "app-1", "token": token, "platform": "fcm", "activationId": activation} | changed


async def test_an_activation_moves_to_its_new_token_and_a_token_to_its_new_activation(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await cloud.ok("POST", CREATE, device("a", "other"))
    assert await registered(service) == [("a", "other", "user-1", True)]
    service.core.activation("b", "user-2", status="BLOCKED")
    await cloud.ok("POST", CREATE, device("b", "other"))
    assert await registered(service) == [("b", "other", "user-2", False)]


@pytest.mark.parametrize(
    "change", [{"status": "REMOVED"}, {"app": "app-2"}], ids=["removed", "of another application"]
)
async def test_what_the_core_does_not_confirm_changes_nothing(
    service: Service, cloud: Client, change: dict[str, str]
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.core.activation("a", **change)
    before = await registered(service)
    assert await cloud.refused("POST", CREATE, device("a", "new")) == (400, "ERROR_GENERIC")
    service.core.down = True
    assert await cloud.refused("POST", CREATE, device("a", "new")) == (400, "ERROR_GENERIC")
    assert await registered(service) == before


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_the_same_registration_five_times_at_once_is_one(service: Service, cloud: Client) -> None:
    await application(cloud)
    service.core.activation("a")
    await asyncio.gather(*(cloud.ok("POST", CREATE, device("a", "token")) for _ in range(5)))
    assert await registered(service) == [("a", "token", "user-1", True)]


async def test_only_who_is_trusted_says_whose_an_activation_is(service: Service, cloud: Client) -> None:
    await application(cloud)
    service.core.activation("a", "user-1")
    told = {"activationStatus": "ACTIVE", "userId": "somebody"}
    other = await service.caller("other", Scope.DEVICE)
    await other.ok("POST", CREATE, device("a", "token", **told))
    assert await registered(service) == [("a", "token", "user-1", True)]
    asked = len(service.core.asked)
    await cloud.ok("POST", CREATE, device("a", "token", **told))
    assert (await registered(service), len(service.core.asked)) == ([("a", "token", "somebody", True)], asked)


async def test_several_activations_of_one_token_all_or_none(service: Service, cloud: Client) -> None:
    await application(cloud)
    object.__setattr__(service.push.settings, "registration_multiple_activations_enabled", True)
    for name in ("a", "b", "c", "d"):
        service.core.activation(name)
    asked = {"appId": "app-1", "token": "t", "platform": "fcm"}
    await cloud.ok("POST", MULTI, asked | {"activationIds": ["a", "b", "b"]})
    assert {row[0] for row in await registered(service)} == {"a", "b"}
    service.core.activation("d", status="REMOVED")
    await cloud.refused("POST", MULTI, asked | {"activationIds": ["c", "d"]})
    assert {row[0] for row in await registered(service)} == {"a", "b"}
    await cloud.ok("POST", MULTI, asked | {"activationIds": ["c"]})
    assert {row[:2] for row in await registered(service)} == {("c", "t")}
    single = await cloud.refused("POST", MULTI, asked | {"activationIds": ["a"], "environment": "production"})
    assert single == (400, "ERROR_GENERIC")


async def test_the_core_says_a_status_and_its_callers_only_while_it_is_away(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    callbacks = await service.caller("callbacks", Scope.CALLBACK)
    for method, status, active in (
        ("POST", "BLOCKED", False),
        ("PUT", "ACTIVE", True),
        ("PUT", "REMOVED", False),
    ):
        body = {"activationId": "a", "activationStatus": status, "type": "ACTIVATION"}
        for service.core.down, expected in ((True, active), (False, True)):
            assert (await callbacks.send(method, "/push/device/status/update", body)).status_code == 200
            assert (await registered(service))[0][3] is expected
    await callbacks.send("POST", "/push/device/status/update", {"activationId": "a"})
    assert (await registered(service))[0][3] is True
    assert await callbacks.refused("POST", CREATE, device("a", "t")) == (403, "HTTP_403")
