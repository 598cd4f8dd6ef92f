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
        locked = self._process_lock(name) if self._database.dialect == "sqlite" else self._server_lock(name)
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

    @asynccontextmanager
    async def _server_lock(self, name: str) -> AsyncGenerator[bool]:
        """An advisory lock of a connection, so that it ends with the process that held it."""
        key = int.from_bytes(hashlib.sha256(f"job:{name}".encode()).digest()[:8], "big", signed=True)
        engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
        connection = engine.connect()
        try:
            await connection.start()
            mine = bool(await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}))
        except (OSError, DBAPIError) as error:
            await connection.close()
            raise translate_error(error) or DatabaseUnavailable("no job lock") from error
        try:
            yield mine
        finally:
            if mine:
                with suppress(OSError, DBAPIError):  # a lost connection has let go of the lock by itself
                    await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
            await connection.close()
