"""Periodic work: each job runs on at most one replica at a time (spec/core-api.md §30)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import product

from servicekit import logs, metrics
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.leases import Leases
from servicekit.waiting import set_within

_log = logs.get_logger(__name__)

JITTER = 0.1
"""Share of the period by which a run may come earlier or later."""


_OUTCOMES = ("done", "elsewhere", "unavailable", "failed")
_runs = metrics.counter(
    "job_runs", "Finished runs of periodic jobs", {"name": metrics.JOB, "outcome": _OUTCOMES}
)


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

    def __init__(self, database: Database, jobs: Sequence[Job], *, workers: int = 1) -> None:
        """
        :param workers: processes of this service that share its jobs: each comes as many times less often
        :raises ValueError: when two jobs have one name
        """
        self._database = database
        self._jobs = {job.name: job for job in jobs}
        if len(self._jobs) != len(jobs):
            raise ValueError("two jobs of one name")
        self._workers = workers
        self._leases = Leases(database) if database.dialect == "postgresql" else None
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Run every job now and then, first at a random moment within its period."""
        self._stopping.clear()
        for name, outcome in product(self._jobs, _OUTCOMES):
            _runs.labels(name, outcome)  # from the beginning: the first failure is to be seen as one
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
        :raises LeaseLost: somebody else may run it now; this run was stopped
        :raises DatabaseUnavailable: when the lease cannot be asked for
        """
        job = self._jobs[name]
        if self._leases is None:
            return await self._alone_in_process(job)
        lease = await self._leases.take(name)
        if lease is None:
            return False
        await lease.during(job.run())
        return True

    async def _repeat(self, job: Job) -> None:
        period = job.period_seconds * self._workers
        await set_within(self._stopping, random.uniform(0, period))  # noqa: S311 - spreads load, guards nothing
        while not self._stopping.is_set():
            await self._attempt(job)
            await set_within(self._stopping, period * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    async def _attempt(self, job: Job) -> None:
        try:
            outcome = "done" if await self.run_once(job.name) else "elsewhere"
        except Unavailable as error:
            outcome = "unavailable"
            _log.warning("job put off", job=job.name, reason=str(error))
        except Exception:
            outcome = "failed"
            _log.exception("job failed", job=job.name)
        _runs.labels(job.name, outcome).inc()

    async def _alone_in_process(self, job: Job) -> bool:
        lock = _process_locks.setdefault((str(self._database.url), job.name), asyncio.Lock())
        if lock.locked():
            return False
        async with lock:
            await job.run()
        return True
