"""What a bus promises, held by both: in memory and on RabbitMQ."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from secrets import token_hex
from typing import Any

import pytest

from powerauth_protocol.common.json_text import Number
from servicekit.bus import Bus, BusUnavailable, Event, bus_from_url
from servicekit.bus.memory import InMemoryBus
from servicekit.errors import Unavailable
from servicekit.testing import PATIENCE_SECONDS, server_url

MakeBus = Callable[[], Bus]
Until = Callable[..., Awaitable[None]]
RETRY_SECONDS = 0.01
DELIVERIES = 3


@pytest.fixture(params=["memory", "rabbitmq"])
async def make_bus(request: pytest.FixtureRequest) -> AsyncGenerator[MakeBus]:
    """``make_bus()``: another process's connection to the same bus; one and the same object in memory."""
    made: list[Bus] = []

    def make() -> Bus:
        if request.param == "memory":
            if not made:
                made.append(InMemoryBus(max_deliveries=DELIVERIES, retry_seconds=RETRY_SECONDS))
            return made[0]
        from servicekit.bus.rabbitmq import RabbitBus

        url = server_url("TEST_RABBITMQ_URL")
        made.append(RabbitBus(url, max_deliveries=DELIVERIES, retry_seconds=RETRY_SECONDS))
        return made[-1]

    yield make
    for bus in made:
        await bus.close()


@pytest.fixture
async def bus(make_bus: MakeBus) -> Bus:
    return make_bus()


@pytest.fixture
def name() -> str:
    """A service and event type of this test alone."""
    return f"test-{token_hex(6)}"


def _event(event_type: str, subject: str = "id", **data: Any) -> Event:
    return Event.create(event_type, "/powerauth-core", subject, data)


def _collect(into: list[Event]) -> Callable[[Event], Awaitable[None]]:
    async def handler(event: Event) -> None:
        into.append(event)

    return handler


async def test_an_event_arrives_as_it_was_sent(until: Until, bus: Bus, name: str) -> None:
    received: list[Event] = []
    await bus.subscribe(name, [name], _collect(received))
    await bus.start()
    sent = _event(name, "7f3a", userId="uživatel", flags=["A"], previousStatus=None, n=Number("1.50"))
    await bus.publish(sent)
    await until(lambda: received)
    assert received == [sent]


async def test_only_the_subscribed_types_arrive(until: Until, bus: Bus, name: str) -> None:
    received: list[Event] = []
    await bus.subscribe(name, [f"{name}.a", f"{name}.b"], _collect(received))
    await bus.start()
    for suffix in ("c", "a", "b"):
        await bus.publish(_event(f"{name}.{suffix}"))
    await until(lambda: len(received) == 2)
    assert {event.type for event in received} == {f"{name}.a", f"{name}.b"}


async def test_replicas_of_a_service_compete_and_services_do_not(
    until: Until, make_bus: MakeBus, name: str
) -> None:
    replicas: list[list[Event]] = [[], []]
    other: list[Event] = []
    buses = [make_bus(), make_bus(), make_bus()]
    for bus, received in zip(buses[:2], replicas, strict=True):
        await bus.subscribe(f"{name}-one", [name], _collect(received))
    await buses[2].subscribe(f"{name}-two", [name], _collect(other))
    for bus in buses:
        await bus.start()
    sent = [_event(name, str(number)) for number in range(40)]
    await asyncio.gather(*(buses[0].publish(event) for event in sent))
    await until(lambda: len(replicas[0]) + len(replicas[1]) == len(other) == 40)
    assert {event.id for event in replicas[0] + replicas[1]} == {event.id for event in sent}
    assert {event.id for event in other} == {event.id for event in sent}


async def test_a_broadcast_reaches_every_process(until: Until, make_bus: MakeBus, name: str) -> None:
    processes: list[list[Event]] = [[], []]
    buses = [make_bus(), make_bus()]
    for bus, received in zip(buses, processes, strict=True):
        await bus.subscribe_broadcast([name], _collect(received))
        await bus.start()
    sent = _event(name)
    await buses[0].publish(sent)
    await until(lambda: all(processes))
    assert processes == [[sent], [sent]]


async def test_a_failing_broadcast_handler_harms_nobody(until: Until, bus: Bus, name: str) -> None:
    received: list[Event] = []

    async def failing(_event: Event) -> None:
        raise RuntimeError("broken cache")

    await bus.subscribe_broadcast([name], failing)
    await bus.subscribe_broadcast([name], _collect(received))
    await bus.start()
    await bus.publish(_event(name))
    await bus.publish(_event(name))
    await until(lambda: len(received) == 2)


async def test_a_failed_delivery_is_repeated(until: Until, bus: Bus, name: str) -> None:
    attempts: list[Event] = []

    async def second_time_lucky(event: Event) -> None:
        attempts.append(event)
        if len(attempts) == 1:
            raise RuntimeError("once")

    await bus.subscribe(name, [name], second_time_lucky)
    await bus.start()
    sent = _event(name)
    await bus.publish(sent)
    await until(lambda: len(attempts) == 2)
    await asyncio.sleep(0.1)
    assert attempts == [sent, sent]


async def _dead_letters(bus: Bus, service: str) -> list[Event]:
    if isinstance(bus, InMemoryBus):
        return bus.dead_letters[service]
    import aio_pika

    async with await aio_pika.connect(server_url("TEST_RABBITMQ_URL")) as connection:
        queue = await (await connection.channel()).get_queue(f"{service}.events.dead")
        message = await queue.get(fail=False)
        if message is None:
            return []
        await message.reject(requeue=True)
        return [Event.from_json(message.body)]


async def test_after_bounded_retries_an_event_is_a_dead_letter_and_others_go_on(
    until: Until, bus: Bus, name: str
) -> None:
    attempts: list[str] = []

    async def refusing(event: Event) -> None:
        attempts.append(event.subject)
        if event.subject == "bad":
            raise RuntimeError("always")

    await bus.subscribe(name, [name], refusing)
    await bus.start()
    bad = _event(name, "bad")
    await bus.publish(bad)
    await bus.publish(_event(name, "good"))
    await until(lambda: attempts.count("bad") == DELIVERIES and "good" in attempts)
    await until(lambda: _dead_letters(bus, name))
    assert await _dead_letters(bus, name) == [bad]
    assert attempts.count("bad") == DELIVERIES
    assert attempts.count("good") == 1


async def test_an_unavailable_handler_makes_events_wait_not_die(until: Until, bus: Bus, name: str) -> None:
    attempts = 0
    received: list[Event] = []

    async def database_down_for_a_while(event: Event) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= DELIVERIES + 2:
            raise Unavailable("database")
        received.append(event)

    await bus.subscribe(name, [name], database_down_for_a_while)
    await bus.start()
    sent = _event(name)
    await bus.publish(sent)
    await until(lambda: received)
    assert received == [sent]


async def test_drain_waits_for_the_handler_at_work(bus: Bus, name: str) -> None:
    started, release, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_event: Event) -> None:
        started.set()
        await release.wait()
        finished.set()

    await bus.subscribe(name, [name], slow)
    await bus.start()
    await bus.publish(_event(name))
    await started.wait()
    draining = asyncio.create_task(bus.drain())
    await asyncio.sleep(0.05)
    assert not draining.done()
    release.set()
    await draining
    assert finished.is_set()


async def test_drain_does_not_wait_for_the_unavailable(bus: Bus, name: str) -> None:
    tried = asyncio.Event()

    async def never(_event: Event) -> None:
        tried.set()
        raise Unavailable("database")

    await bus.subscribe(name, [name], never)
    await bus.start()
    await bus.publish(_event(name))
    await tried.wait()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await bus.close()


async def test_a_subscription_made_after_the_start_works(until: Until, bus: Bus, name: str) -> None:
    durable: list[Event] = []
    broadcast: list[Event] = []
    await bus.start()
    await bus.subscribe(name, [name], _collect(durable))
    await bus.subscribe_broadcast([name], _collect(broadcast))
    await bus.publish(_event(name))
    await until(lambda: durable and broadcast)


async def test_an_event_without_subscribers_is_accepted(bus: Bus, name: str) -> None:
    await bus.start()
    await bus.publish(_event(name))
    assert bus.connected


async def test_a_closed_bus_confirms_nothing(bus: Bus, name: str) -> None:
    await bus.start()
    await bus.close()
    assert not bus.connected
    with pytest.raises(BusUnavailable):
        await bus.publish(_event(name))


def test_cloud_events_form() -> None:
    event = Event(
        "id-1", "operation.created", "/powerauth-core", "op", datetime(2024, 1, 2, 3, 4, 5), {"a": "é"}
    )
    assert event.to_json().decode() == (
        '{"specversion":"1.0","id":"id-1","type":"operation.created","source":"/powerauth-core",'
        '"subject":"op","time":"2024-01-02T03:04:05.000000Z","datacontenttype":"application/json",'
        '"data":{"a":"é"}}'
    )
    assert Event.from_json(event.to_json()) == event


_GOOD: dict[str, object] = {
    "specversion": "1.0",
    "id": "a",
    "type": "b",
    "source": "c",
    "subject": "d",
    "time": "2024-01-01",
    "data": {},
}
_MISTYPED: list[dict[str, object]] = [
    {"time": "x"},
    {"data": []},
    {"id": 1},
    {"specversion": "0.3"},
    {"subject": None},
]


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[]", b"{}", b"null", b"\xff", *(json.dumps(_GOOD | bad).encode() for bad in _MISTYPED)],
)
def test_anything_else_is_not_an_event(document: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Event.from_json(document)


def test_the_url_chooses_the_bus() -> None:
    assert isinstance(bus_from_url(""), InMemoryBus)
    assert type(bus_from_url("amqp://localhost/")).__name__ == "RabbitBus"
    with pytest.raises(ValueError, match="scheme"):
        bus_from_url("kafka://localhost/")
