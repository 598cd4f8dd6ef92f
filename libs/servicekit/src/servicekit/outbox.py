"""The transactional outbox: a change and its event commit together, a relay publishes later (design §6)."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Column, MetaData, String, Table, Text, column, delete, literal_column, select
from sqlalchemy import table as sql_table
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.json_text import read_json
from servicekit import clock, logs, metrics, tracing
from servicekit.additions import Additions, Target
from servicekit.bus import Bus, BusUnavailable, Event
from servicekit.database import BigIntPk, Database, UtcTimestamp
from servicekit.errors import Unavailable
from servicekit.waiting import set_within

_log = logs.get_logger(__name__)

TABLE_NAME = "outbox_event"
CHANNEL = "outbox_event"
"""PostgreSQL notification channel: says that there is something to publish."""

BATCH = 100
POLL_SECONDS = 5.0
POOLED_POLL_SECONDS = 1.0
"""Behind a pooler, through which no notification comes."""
LONGEST_PAUSE_SECONDS = 30.0
LISTENS_AFTER_SECONDS = 1.0
"""From the start, which has enough to do. What others commit until then is found when it listens."""
LINGER_SECONDS = 0.01
"""Events that commit so soon after the first are published with it."""
LONGEST_LINGER_SECONDS = 0.05
LINGER_PER_WORK = 4
"""A relay that is busy lingers for so many times as long as its last batch took: more events go together."""

_published = metrics.counter("outbox_published", "Events confirmed by the broker", {"type": metrics.EVENT})
_failures = metrics.counter("outbox_failures", "Batches that could not be published")
_oldest = metrics.gauge(
    "outbox_oldest_seconds", "Age of the oldest event not yet published", {"database": metrics.DATABASE}
)

_outbox = sql_table(
    TABLE_NAME,
    column("seq"),
    column("id"),
    column("type"),
    column("source"),
    column("subject"),
    column("data"),
    column("timestamp_created", UtcTimestamp()),
    column("traceparent"),
)

_COLUMNS = {
    "id": "varchar",
    "type": "varchar",
    "source": "varchar",
    "subject": "varchar",
    "data": "text",
    "timestamp_created": "timestamp",
    "traceparent": "varchar",
}
_ADDED = Target(TABLE_NAME, _COLUMNS)
# Delivered at commit, to the relays of all replicas.
_ADDED_AND_NOTIFIED = Target(TABLE_NAME, _COLUMNS, effect=f"pg_notify('{CHANNEL}', '')")

_CLAIM = f"""SELECT seq, id, type, source, subject, data, timestamp_created, traceparent
FROM {TABLE_NAME}
ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED"""  # noqa: S608 our name
# The commit need not reach the disk before anything else: what a crash brings back is published again, as if
# the relay had stopped a moment earlier.
_DELETE = f"""DELETE FROM {TABLE_NAME} USING (SELECT set_config('synchronous_commit', 'off', true)) quickly
WHERE seq = ANY($1::bigint[])"""  # noqa: S608 our name

# Relays of this process, by database URL: a commit here wakes them without a round trip.
_relays: defaultdict[str, set[asyncio.Event]] = defaultdict(set)


def outbox_table(metadata: MetaData) -> Table:
    """``outbox_event`` in a service's metadata: what waits to be published, in order of ``seq``."""
    return Table(
        TABLE_NAME,
        metadata,
        Column("seq", BigIntPk, primary_key=True, autoincrement=True, doc="Order of publication."),
        Column("id", String(37), nullable=False, unique=True, doc="Id of the event."),
        Column("type", String(128), nullable=False, doc="Type of the event."),
        Column("source", String(255), nullable=False, doc="Who tells of it."),
        Column("subject", String(255), nullable=False, doc="What it is about."),
        Column("data", Text, nullable=False, doc="JSON of the event."),
        Column("timestamp_created", UtcTimestamp, nullable=False),
        Column("traceparent", String(55), doc="Of the trace in which it came about, if that is recorded."),
    )


async def add_event(session: AsyncSession, event: Event) -> None:
    """Write the event into the session's transaction; it is published after the commit, or never."""
    additions = Additions.of(session)
    put_event(additions, event)
    await additions.write(session)


def put_event(additions: Additions, event: Event) -> None:
    """The same for a transaction that adds more."""
    url = additions.database.address
    data = json_bytes(event.data).decode()
    row = (event.id, event.type, event.source, event.subject, data, event.time, event.traceparent)
    if _relays.get(url):
        additions.add(_ADDED, row)
        additions.after_commit(lambda: _wake(url))
    else:
        # It holds a lock that all notifying commits share: only for what nobody here publishes.
        additions.add(_ADDED_AND_NOTIFIED, row)


def _wake(url: str) -> None:
    for waiting in _relays.get(url, ()):
        waiting.set()


class _Row(NamedTuple):
    seq: int
    id: str
    type: str
    source: str
    subject: str
    data: str
    timestamp_created: datetime
    traceparent: str | None

    def event(self) -> Event:
        data = read_json(self.data)
        return Event(
            self.id, self.type, self.source, self.subject, self.timestamp_created, data, self.traceparent
        )


class OutboxRelay:
    """Publishes what the outbox holds, deletes what the broker confirmed. Every replica may run one."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        batch: int = BATCH,
        poll_seconds: float | None = None,
        listen: bool = True,
    ) -> None:
        """
        :param batch: events claimed at a time
        :param poll_seconds: how often to look even when nothing wakes the relay
        :param listen: hear PostgreSQL's notifications on a connection of its own; never behind a pooler
        """
        pooled = database.settings.database_transaction_pooler
        self._database = database
        self._bus = bus
        self._batch = batch
        self._poll_seconds = poll_seconds or (POOLED_POLL_SECONDS if pooled else POLL_SECONDS)
        self._listen = listen and database.dialect == "postgresql" and not pooled
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._linger = LINGER_SECONDS
        self._tasks: list[asyncio.Task[None]] = []
        self._oldest = _oldest.labels(str(database.url.database))

    async def start(self) -> None:
        """Publish in the background."""
        self._stopping.clear()
        self._wake.set()
        _relays[self._database.address].add(self._wake)
        self._tasks = [asyncio.create_task(self._publish_forever(), name="outbox relay")]
        if self._listen:
            self._tasks.append(asyncio.create_task(self._listen_forever(), name="outbox listener"))

    async def stop(self) -> None:
        """Finish the batch at hand and stop."""
        _relays[self._database.address].discard(self._wake)
        self._stopping.set()
        self._wake.set()
        if self._tasks:
            await self._tasks[0]
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks[1:], return_exceptions=True)
        self._tasks = []

    async def run_once(self) -> int:
        """Publish up to one batch; the number of events confirmed.

        :raises BusUnavailable: at least one event was not confirmed; the confirmed ones are deleted
        """
        on_postgresql = self._database.dialect == "postgresql"
        rows, confirmed = await (self._by_driver() if on_postgresql else self._by_session())
        if confirmed < rows:
            raise BusUnavailable(f"{rows - confirmed} of {rows} events not confirmed")
        return confirmed

    async def _by_driver(self) -> tuple[int, int]:
        """Number of events claimed and confirmed, in one transaction. Past SQLAlchemy: this runs as often as
        anything changes.
        """
        async with self._database.driver() as driver, driver.transaction():
            rows = [_Row(*row) for row in await driver.fetch(_CLAIM, self._batch)]
            confirmed = await self._publish(rows)
            if confirmed:
                await driver.execute(_DELETE, confirmed)
        return len(rows), len(confirmed)

    async def _by_session(self) -> tuple[int, int]:
        """The same on SQLite, whose one writer's place must not be held while the broker takes its time."""
        statement = select(*_outbox.c).order_by(_outbox.c.seq).limit(self._batch)
        async with self._database.read() as session:
            rows = [_Row(*row) for row in await session.execute(statement)]
        confirmed = await self._publish(rows)
        if confirmed:
            async with self._database.transaction() as session:
                await session.execute(delete(_outbox).where(_outbox.c.seq.in_(confirmed)))
        return len(rows), len(confirmed)

    async def _publish(self, rows: Sequence[_Row]) -> list[int]:
        """Publish in order, wait for the confirmations together; the ``seq`` of what was confirmed."""
        outcomes = await asyncio.gather(
            *(self._publish_one(row.event()) for row in rows), return_exceptions=True
        )
        confirmed = []
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome is None:
                confirmed.append(row.seq)
                _published.labels(row.type).inc()
            elif not isinstance(outcome, BusUnavailable):
                raise outcome
        return confirmed

    async def _publish_one(self, event: Event) -> None:
        with tracing.resumed(event.traceparent, "publish", tracing.Kind.PRODUCER, event.type):
            await self._bus.publish(event)

    async def _publish_forever(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            try:
                if self._bus.connected:
                    self._wake.clear()
                    await self._publish_all()
                    self._oldest.set(0)
                else:
                    await self._observe_age()
                pause = self._poll_seconds
            except (BusUnavailable, Unavailable) as error:
                _failures.inc()
                _log.warning("events wait in the outbox", reason=str(error))
                pause = min(max(pause, 1.0) * 2, LONGEST_PAUSE_SECONDS)
                self._wake.clear()
                with suppress(Unavailable):
                    await self._observe_age()
            except Exception:
                _failures.inc()
                _log.exception("outbox relay failed")
                pause = LONGEST_PAUSE_SECONDS
                self._wake.clear()
            await self._sleep(pause)

    async def _publish_all(self) -> None:
        started = time.monotonic()
        while await self.run_once() >= self._batch and not self._stopping.is_set():
            started = time.monotonic()
        took = time.monotonic() - started
        self._linger = min(max(LINGER_SECONDS, LINGER_PER_WORK * took), LONGEST_LINGER_SECONDS)

    async def _observe_age(self) -> None:
        oldest = select(_outbox.c.timestamp_created).order_by(_outbox.c.seq).limit(1)
        async with self._database.read() as session:
            created = await session.scalar(oldest)
        self._oldest.set(0 if created is None else (clock.now() - created).total_seconds())

    async def _sleep(self, seconds: float) -> None:
        if self._stopping.is_set():
            return
        if await set_within(self._wake, seconds) and not self._stopping.is_set():
            await asyncio.sleep(self._linger)

    async def _listen_forever(self) -> None:
        """Keep one connection outside the pool that hears of the other processes' commits."""
        pause = 1.0
        await asyncio.sleep(LISTENS_AFTER_SECONDS)
        while not self._stopping.is_set():
            try:
                await self._listen_until_closed()
                pause = 1.0
            except Exception as error:  # the poll goes on meanwhile
                _log.warning("outbox listener disconnected", reason=f"{type(error).__name__}: {error}")
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _listen_until_closed(self) -> None:
        import asyncpg  # noqa: PLC0415 - only where there is PostgreSQL

        settings = self._database.settings
        options = self._database.engine.dialect.create_connect_args(self._database.url)[1]
        closed = asyncio.Event()
        connection = await asyncpg.connect(
            **options,
            timeout=settings.database_connect_timeout_seconds,
            server_settings={"application_name": "outbox listener"},
        )
        try:
            connection.add_termination_listener(lambda _connection: closed.set())
            await connection.add_listener(CHANNEL, lambda *_notification: self._wake.set())
            self._wake.set()
            # Not for ever: a server that a failover left behind tells of nothing.
            await set_within(closed, settings.database_connection_max_age_seconds)
        finally:
            await connection.close(timeout=2)


async def pending(database: Database) -> int:
    """How many events wait."""
    async with database.read() as session:
        return int(await session.scalar(select(literal_column("count(*)")).select_from(_outbox)) or 0)
