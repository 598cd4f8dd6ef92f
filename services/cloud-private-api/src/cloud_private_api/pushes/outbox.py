"""The outbox: an announcement is stored, then sent at once; push's outage delays it and loses nothing.

Whoever stores one has it in memory and sends it; its row is for the case that this fails. Then any process
takes it, from the moment on that the row says.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import datetime

from cloud_private_api.core_client import CoreClient
from cloud_private_api.errors import PushAway, PushUnreachable, UpstreamFailed
from cloud_private_api.push_client import PushClient
from cloud_private_api.pushes import repository, rules, statements
from cloud_private_api.pushes.delivery import deliver
from cloud_private_api.pushes.repository import Claimed
from cloud_private_api.pushes.rules import Announcement, Outcome
from powerauth_contracts.texts import CoreRefused
from servicekit import clock, metrics, tracing
from servicekit.batching import BatchQueue, MicroBatcher, Settled
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.logs import get_logger
from servicekit.waiting import set_within

_log = get_logger(__name__)

POLL_SECONDS = 1.0
"""How often is looked for what other processes, or earlier failures, have left."""
SEND_SECONDS = 10.0
"""How long one announcement may take, the core's part too; the lease is longer."""
_outcomes = metrics.counter(
    "push_outbox", "Announcements to users", {"outcome": [outcome.value for outcome in Outcome]}
)
_oldest = metrics.gauge("push_outbox_oldest_seconds", "Age of the oldest announcement that waits")
_AT_A_TIME = 16
_UNDER_WAY = 200
_STORED_TOGETHER = 64
_SETTLED_TOGETHER = 200
_TIDY_SECONDS = 10.0
"""How often what waits is looked through for what has ended, and for what has waited longest."""
_ENDED_TOGETHER = 1_000


@dataclass(slots=True)
class _Storing:
    """An announcement to store; if it is taken, it is sent in the context of whoever announces it."""

    announcement: Announcement
    due: datetime
    taken: bool
    context: Context

    @property
    def key(self) -> str:
        return self.announcement.id


@dataclass(frozen=True, slots=True)
class _Done:
    id: str
    attempts: int
    outcome: Outcome


class Outbox:
    """What this process, and others before it, owe to users."""

    def __init__(self, database: Database, core: CoreClient, push: PushClient) -> None:
        self._database = database
        self._core = core
        self._push = push
        self._storing: MicroBatcher[_Storing, None] = MicroBatcher(
            self._store, max_size=_STORED_TOGETHER, in_flight=1
        )
        self._settling = BatchQueue(_several, self._settle, in_flight=1)
        self._at_a_time = asyncio.Semaphore(_AT_A_TIME)
        self._under_way: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._away = False
        self._tidied = -math.inf

    async def put(self, announcement: Announcement) -> None:
        """Store an announcement; from the commit on it is sent.

        :raises Unavailable: it could not be stored, or nobody knows
        """
        taken = self._has_room
        now = clock.now()
        due = now + rules.LEASE if taken else now
        await self._storing.submit(_Storing(announcement, due, taken, copy_context()))

    def start(self) -> None:
        """Send, and look for what waits."""
        self._stopping.clear()
        self._watching = asyncio.create_task(self._watch(), name="push outbox")

    async def stop(self, seconds: float) -> None:
        """Take nothing more and let what is under way end; what does not is for others to take."""
        if self._watching is None:
            return
        self._stopping.set()
        self._wake.set()
        await self._watching
        self._watching = None
        await self._storing.close()
        if self._under_way:
            _done, late = await asyncio.wait(self._under_way, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        while self._settling.workers:
            await asyncio.gather(*self._settling.workers)

    async def run_due(self) -> int:
        """Send what is due now and wait for it; how many announcements were taken."""
        found = await self._claimed(_UNDER_WAY)
        await asyncio.gather(*map(self._attempt, found))
        while self._settling.workers:
            await asyncio.gather(*self._settling.workers)
        return len(found)

    @property
    def _has_room(self) -> bool:
        running = self._watching is not None and not self._stopping.is_set()
        return running and not self._away and len(self._under_way) < _UNDER_WAY

    async def _store(self, batch: Sequence[_Storing]) -> list[Settled[None]]:
        await statements.add(self._database, [(item.announcement, item.due) for item in batch])
        for item in batch:
            if item.taken:
                self._begin(item.announcement, item.context)
        return [Settled() for _ in batch]

    def _begin(self, announcement: Announcement, context: Context | None = None) -> None:
        task = asyncio.create_task(self._attempt(announcement), context=context)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if len(self._under_way) == _UNDER_WAY // 2:
            self._wake.set()  # others may have been stored that there was no room for

    async def _attempt(self, announcement: Announcement) -> None:
        async with self._at_a_time:
            outcome = await self._outcome(announcement)
        self._end(announcement.id, announcement.attempts, outcome)

    def _end(self, row_id: str, attempts: int, outcome: Outcome) -> None:
        _outcomes.labels(outcome.value).inc()
        self._settling.put(_Done(row_id, attempts, outcome))

    async def _outcome(self, announcement: Announcement) -> Outcome:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                with tracing.resumed(announcement.traceparent, "announce"):
                    outcome = await deliver(self._core, self._push, announcement)
        except PushUnreachable as error:
            self._heard(away=isinstance(error, PushAway))
            return Outcome.LATER
        except (Unavailable, TimeoutError, UpstreamFailed, CoreRefused) as error:
            _log.warning("announcement put off", id=announcement.id, reason=type(error).__name__)
            return Outcome.LATER
        except Exception:
            _log.exception("announcement not sent", id=announcement.id)
            return Outcome.LATER
        if outcome in (Outcome.EXPIRED, Outcome.OUTDATED):
            _log.warning("announcement came too late", id=announcement.id, outcome=outcome.value)
            if self._away:
                self._wake.set()  # push was not asked, the next one may
        else:
            self._heard(away=False)
        return outcome

    def _heard(self, *, away: bool) -> None:
        """Whether push takes anything: the trouble that it has with one announcement holds up no other."""
        if self._away and not away:
            self._wake.set()
        self._away = away

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            # While push is away one announcement asks whether it still is, the newest, which is the least
            # likely to have ended; one that need not ask it makes room for the next at once.
            limit = 1 if self._away else _UNDER_WAY - len(self._under_way)
            found = await self._found(limit)
            for announcement in found:
                self._begin(announcement)
            if self._away or len(found) < max(limit, 1):
                await set_within(self._wake, POLL_SECONDS)

    async def _found(self, limit: int) -> list[Announcement]:
        try:
            found = await self._claimed(limit) if limit > 0 else []
            await self._tidy(waiting=self._away or bool(found))
        except Unavailable as error:
            _log.warning("push outbox not read", reason=str(error))
        except Exception:
            _log.exception("push outbox not read")
        else:
            return found
        return []

    async def _claimed(self, limit: int) -> list[Announcement]:
        async with self._database.transaction() as session:
            rows = await repository.claim(session, limit, clock.now())
        return [found for row in rows if (found := self._readable(row)) is not None]

    def _readable(self, row: Claimed) -> Announcement | None:
        """What a row announces; one that cannot be read ends and holds up no other."""
        try:
            return rules.read(*row)
        except Exception as error:  # others may have written whatever they like
            _log.error("announcement unreadable", id=row.id, reason=type(error).__name__)
            self._end(row.id, row.attempts, Outcome.REFUSED)
            self._wake.set()
            return None

    async def _tidy(self, *, waiting: bool) -> None:
        """Drop what has ended and measure the rest, now and then: both look at every row."""
        if not waiting:
            _oldest.set(0)
        elif time.monotonic() - self._tidied >= _TIDY_SECONDS:
            async with self._database.transaction() as session:
                ended = await repository.remove_ended(session, _ENDED_TOGETHER, clock.now())
                oldest = await repository.oldest(session)
            _oldest.set(0 if oldest is None else (clock.now() - oldest).total_seconds())
            if ended:
                _outcomes.labels(Outcome.EXPIRED.value).inc(ended)
                _log.warning("announcements came too late", messages=ended, outcome=Outcome.EXPIRED.value)
            if ended < _ENDED_TOGETHER:
                self._tidied = time.monotonic()

    async def _settle(self, batch: list[_Done]) -> None:
        """Write what became of announcements. What cannot be written is tried again when its lease is over;
        what push has taken before it ignores then.
        """
        now = clock.now()
        later = {
            one.id: now + rules.pause_after(one.attempts) for one in batch if one.outcome is Outcome.LATER
        }
        try:
            await self._remove([one.id for one in batch if one.outcome is not Outcome.LATER])
            if later:
                async with self._database.transaction() as session:
                    await repository.postpone(session, later)
        except Unavailable as error:
            _log.warning("outcomes of announcements not written", reason=str(error), messages=len(batch))
        except Exception:
            _log.exception("outcomes of announcements not written")

    async def _remove(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        if self._database.dialect == "postgresql":
            async with self._database.driver() as driver:
                await driver.execute(statements.DELETE, ids)
        else:
            async with self._database.transaction() as session:
                await repository.remove(session, ids)


def _several(waiting: deque[_Done]) -> list[_Done]:
    return [waiting.popleft() for _ in range(min(len(waiting), _SETTLED_TOGETHER))]
