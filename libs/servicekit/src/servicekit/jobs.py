"""Periodic work: each job runs on at most one replica at a time (spec/core-api.md §30)."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from servicekit import logs, metrics
from servicekit.database import Database, DatabaseUnavailable, translate_error
from servicekit.errors import Unavailable

_log = logs.get_logger(__name__)

JITTER = 0.1
"""Share of the period by which a run may come earlier or later."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work to repeat. ``run`` should do a bounded amount at a time and commit as it goes."""

    name: str
    period_seconds: float
    run: Callable[[], Awaitable[object]]


# SQLite belongs to one process: its locks are the process's.
_process_locks: dict[tuple[str, str], asyncio.Lock] = {}


class JobRunner:
    """Runs the jobs of one service on one database."""

    def __init__(self, database: Database, jobs: Sequence[Job]) -> None:
        """
        :raises ValueError: when two jobs have one name
        """
        self._database = database
        self._jobs = {job.name: job for job in jobs}
        if len(self._jobs) != len(jobs):
            raise ValueError("two jobs of one name")
        self._server_locks = _ServerLocks(database) if database.dialect == "postgresql" else None
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._runs = metrics.counter("job_runs", "Finished runs of periodic jobs", ["job", "outcome"])

    async def start(self) -> None:
        """Run every job now and then, first at a random moment within its period."""
        self._stopping.clear()
        self._tasks = [
            asyncio.create_task(self._repeat(job), name=f"job {job.name}") for job in self._jobs.values()
        ]

    async def stop(self) -> None:
        """Let the runs at work finish, start no more."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        self._tasks = []

    async def run_once(self, name: str) -> bool:
        """Run a job now; ``False`` when another replica is running it.

        :raises KeyError: for an unknown job
        :raises DatabaseUnavailable: when the lock cannot be asked for
        """
        job = self._jobs[name]
        async with self._lock(name) as mine:
            if mine:
                await job.run()
            return mine

    async def _repeat(self, job: Job) -> None:
        await self._pause(random.uniform(0, job.period_seconds))  # noqa: S311 - spreads load, guards nothing
        while not self._stopping.is_set():
            await self._attempt(job)
            await self._pause(job.period_seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    async def _attempt(self, job: Job) -> None:
        try:
            outcome = "done" if await self.run_once(job.name) else "elsewhere"
        except Unavailable as error:
            outcome = "unavailable"
            _log.warning("job put off", job=job.name, reason=str(error))
        except Exception:
            outcome = "failed"
            _log.exception("job failed", job=job.name)
        self._runs.labels(job.name, outcome).inc()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    @asynccontextmanager
    async def _lock(self, name: str) -> AsyncGenerator[bool]:
        locked = self._process_lock(name) if self._server_locks is None else self._server_locks.hold(name)
        async with locked as mine:
            yield mine

    @asynccontextmanager
    async def _process_lock(self, name: str) -> AsyncGenerator[bool]:
        lock = _process_locks.setdefault((str(self._database.url), name), asyncio.Lock())
        if lock.locked():
            yield False
            return
        async with lock:
            yield True


class _ServerLocks:
    """Advisory locks of PostgreSQL, all held by one connection, so that they end with the process.

    One, because as many as there are jobs could leave a small pool without any for the jobs' own work.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: AsyncConnection | None = None
        self._held: set[str] = set()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncGenerator[bool]:
        """Whether the block has the lock.

        :raises DatabaseUnavailable: the lock cannot be asked for
        """
        async with self._turn:
            mine = await self._take(name)
        try:
            yield mine
        finally:
            if mine:
                async with self._turn:
                    await self._give_back(name)

    async def _take(self, name: str) -> bool:
        if name in self._held:
            return False
        try:
            if self._connection is None:
                self._connection = await self._engine.connect()
            statement = text("SELECT pg_try_advisory_lock(:key)")
            mine = bool(await self._connection.scalar(statement, {"key": _key(name)}))
        except Exception as error:
            # What the lost connection held is free now, for this process too.
            await self._disconnect(lost=True)
            if isinstance(error, OSError):
                raise DatabaseUnavailable(f"database connection failed: {type(error).__name__}") from error
            raise translate_error(error) or error from error
        if mine:
            self._held.add(name)
        elif not self._held:
            await self._disconnect()
        return mine

    async def _give_back(self, name: str) -> None:
        self._held.discard(name)
        if self._connection is None:
            return
        try:
            await self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _key(name)})
        except (OSError, DBAPIError) as error:
            # The lock must not stay with a connection that goes back to the pool.
            _log.warning("job lock not given back", job=name, reason=type(error).__name__)
            await self._disconnect(lost=True)
        else:
            if not self._held:
                await self._disconnect()

    async def _disconnect(self, *, lost: bool = False) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(OSError, DBAPIError):
            if lost:
                await connection.invalidate()
            await connection.close()


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"job:{name}".encode()).digest()[:8], "big", signed=True)
