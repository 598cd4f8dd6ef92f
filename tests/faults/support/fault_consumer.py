"""A service that consumes events, as a process that can be killed: its effects are rows of its own database.

python fault_consumer.py BUS_URL DATABASE_URL SERVICE [--stumbles]
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, insert, select

from powerauth_core.events import ACTIVATION_STATUS_CHANGED, OPERATION_CREATED, OPERATION_STATUS_CHANGED
from servicekit.bus import Bus, Event
from servicekit.bus.rabbitmq import RabbitBus
from servicekit.database import Database, UtcTimestamp
from servicekit.inbox import handle_once, inbox_table
from servicekit.logs import configure_logging
from servicekit.testing import PATIENCE_SECONDS

TYPES = (ACTIVATION_STATUS_CHANGED, OPERATION_CREATED, OPERATION_STATUS_CHANGED)
MAX_DELIVERIES = 3
RETRY_SECONDS = 0.01

BEFORE_COMMIT, AFTER_COMMIT, POISON, DEADLY = "before-commit", "after-commit", "poison", "deadly"
"""Users whose events make the consumer stop at a moment of the handling, always fail, or die."""

metadata = MetaData()
inbox_table(metadata)
_delivery = Table(
    "delivery", metadata, Column("number", Integer, primary_key=True), Column("event_id", String(37))
)
_effect = Table(
    "effect",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("event_id", String(37)),
    Column("type", String(128)),
    Column("subject", String(255)),
    Column("time", UtcTimestamp),
    Column("data", JSON),
)


class Poisoned(Exception):
    """An event that cannot be handled."""


class Consumer:
    """Handles each event once, whatever happens in between.

    :param stumbles: stop for ever at the marked moments, to be killed there
    """

    def __init__(self, database: Database, service: str, *, stumbles: bool = False) -> None:
        self._database = database
        self._service = service
        self.stumbles = stumbles

    async def subscribe(self, bus: Bus) -> None:
        """Consume from the service's queue."""
        await bus.subscribe(self._service, TYPES, self.handle)

    async def handle(self, event: Event) -> None:
        """One delivery."""
        async with self._database.transaction() as session:
            await session.execute(insert(_delivery).values(event_id=event.id))
        if event.data.get("userId") == POISON:
            raise Poisoned
        if event.data.get("userId") == DEADLY:
            os._exit(1)
        async with self._database.transaction() as session:
            if not await handle_once(session, event, self._service):
                return
            values = {"type": event.type, "subject": event.subject, "time": event.time}
            await session.execute(insert(_effect).values(event_id=event.id, data=dict(event.data), **values))
            await self._maybe_stumble(event, BEFORE_COMMIT)
        await self._maybe_stumble(event, AFTER_COMMIT)

    async def _maybe_stumble(self, event: Event, moment: str) -> None:
        if self.stumbles and event.data.get("userId") == moment:
            await self.stumble(event)

    async def stumble(self, event: Event) -> None:
        """Say so, and wait for the end."""
        _say(f"stumbled {event.id}")
        await asyncio.Event().wait()


async def create_tables(database: Database) -> None:
    """What a consumer needs."""
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


async def effects(database: Database) -> list[dict[str, Any]]:
    """What the events caused, in order."""
    async with database.read() as session:
        rows = await session.execute(select(_effect).order_by(_effect.c.number))
        return [dict(row) for row in rows.mappings()]


async def deliveries(database: Database, event_id: str) -> int:
    """How often an event was given to a consumer."""
    async with database.read() as session:
        statement = select(_delivery.c.number).where(_delivery.c.event_id == event_id)
        return len((await session.execute(statement)).all())


class ConsumerProcess:
    """A consumer in a process of its own."""

    def __init__(self, bus_url: str, database_url: str, service: str) -> None:
        self._arguments = (bus_url, database_url, service)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *options: str) -> None:
        """Start it and wait until it consumes."""
        await self.launch(*options)
        assert await self.line() == "ready"

    async def launch(self, *options: str) -> None:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, *self._arguments, *options, stdout=asyncio.subprocess.PIPE
        )

    async def death(self) -> int:
        """Wait until it has ended by itself; its exit status."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._process.wait()

    async def line(self) -> str:
        """The next line that it prints."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self._process.stdout.readline()).decode().strip():
                if not line.startswith("{"):  # its log
                    return line
        raise AssertionError("the consumer ended")

    async def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def consuming(
    bus_url: str, database_url: str, service: str, *options: str
) -> AsyncIterator[ConsumerProcess]:
    """A consumer process while the block runs."""
    consumer = ConsumerProcess(bus_url, database_url, service)
    try:
        await consumer.start(*options)
        yield consumer
    finally:
        await consumer.kill()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def _run(bus_url: str, database_url: str, service: str, *options: str) -> None:
    configure_logging("consumer", "WARNING", json=True)
    database = Database(database_url)
    bus = RabbitBus(bus_url, max_deliveries=MAX_DELIVERIES, retry_seconds=RETRY_SECONDS)
    await Consumer(database, service, stumbles="--stumbles" in options).subscribe(bus)
    await bus.start()
    _say("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
