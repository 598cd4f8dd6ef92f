"""Writes the rows that attempts which count nothing share (D15): when a minute is over, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from datetime import datetime, timedelta

from powerauth_core.audit.chain.streams import Streams
from powerauth_core.verification import audit
from powerauth_core.verification.samples import Repeated, Samples
from powerauth_core.verification.store import Left, Store
from servicekit import clock
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

log = get_logger(__name__)

PAUSE_SECONDS = 60.0
ROWS_AT_ONCE = 500


class RepeatedAttempts:
    """What `samples` counts, and its way into the audit."""

    def __init__(self, streams: Streams, store: Store) -> None:
        self.samples = Samples(self._wake)
        self._streams = streams
        self._store = store
        self._writing = asyncio.Lock()
        self._later: asyncio.Task[None] | None = None

    async def write(self, now: datetime) -> None:
        """Write the rows of the minutes before `now`.

        :raises Unavailable: the database cannot be reached; they stay for the next time
        """
        async with self._writing:
            while rows := self.samples.finished(now)[:ROWS_AT_ONCE]:
                await self._write(rows)
                self.samples.written(rows)

    async def close(self) -> None:
        """Write everything: no more attempts will join those of this minute."""
        if self._later is not None:
            async with self._writing:  # what is being written comes to its end
                self._later.cancel()
        try:
            await self.write(clock.now() + timedelta(minutes=1))
        except Unavailable as error:
            log.error("repeated_attempts_not_audited", reason=str(error))

    def _wake(self) -> None:
        """See to it that what is counted will be written."""
        if self._later is None:
            # It is not of the request that made it start, but of all.
            self._later = asyncio.create_task(self._write_later(), context=Context())

    async def _write(self, rows: Sequence[Repeated]) -> None:
        async with self._streams.turn() as turn:
            records = [audit.repeated_record(row, turn.now) for row in rows]
            chained = turn.chain([record.signature for record in records])
            async with self._store.open(turn, {}) as held:
                await held.write(Left([], records, chained), ())
            turn.committed()

    async def _write_later(self) -> None:
        while self.samples:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self.write(clock.now())
            except Unavailable as error:
                log.warning("repeated_attempts_wait", reason=str(error))
            except Exception:
                log.exception("repeated_attempts_wait")
        self._later = None
