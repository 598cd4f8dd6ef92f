"""Reading from a standby what may be a little old: lists, audits, histories (docs/database.md).

Never what a decision or a write depends on. A standby that is away, too far behind or no standby at all is
left alone, and the primary answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit import logs, metrics
from servicekit.database import Database, DatabaseUnavailable, Dialect
from servicekit.settings import ReplicaSettings
from servicekit.waiting import set_within

_LOOK_SECONDS = 1.0
_NEVER = float("-inf")
_WRITTEN = text("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
_REPLAYED = text("SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint WHERE pg_is_in_recovery()")

_log = logs.get_logger(__name__)
_lag = metrics.gauge(
    "database_replica_lag_seconds", "How far what the standby shows is behind at most; -1: not known"
)
_reads = metrics.counter(
    "database_replica_reads", "Reads that may be a little old", {"served": ("standby", "primary")}
)


class Reader(Protocol):
    """Lends sessions that read: a database, or `ReadDatabase`."""

    dialect: Dialect

    def read(self) -> AbstractAsyncContextManager[AsyncSession]: ...


class ReadDatabase:
    """A standby while it is of use, else its primary.

    How far it is behind is told by the primary's own log: the standby has everything up to the newest moment
    at which the primary had not written more than the standby has replayed. No clocks are compared.
    """

    def __init__(self, primary: Database, standby: Database | None, max_lag_seconds: float) -> None:
        """
        :param standby: a server that follows; None: there is none
        :param max_lag_seconds: a standby that may be further behind is not read from
        """
        self.standby = standby
        self.dialect: Dialect = primary.dialect
        self._primary = primary
        self._max_lag = max_lag_seconds
        self._written: deque[tuple[float, int]] = deque(maxlen=int(max_lag_seconds / _LOOK_SECONDS) + 2)
        self._as_of = _NEVER
        self._stopping = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, primary: Database, settings: ReplicaSettings, application_name: str) -> ReadDatabase:
        """As the settings say.

        :raises StartRefused: a file that the URL names cannot be used
        """
        url = settings.read_database_url.get_secret_value()
        standby = Database(url, primary.settings, application_name=application_name) if url else None
        if standby is not None:
            # Listeners of the mapper judge its rows as those of the primary.
            standby.session_info = primary.session_info
        return cls(primary, standby, settings.read_database_max_lag_seconds)

    async def start(self) -> None:
        """Look at the standby now, and from now on."""
        if self.standby is not None:
            await self.look()
            self._watching = asyncio.create_task(self._watch(), name="standby")

    async def stop(self) -> None:
        """Look no more, and close its connections."""
        self._stopping.set()
        if self._watching is not None:
            await self._watching
        if self.standby is not None:
            await self.standby.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A session as `Database.read`, on the standby if it is of use.

        :raises DatabaseUnavailable: neither can be read from, or the standby went away in the block: run
            again, it is the primary that answers
        """
        standby = self.standby if time.monotonic() - self._as_of <= self._max_lag else None
        try:
            async with AsyncExitStack() as stack:
                yield await self._enter(stack, standby)
        except DatabaseUnavailable:
            if standby is not None:
                self._leave("a read failed")
            raise

    async def _enter(self, stack: AsyncExitStack, standby: Database | None) -> AsyncSession:
        if standby is not None:
            try:
                session = await stack.enter_async_context(standby.read())
            except DatabaseUnavailable as error:
                self._leave(str(error))
            else:
                _reads.labels("standby").inc()
                return session
        if self.standby is not None:
            _reads.labels("primary").inc()
        return await stack.enter_async_context(self._primary.read())

    async def look(self) -> None:
        """Find out up to when the standby has everything."""
        assert self.standby is not None
        try:
            moment = time.monotonic()
            async with self._primary.read() as session:
                written: int = await session.scalar(_WRITTEN)
            self._written.append((moment, written))
        except (DatabaseUnavailable, DBAPIError) as error:
            # Not the standby's fault: it has what it had.
            _log.warning("standby not compared", reason=type(error).__name__)
        try:
            async with self.standby.read() as session:
                replayed: int | None = await session.scalar(_REPLAYED)
        except (DatabaseUnavailable, DBAPIError) as error:
            self._leave(type(error).__name__)
            return
        if replayed is None:
            self._leave("it follows nobody")
            return
        reached = [moment for moment, written in self._written if written <= replayed]
        if reached:
            self._as_of = max(self._as_of, reached[-1])
        known = self._as_of != _NEVER
        _lag.set(time.monotonic() - self._as_of if known else -1)

    def _leave(self, reason: str) -> None:
        if self._as_of != _NEVER:
            _log.warning("standby left alone", reason=reason)
        self._as_of = _NEVER
        _lag.set(-1)

    async def _watch(self) -> None:
        while not await set_within(self._stopping, _LOOK_SECONDS):
            await self.look()
