"""Events of the core (spec/push-api.md §7.1): registrations follow, phones are told once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from push_client import Client, Service, waiting_for_locks
from push_phones import application, phone, sending
from sqlalchemy import select

from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.dispatch.models import Delivery, MessageRecord
from powerauth_push.dispatch.repository import withdraw
from powerauth_push.events import service as events
from powerauth_push.providers.outcomes import Outcome, Verdict
from servicekit import clock
from servicekit.bus import Event
from servicekit.bus.memory import InMemoryBus
from servicekit.testing import DIALECTS


def operation(**changed: Any) -> Event:
    data = {
        "operationId": "op-1",
        "operationType": "payment",
        "userId": "user-1",
        "applications": ["app-1", "unknown"],
        "status": "APPROVED",
    } | changed
    return Event.create("operation.status_changed", "/powerauth-core", "op-1", data)


def activation(status: str, activation_id: str = "a", **more: Any) -> Event:
    data = {"activationId": activation_id, "applicationId": "app-1", "activationStatus": status} | more
    return Event.create("activation.status_changed", "/powerauth-core", activation_id, data)


async def told(service: Service, *heard: Event) -> list[tuple[str, dict[str, Any]]]:
    """To which tokens what is sent after these events."""
    for event in heard:
        await events.on_event(service.push, event)
    await service.push.dispatcher.run_due()
    sent, service.providers.sent = service.providers.sent, []
    assert all(one.message.silent for one in sent)
    return [(one.token, dict(one.message.content.extras)) for one in sent]


async def is_active(service: Service) -> bool:
    async with service.push.database.read() as session:
        return bool(await session.scalar(select(DeviceRegistration.is_active)))


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("APPROVED", "authentication.success"),
        ("REJECTED", "operation.canceled"),
        ("CANCELED", "operation.canceled"),
        ("FAILED", "authentication.fail"),
        ("EXPIRED", "operation.timeout"),
    ],
)
async def test_the_users_active_phones_hear_of_the_end(
    service: Service, cloud: Client, status: str, result: str
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await phone(service, cloud, "b", status="BLOCKED")
    extras = {
        "messageType": "mtoken.operationFinished",
        "operationId": "op-1",
        "operationName": "payment",
        "mtokenOperationResult": result,
    }
    assert await told(service, operation(status=status)) == [("token-a", extras)]


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_an_event_counts_once_and_a_bound_operation_is_of_one_phone(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await phone(service, cloud, "b")
    event = operation(activationId="b")
    ((token, extras),) = await told(service, event, event)
    assert (token, extras["activationId"]) == ("token-b", "b")


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_what_is_decided_is_not_announced_any_more(service: Service, cloud: Client) -> None:
    object.__setattr__(service.push.settings, "message_storage_enabled", True)
    await application(cloud)
    await phone(service, cloud, "a")
    for name in ("op-1", "op-2", "op-3"):
        extras = {"messageType": "mtoken.operationInit", "operationId": name}
        asked = sending("ASYNCHRONOUS", body={"title": name, "extras": extras})
        await cloud.ok("POST", "/push/message/send", asked)
    late = replace(operation(operationId="op-3", userId=None), time=clock.now() - timedelta(hours=1))
    for event in (operation(status="CANCELED"), operation(operationId="op-2", status="PENDING"), late):
        await events.on_event(service.push, event)
    await service.push.dispatcher.run_due()
    sent = [dict(one.message.content.extras) for one in service.providers.sent]
    assert {(one["messageType"], one["operationId"]) for one in sent} == {
        ("mtoken.operationFinished", "op-1"),
        ("mtoken.operationInit", "op-2"),
    }
    async with service.push.database.read() as session:
        statuses = await session.scalars(select(MessageRecord.status).order_by(MessageRecord.id))
        assert statuses.all() == [-1, 1, -1, 1]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_the_end_of_an_operation_and_outcomes_do_not_wait_for_each_other(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    for name in ("first", "second"):
        await phone(service, cloud, name)
    service.providers.answers["token-first"] = Outcome(Verdict.LATER, "busy")
    extras = {"messageType": "mtoken.operationInit", "operationId": "op-1"}
    await cloud.ok("POST", "/push/message/send", sending("ASYNCHRONOUS", body={"extras": extras}))
    service.providers.hold.clear()
    sent = asyncio.create_task(service.push.dispatcher.run_due())
    await service.providers.arrived(2)
    async with service.push.database.transaction() as ending:
        rows = select(Delivery.id).order_by(Delivery.id)
        assert await ending.scalar(rows.limit(1).with_for_update())
        service.providers.hold.set()
        await waiting_for_locks(service, 1)
        held = (await ending.scalars(rows.with_for_update(nowait=True))).all()
        assert len(held) == 2, "who waits for the first message holds no other"
        await withdraw(ending, "postgresql", "op-1")
    await sent
    async with service.push.database.read() as session:
        assert (await session.scalars(select(Delivery.id))).all() == []


async def test_nothing_is_told_of_what_is_pending_anonymous_old_or_unreadable(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    old = replace(operation(), time=clock.now() - timedelta(minutes=11))
    broken = Event.create("activation.status_changed", "/powerauth-core", "a", {"activationId": 7})
    heard = (operation(status="PENDING"), operation(userId=None), operation(applications="x"), old, broken)
    assert await told(service, *heard) == []


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_registrations_follow_the_core_and_blocked_phones_are_told(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.core.activation("a", status="BLOCKED")
    extras = {"messageType": "mtoken.statusChange", "activationId": "a"}
    assert await told(service, activation("BLOCKED")) == [("token-a", extras)]
    assert not await is_active(service)
    service.core.activation("a", status="ACTIVE")
    assert await told(service, activation("BLOCKED")) == [], "the event is older than what the core says"
    assert await is_active(service)


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_a_new_activation_is_told_to_the_users_other_active_phones(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await application(cloud, "app-2")
    await phone(service, cloud, "new")
    await phone(service, cloud, "old")
    await phone(service, cloud, "elsewhere", app="app-2")
    await phone(service, cloud, "blocked", status="BLOCKED")
    await phone(service, cloud, "foreign", user="user-2")
    of_user = {"userId": "user-1", "previousStatus": "PENDING_COMMIT"}
    extras = {"messageType": "mtoken.newActivation", "activationId": "new"}
    heard = await told(service, activation("ACTIVE", "new", **of_user))
    assert sorted(heard) == [("token-elsewhere", extras), ("token-old", extras)]
    unblocked = activation("ACTIVE", "new", **of_user | {"previousStatus": "BLOCKED"})
    not_yet = activation("PENDING_COMMIT", "new", **of_user | {"previousStatus": "CREATED"})
    old = replace(activation("ACTIVE", "new", **of_user), time=clock.now() - timedelta(hours=1))
    assert await told(service, unblocked, not_yet, old, activation("ACTIVE", "new", userId=None)) == []


async def test_the_core_is_asked_of_registered_activations_alone(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.core.asked.clear()
    await told(service, activation("PENDING_COMMIT", "b"), activation("ACTIVE", "a"))
    assert len(service.core.asked) == 1


async def test_while_the_core_is_away_the_event_has_to_do(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.core.down = True
    late = replace(activation("REMOVED"), time=clock.now() - timedelta(hours=1))
    assert await told(service, late) == []
    assert not await is_active(service)


async def test_the_service_hears_its_bus(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    bus = InMemoryBus()
    await events.subscribe(service.push, bus)
    await bus.start()
    service.push.dispatcher.start()
    await bus.publish(operation())
    await service.providers.arrived(1)
    await bus.close()
