"""Sending and the queue (spec/push-api.md §8, §20): counted, tried again, nothing lost, nothing late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from push_client import Client, Service
from push_phones import application, message, phone, sending
from sqlalchemy import select, update

from powerauth_push.campaigns import repository as campaigns
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.dispatch.dispatcher import Dispatcher, NotWritten
from powerauth_push.dispatch.models import Delivery, MessageRecord
from powerauth_push.providers.outcomes import Outcome, Verdict, failed
from servicekit import clock, metrics
from servicekit.errors import Unavailable
from servicekit.testing import DIALECTS, PATIENCE_SECONDS

SEND, BATCH = "/push/message/send", "/push/message/batch/send"
LATER = Outcome(Verdict.LATER, "busy", retry_after=60)


def counters(sent: int = 0, failed: int = 0, pending: int = 0) -> dict[str, int]:
    return {"sent": sent, "failed": failed, "pending": pending, "total": sent + failed + pending}


async def queue(service: Service) -> list[Delivery]:
    async with service.push.database.read() as session:
        return list(await session.scalars(select(Delivery).order_by(Delivery.id)))


async def tokens(service: Service) -> list[str]:
    async with service.push.database.read() as session:
        return list(await session.scalars(select(DeviceRegistration.push_token)))


async def make_due(service: Service) -> None:
    async with service.push.database.transaction() as session:
        await session.execute(update(Delivery).values(timestamp_due=clock.now()))


def another(service: Service) -> Dispatcher:
    """Another process on the same database."""
    push = service.push
    return Dispatcher(push.settings, push.database, push.senders, campaigns)


@asynccontextmanager
async def at_work(dispatcher: Dispatcher) -> AsyncGenerator[None]:
    dispatcher.start()
    try:
        yield
    finally:
        await dispatcher.stop()


async def test_how_late_the_queue_is_stays_as_it_was_while_nobody_can_tell(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = asyncio.Event()

    def away(*_asked: object) -> NoReturn:
        refused.set()
        raise Unavailable("the database is away")

    late = {"provider": "apns"}
    metrics.gauge("push_queue_overdue_seconds", "", {}).labels(**late).set(300)
    monkeypatch.setattr(service.push.database, "read", away)
    async with at_work(another(service)), asyncio.timeout(PATIENCE_SECONDS):
        await refused.wait()
        await asyncio.sleep(0)
    assert metrics.REGISTRY.get_sample_value("push_queue_overdue_seconds", late) == 300


async def test_each_device_is_counted_once_with_its_provider(service: Service, cloud: Client) -> None:
    await application(cloud)
    for name, platform in (("a", "ios"), ("b", "android"), ("c", "hms"), ("d", "fcm"), ("e", "apns")):
        await phone(service, cloud, name, platform=platform)
    service.providers.answers |= {"token-d": failed("no"), "token-e": LATER}
    assert await cloud.ok("POST", SEND, sending()) == {
        "mode": "SYNCHRONOUS",
        "apns": counters(sent=1, pending=1),
        "fcm": counters(sent=1, failed=1),
        "hms": counters(sent=1),
    }
    (waiting,) = await queue(service)
    assert (waiting.attempts, waiting.lease_owner) == (1, None)
    first = next(one.key for one in service.providers.sent if one.token == "token-e")
    del service.providers.answers["token-e"]
    await make_due(service)
    assert await service.push.dispatcher.run_due() == 1
    again = service.providers.sent[-1]
    assert (again.token, again.key, again.attempts_before) == ("token-e", first, 1)
    assert await queue(service) == []


async def test_a_batch_is_sent_to_each_addressee_and_activation(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await phone(service, cloud, "b", user="user-2")
    await phone(service, cloud, "c", user="user-2")
    batch = [
        message(),
        message("user-2", activationId="c"),
        message("nobody"),
        message("user-1", activationId="c"),
    ]
    answer = await cloud.ok("POST", BATCH, {"appId": "app-1", "batch": batch})
    assert answer["apns"] == counters(sent=2)
    assert sorted(service.providers.tokens()) == ["token-a", "token-c"]


async def test_personal_messages_go_to_active_devices_only(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a", status="BLOCKED")
    personal = sending(attributes={"personal": True, "silent": None})
    assert (await cloud.ok("POST", SEND, personal))["apns"] == counters()
    assert (await cloud.ok("POST", SEND, sending()))["apns"] == counters(sent=1)


@pytest.mark.parametrize("verdict", [Verdict.UNREGISTERED, Verdict.WRONG_TOKEN, Verdict.BAD_CREDENTIALS])
async def test_only_what_the_provider_does_not_know_is_forgotten(
    service: Service, cloud: Client, verdict: Verdict
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.providers.answers["token-a"] = Outcome(verdict, "said so")
    assert (await cloud.ok("POST", SEND, sending()))["apns"] == counters(failed=1)
    assert await tokens(service) == (["token-a"] if verdict is Verdict.BAD_CREDENTIALS else [])


async def test_a_token_that_was_registered_again_meanwhile_stays(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.providers.answers["token-a"] = Outcome(Verdict.UNREGISTERED)
    service.providers.hold.clear()
    sent = asyncio.create_task(cloud.ok("POST", SEND, sending()))
    await service.providers.arrived(1)
    device = {"appId": "app-1", "token": "new", "platform": "apns", "activationId": "a"}
    await cloud.ok("POST", "/push/device/create", device)
    service.providers.hold.set()
    await sent
    assert await tokens(service) == ["new"]


async def test_a_queued_message_does_not_follow_a_registration_to_another_activation(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    service.core.activation("b", "user-2", "app-1", "ACTIVE")
    taken_over = {"appId": "app-1", "token": "token-a", "platform": "apns", "activationId": "b"}
    await cloud.ok("POST", "/push/device/create", taken_over)
    assert await service.push.dispatcher.run_due() == 1
    assert (service.providers.sent, await queue(service)) == ([], [])
    assert await tokens(service) == ["token-a"]


async def test_what_is_late_is_pending_and_settled_all_the_same(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    object.__setattr__(service.push.settings, "send_deadline_seconds", 0.01)
    service.providers.hold.clear()
    service.providers.answers["token-a"] = Outcome(Verdict.UNREGISTERED)
    assert (await cloud.ok("POST", SEND, sending()))["apns"] == counters(pending=1)
    assert await another(service).run_due() == 0, "it is under way"
    service.providers.hold.set()
    await service.push.dispatcher.stop()
    assert (await tokens(service), await queue(service)) == ([], [])


async def test_what_is_late_is_sent_although_its_process_is_killed(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    object.__setattr__(service.push.settings, "send_deadline_seconds", 0.01)
    object.__setattr__(service.push.settings, "graceful_shutdown_seconds", 0.01)
    service.providers.hold.clear()
    assert (await cloud.ok("POST", SEND, sending()))["apns"] == counters(pending=1)
    await service.push.dispatcher.stop()
    service.providers.hold.set()
    await make_due(service)
    assert await another(service).run_due() == 1
    first, again = service.providers.sent
    assert (again.key, await queue(service)) == (first.key, [])


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_queued_messages_are_sent_by_whoever_comes_first(service: Service, cloud: Client) -> None:
    await application(cloud)
    for name in "abcdefgh":
        await phone(service, cloud, name)
    assert await cloud.ok("POST", SEND, sending("ASYNCHRONOUS")) == {"mode": "ASYNCHRONOUS"}
    assert (len(await queue(service)), service.providers.sent) == (8, [])
    taken = await asyncio.gather(service.push.dispatcher.run_due(), another(service).run_due())
    assert sum(taken) == 8
    assert len(set(service.providers.tokens())) == len(service.providers.sent) == 8
    assert await queue(service) == []


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_a_running_service_sends_at_once_and_in_its_time(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    object.__setattr__(service.push.settings, "retry_initial_seconds", 0.01)
    answers = iter([Outcome(Verdict.LATER, retry_after=0.01), Outcome(Verdict.SENT)])
    service.providers.answers["token-a"] = lambda: next(answers)
    async with at_work(service.push.dispatcher):
        await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
        await service.providers.arrived(2)
    assert [one.attempts_before for one in service.providers.sent] == [0, 1]
    assert await queue(service) == []


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_what_a_killed_process_had_under_way_is_sent_by_another(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    async with service.push.database.transaction() as session:
        taken = {"lease_owner": "killed", "timestamp_due": clock.now() + timedelta(minutes=1), "attempts": 1}
        await session.execute(update(Delivery).values(taken))
    assert await service.push.dispatcher.run_due() == 0, "the other one may be sending it"
    await make_due(service)
    assert await service.push.dispatcher.run_due() == 1
    assert (service.providers.tokens(), await queue(service)) == (["token-a"], [])


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_a_process_does_not_take_over_what_it_is_sending_itself(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    service.providers.hold.clear()
    sent = asyncio.create_task(service.push.dispatcher.run_due())
    await service.providers.arrived(1)
    await make_due(service)
    async with asyncio.timeout(10):
        assert await service.push.dispatcher.run_due() == 0
    service.providers.hold.set()
    assert await sent == 1
    assert (len(service.providers.sent), await queue(service)) == (1, [])


async def test_a_service_with_all_its_hands_full_stops(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    object.__setattr__(service.push.settings, "sends_per_provider", 1)
    service.providers.hold.clear()
    for _ in range(2):
        await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    dispatcher = another(service)
    dispatcher.start()
    await service.providers.arrived(1)
    stopped = asyncio.create_task(dispatcher.stop())
    await asyncio.sleep(0)
    service.providers.hold.set()
    async with asyncio.timeout(10):
        await stopped
    assert len(service.providers.sent) == 1, "nothing more is taken"


async def test_a_campaign_and_a_hanging_application_leave_room_for_others(
    service: Service, cloud: Client
) -> None:
    object.__setattr__(service.push.settings, "sends_per_provider", 8)
    for app in ("app-1", "app-2"):
        await application(cloud, app)
        await phone(service, cloud, app, app=app)
    for _ in range(20):
        await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    async with service.push.database.transaction() as session:
        half = select(Delivery.id).order_by(Delivery.id).limit(10).scalar_subquery()
        await session.execute(update(Delivery).where(Delivery.id.in_(half)).values(campaign_id=1))
    service.providers.hold.clear()
    async with at_work(another(service)):
        await service.providers.arrived(6)
        await cloud.ok("POST", SEND, sending("ASYNCHRONOUS", app="app-2"))
        async with asyncio.timeout(10):
            await service.providers.arrived(7)
        assert service.providers.tokens() == ["token-app-1"] * 6 + ["token-app-2"]
        under_way = [row.campaign_id for row in await queue(service) if row.lease_owner]
        assert under_way.count(1) == 0, "single messages go before campaigns"
        service.providers.hold.set()
        async with asyncio.timeout(10):
            await service.providers.arrived(21)


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_where_many_wait_the_newest_operations_ring_first_and_nothing_waits_for_ever(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    for number in range(8):
        operation = {"messageType": "mtoken.operationInit", "operationId": str(number)}
        extras = operation if number % 2 else {}
        asked = sending("ASYNCHRONOUS", body={"title": str(number), "extras": extras})
        await cloud.ok("POST", SEND, asked)
    object.__setattr__(service.push.settings, "sends_per_provider", 4)
    assert await another(service).run_due() == 8
    rung = [one.message.content.title or "" for one in service.providers.sent]
    assert (sorted(rung[:4]), sorted(rung[4:])) == (list("0357"), list("1246"))


@pytest.mark.parametrize("text", ["", "[]", '{"body":7}'])
async def test_an_unreadable_row_ends_and_holds_up_no_other(
    service: Service, cloud: Client, text: str
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    for _ in range(2):
        await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    async with service.push.database.transaction() as session:
        first = select(Delivery.id).order_by(Delivery.id).limit(1).scalar_subquery()
        await session.execute(update(Delivery).where(Delivery.id == first).values(message=text))
    assert await service.push.dispatcher.run_due() == 1
    await service.push.dispatcher.stop()
    assert (service.providers.tokens(), await queue(service)) == (["token-a"], [])


async def test_the_same_key_is_sent_once(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    for key in ("one", "one", "two"):
        await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"), {"Idempotency-Key": key})
    assert len(await queue(service)) == 2


async def test_nothing_is_sent_late_or_for_ever(
    service: Service, cloud: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    ends = (clock.now() + timedelta(seconds=30)).isoformat() + "Z"
    service.providers.answers["token-a"] = LATER
    soon = sending(body={"validUntil": ends})
    assert (await cloud.ok("POST", SEND, soon))["apns"] == counters(pending=1)
    assert await queue(service) == [], "the provider wants a longer pause than it is worth"
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS", body={"validUntil": ends}))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=31))
    await service.push.dispatcher.run_due()
    assert (len(service.providers.sent), await queue(service)) == (1, [])
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    await service.push.dispatcher.run_due()
    assert len(await queue(service)) == 1
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    await service.push.dispatcher.run_due()
    assert await queue(service) == [], "without an end of its own it is tried for an hour"


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_the_time_for_tries_begins_with_the_first(
    service: Service, cloud: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    begun = clock.now()

    async def due(hours: float, outcome: Outcome) -> list[Delivery]:
        monkeypatch.setattr(clock, "now", lambda: begun + timedelta(hours=hours))
        service.providers.answers["token-a"] = outcome
        await service.push.dispatcher.run_due()
        return await queue(service)

    held, busy = Outcome(Verdict.LATER, "refused", 60, held=True), Outcome(Verdict.LATER, "busy", 60)
    (waiting,) = await due(2, held)
    assert (waiting.attempts, waiting.timestamp_first) == (0, None), "nobody looked at the queue for so long"
    (waiting,) = await due(5, busy)
    assert (waiting.attempts, waiting.timestamp_first) == (1, begun + timedelta(hours=5))
    (waiting,) = await due(5.9, busy)
    assert (waiting.attempts, waiting.timestamp_first) == (2, begun + timedelta(hours=5))
    assert await due(6.1, busy) == []


async def test_what_cannot_be_tried_for_a_day_is_given_up(
    service: Service, cloud: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.providers.answers["token-a"] = Outcome(Verdict.LATER, "refused", 300, held=True)
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    now = clock.now()
    for hours, left in ((23, 1), (25, 0)):
        monkeypatch.setattr(clock, "now", lambda hours=hours: now + timedelta(hours=hours))
        await service.push.dispatcher.run_due()
        assert len(await queue(service)) == left


async def test_what_a_closed_gate_keeps_is_tried_until_its_end(
    service: Service, cloud: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    service.providers.answers["token-a"] = Outcome(Verdict.LATER, "down", 300, held=True)
    now = clock.now()
    ends = (now + timedelta(seconds=1000)).isoformat() + "Z"
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS", body={"validUntil": ends}))
    tries, moment = 0, now
    while waiting := await queue(service):
        assert waiting[0].attempts == 0, "nothing was sent"
        moment = max(moment, waiting[0].timestamp_due)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        tries += await service.push.dispatcher.run_due()
    assert tries >= 5
    assert round((moment - now).total_seconds()) == 999, "a last time before it is over"


async def test_the_log_tells_what_became_of_each_message(service: Service, cloud: Client) -> None:
    await application(cloud)
    object.__setattr__(service.push.settings, "message_storage_enabled", True)
    for name in "abc":
        await phone(service, cloud, name)
    service.providers.answers |= {"token-b": failed("no"), "token-c": LATER}
    await cloud.ok("POST", SEND, sending())
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS", activationId="a"))
    await service.push.dispatcher.run_due()
    async with service.push.database.read() as session:
        rows = list(await session.scalars(select(MessageRecord).order_by(MessageRecord.id)))
    assert [row.status for row in rows] == [1, -1, 0, 1]
    assert {row.message_body for row in rows} == {'{"title":"Hello"}'}
    assert [row.activation_id for row in rows] == [None, None, None, "a"]


async def test_all_of_a_message_arrives_as_it_was_written(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    body: dict[str, Any] = {
        "titleLocKey": "t",
        "titleLocArgs": ["1"],
        "badge": 3,
        "collapseKey": "k",
        "validUntil": 4_102_444_800,
        "extras": {"n": 1.5, "deep": {"list": [True, None]}},
    }
    for mode in ("SYNCHRONOUS", "ASYNCHRONOUS"):
        await cloud.ok("POST", SEND, sending(mode, body=body, priority="NORMAL", attributes={"silent": True}))
        await service.push.dispatcher.run_due()
    direct, queued = (one.message for one in service.providers.sent)
    assert direct.content.extras["deep"] == queued.content.extras["deep"] == {"list": [True, None]}
    assert (direct.content.badge, direct.silent, direct.priority) == (3, True, "NORMAL")
    assert str(direct) == str(queued)


async def test_an_outcome_that_cannot_be_written_holds_up_no_other(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    await cloud.ok("POST", SEND, sending("ASYNCHRONOUS"))
    async with service.push.database.transaction() as session:
        first = select(Delivery.id).order_by(Delivery.id).limit(1).scalar_subquery()
        await session.execute(update(Delivery).where(Delivery.id == first).values(campaign_id=1))

    class Refusing:
        async def lock_all(self, _session: object, _numbers: object) -> None:
            """There is nothing to lock."""

        async def settle(self, _session: object, counts: Mapping[int, object], _again: object) -> None:
            assert not counts

    push = service.push
    dispatcher = Dispatcher(push.settings, push.database, push.senders, Refusing())
    with pytest.raises(NotWritten):
        await dispatcher.run_due()
    await dispatcher.stop()
    assert [row.campaign_id for row in await queue(service)] == [1]
