"""What only a real broker can do to us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import aio_pika
import pytest
from yarl import URL

from servicekit.bus import EXCHANGE, BusUnavailable, Event
from servicekit.bus.rabbitmq import RabbitBus
from servicekit.serving import free_port
from servicekit.testing import PATIENCE_SECONDS, server_url

if TYPE_CHECKING:
    from libs.servicekit.tests.conftest import Cable, LayCable


Until = Callable[..., Awaitable[None]]


@pytest.fixture
def name() -> str:
    return f"test-{token_hex(6)}"


@pytest.fixture
async def broker(lay_cable: LayCable) -> AsyncGenerator[tuple[RabbitBus, Cable]]:
    """A bus connected through a cable."""
    address = URL(server_url("TEST_RABBITMQ_URL"))
    cable = await lay_cable(address.host, address.port)
    bus = RabbitBus(str(address.with_port(cable.port)), retry_seconds=0.01)
    yield bus, cable
    await bus.close()


def _event(event_type: str, subject: str = "id") -> Event:
    return Event.create(event_type, "/test", subject, {})


async def test_the_start_does_not_need_the_broker() -> None:
    bus = RabbitBus(f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await bus.start()
    assert not bus.connected
    with pytest.raises(BusUnavailable):
        await bus.publish(_event("x"))
    await bus.close()


async def test_subscriptions_survive_a_lost_connection(
    until: Until, broker: tuple[RabbitBus, Any], name: str
) -> None:
    bus, cable = broker
    durable: list[str] = []
    broadcast: list[str] = []

    async def remember(event: Event) -> None:
        durable.append(event.subject)

    async def notice(event: Event) -> None:
        broadcast.append(event.subject)

    await bus.subscribe(name, [name], remember)
    await bus.subscribe_broadcast([name], notice)
    await bus.start()
    await bus.publish(_event(name, "before"))
    await until(lambda: durable and broadcast)
    await cable.cut()
    await until(lambda: not bus.connected)
    with pytest.raises(BusUnavailable):
        await bus.publish(_event(name, "during"))
    await cable.mend()
    await until(lambda: bus.connected)
    await bus.publish(_event(name, "after"))
    await until(lambda: "after" in durable and "after" in broadcast)


async def test_a_deleted_queue_is_made_again(broker: tuple[RabbitBus, Any], until: Until, name: str) -> None:
    bus, _ = broker
    received: list[str] = []

    async def remember(event: Event) -> None:
        received.append(event.subject)

    await bus.subscribe(name, [name], remember)
    await bus.start()
    async with await aio_pika.connect(server_url("TEST_RABBITMQ_URL")) as connection:
        channel = await connection.channel()
        await channel.queue_delete(f"{name}.events")

        async def exists_again() -> bool:
            queue = await channel.declare_queue(f"{name}.events", passive=True)
            return queue.declaration_result.consumer_count == 1

        await until(lambda: not bus.connected)
        await until(lambda: bus.connected)
        await until(exists_again)
    await bus.publish(_event(name, "after"))
    await until(lambda: received)


async def test_events_published_while_nobody_listens_are_kept(until: Until, name: str) -> None:
    url = server_url("TEST_RABBITMQ_URL")
    received: list[str] = []

    async def remember(event: Event) -> None:
        received.append(event.subject)

    first = RabbitBus(url)
    await first.subscribe(name, [name], remember)
    await first.start()
    await first.close()
    publisher = RabbitBus(url)
    await publisher.start()
    await publisher.publish(_event(name, "kept"))
    await publisher.close()
    second = RabbitBus(url)
    await second.subscribe(name, [name], remember)
    await second.start()
    await until(lambda: received)
    await second.close()
    assert received == ["kept"]


async def test_an_event_whose_consumer_died_goes_to_another(
    until: Until, broker: tuple[RabbitBus, Any], name: str
) -> None:
    dying, cable = broker
    taken = asyncio.Event()
    received: list[str] = []

    async def die(_event: Event) -> None:
        taken.set()
        await asyncio.sleep(0.2)

    async def remember(event: Event) -> None:
        received.append(event.subject)

    await dying.subscribe(name, [name], die)
    await dying.start()
    await dying.publish(_event(name, "handed over"))
    await taken.wait()
    await cable.cut()
    survivor = RabbitBus(server_url("TEST_RABBITMQ_URL"))
    await survivor.subscribe(name, [name], remember)
    await survivor.start()
    await until(lambda: received)
    await survivor.close()
    assert received == ["handed over"]


async def test_events_whose_consumer_died_come_one_at_a_time_and_new_ones_side_by_side(
    until: Until, broker: tuple[RabbitBus, Any], name: str
) -> None:
    dying, cable = broker
    taken, received = 0, 0
    running, most = 0, 0
    side_by_side = asyncio.Barrier(4)

    async def hold(_event: Event) -> None:
        nonlocal taken
        taken += 1
        await asyncio.sleep(60)

    async def handle(event: Event) -> None:
        nonlocal received, running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        if event.subject == "new":
            await side_by_side.wait()
        running -= 1
        received += 1

    await dying.subscribe(name, [name], hold)
    await dying.start()
    for _ in range(4):
        await dying.publish(_event(name, "held"))
    await until(lambda: taken == 4)
    await cable.cut()
    survivor = RabbitBus(server_url("TEST_RABBITMQ_URL"))
    await survivor.subscribe(name, [name], handle)
    await survivor.start()
    await until(lambda: received == 4)
    assert most == 1
    for _ in range(4):
        await survivor.publish(_event(name, "new"))
    await until(lambda: received == 8)
    await survivor.close()


async def test_a_message_that_is_no_event_is_a_dead_letter_at_once(until: Until, name: str) -> None:
    url = server_url("TEST_RABBITMQ_URL")
    received: list[Event] = []

    async def remember(event: Event) -> None:
        received.append(event)

    bus = RabbitBus(url)
    await bus.subscribe(name, [name], remember)
    await bus.start()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE)
        await exchange.publish(aio_pika.Message(b"not an event"), name)
        grave = await channel.get_queue(f"{name}.events.dead")
        buried: list[bytes] = []

        async def look() -> bool:
            message = await grave.get(fail=False, no_ack=True)
            buried.extend([message.body] if message is not None else [])
            return message is not None

        await until(look)
    await bus.close()
    assert buried == [b"not an event"]
    assert received == []
