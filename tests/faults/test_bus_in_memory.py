"""The bus of a single process under the faults that exist there: it stops for a while, handlers break off."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from fault_consumer import (
    AFTER_COMMIT,
    BEFORE_COMMIT,
    MAX_DELIVERIES,
    POISON,
    RETRY_SECONDS,
    Consumer,
    deliveries,
    effects,
    metadata,
)
from fault_stack import until

from powerauth_core.events import OPERATION_CREATED
from servicekit.bus import Event
from servicekit.bus.memory import InMemoryBus
from servicekit.database import Database
from servicekit.outbox import OutboxRelay, add_event, outbox_table, pending

pytestmark = pytest.mark.faults

SERVICE = "faults"
outbox_table(metadata)


class Interrupted(Exception):
    """Stands for the end of the process that was handling an event."""


class Interruptible(Consumer):
    """Breaks off where the consumer process would be killed, once for each event."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, SERVICE, stumbles=True)
        self.stumbled: set[str] = set()

    async def stumble(self, event: Event) -> None:
        """Break off."""
        if event.id not in self.stumbled:
            self.stumbled.add(event.id)
            raise Interrupted


@dataclass
class World:
    """All parts of a service in one process."""

    database: Database
    bus: InMemoryBus
    consumer: Interruptible
    written: list[str]

    async def write(self, user_id: str = "somebody") -> str:
        """A change and its event; its id."""
        event = Event.create(OPERATION_CREATED, "/powerauth-core", "operation", {"userId": user_id})
        async with self.database.transaction() as session:
            await add_event(session, event)
        self.written.append(event.id)
        return event.id

    async def happened(self) -> Counter[str]:
        """How often the effect of each event happened."""
        return Counter(effect["event_id"] for effect in await effects(self.database))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = Database(f"sqlite:///{tmp_path}/service.sqlite3")
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    bus = InMemoryBus(max_deliveries=MAX_DELIVERIES, retry_seconds=RETRY_SECONDS)
    consumer = Interruptible(database)
    await consumer.subscribe(bus)
    relay = OutboxRelay(database, bus, poll_seconds=0.05)
    await bus.start()
    await relay.start()
    yield World(database, bus, consumer, [])
    await relay.stop()
    await bus.close()
    await database.dispose()


async def _all_happened_once(world: World) -> None:
    async def happened() -> bool:
        return set(world.written) <= (await world.happened()).keys()

    await until(happened, "all effects")
    assert await world.happened() == Counter(world.written)
    assert await pending(world.database) == 0


async def test_a_stopped_bus_stops_nobody_and_no_event_is_lost(world: World) -> None:
    stop = asyncio.Event()

    async def write() -> None:
        for number in count():
            if stop.is_set():
                return
            await world.write(BEFORE_COMMIT if number % 7 == 3 else "somebody")

    async def have_written(more: int) -> None:
        enough = len(world.written) + more
        await until(lambda: len(world.written) >= enough)

    writing = asyncio.create_task(write())
    for _ in range(3):
        await have_written(5)
        await world.bus.drain()
        await have_written(5)
        assert await pending(world.database) > 0
        await world.bus.start()
    stop.set()
    await writing
    await _all_happened_once(world)


@pytest.mark.parametrize("moment", [BEFORE_COMMIT, AFTER_COMMIT])
async def test_a_handler_that_breaks_off_is_repeated_and_its_effect_is_not(world: World, moment: str) -> None:
    event_id = await world.write(moment)
    await until(lambda: _delivered_twice(world, event_id), "the event comes again")
    await world.write()
    await _all_happened_once(world)
    assert world.consumer.stumbled == {event_id}


async def _delivered_twice(world: World, event_id: str) -> bool:
    return await deliveries(world.database, event_id) == 2


async def test_an_event_that_always_fails_is_put_aside_and_holds_nobody_up(world: World) -> None:
    poisoned = await world.write(POISON)
    world.written.clear()
    for _ in range(3):
        await world.write()
    await _all_happened_once(world)
    await until(lambda: world.bus.dead_letters[SERVICE], "a dead letter")
    assert [event.id for event in world.bus.dead_letters[SERVICE]] == [poisoned]
    assert await deliveries(world.database, poisoned) == MAX_DELIVERIES
