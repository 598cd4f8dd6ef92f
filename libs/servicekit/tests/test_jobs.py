"""Each job runs on one replica at a time, again and again, whatever it raises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from servicekit import metrics
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.jobs import Job, JobRunner
from servicekit.settings import DatabaseSettings

Until = Callable[..., Awaitable[None]]


def _runs(job: str, outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("job_runs_total", {"job": job, "outcome": outcome}) or 0.0


async def test_a_job_runs_again_and_again(database: Database, until: Until) -> None:
    runs = 0

    async def count() -> None:
        nonlocal runs
        runs += 1

    runner = JobRunner(database, [Job("count", 0.01, count)])
    await runner.start()
    await until(lambda: runs >= 3)
    await runner.stop()
    stopped_at = runs
    await asyncio.sleep(0.05)
    assert runs == stopped_at


@pytest.mark.parametrize("error", [RuntimeError("bug"), Unavailable("database")], ids=repr)
async def test_a_failing_job_is_counted_and_runs_again(
    database: Database, until: Until, error: Exception
) -> None:
    name = f"failing-{type(error).__name__}-{database.dialect}"
    runs = 0

    async def fail() -> None:
        nonlocal runs
        runs += 1
        raise error

    runner = JobRunner(database, [Job(name, 0.01, fail)])
    await runner.start()
    await until(lambda: runs >= 3)
    await runner.stop()
    assert _runs(name, "unavailable" if isinstance(error, Unavailable) else "failed") == runs


async def test_a_job_runs_on_one_replica_at_a_time(
    database: Database, database_url: str, database_settings: DatabaseSettings
) -> None:
    replicas = [database, Database(database_url, database_settings)]
    running, most, total = 0, 0, 0
    entered, release = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        nonlocal running, most, total
        running, total = running + 1, total + 1
        most = max(most, running)
        entered.set()
        await release.wait()
        running -= 1

    runners = [JobRunner(replica, [Job("exclusive", 60, work)]) for replica in replicas]
    first = asyncio.create_task(runners[0].run_once("exclusive"))
    await entered.wait()
    assert await runners[1].run_once("exclusive") is False
    release.set()
    assert await first is True
    assert await runners[1].run_once("exclusive") is True
    assert (most, total) == (1, 2)
    await replicas[1].dispose()


async def test_different_jobs_run_side_by_side(database: Database) -> None:
    both = asyncio.Barrier(2)

    async def meet() -> None:
        async with asyncio.timeout(5):
            await both.wait()

    runner = JobRunner(database, [Job("one", 60, meet), Job("two", 60, meet)])
    assert all(await asyncio.gather(runner.run_once("one"), runner.run_once("two")))


async def test_a_failed_run_gives_the_lock_back(database: Database) -> None:
    async def fail() -> None:
        raise RuntimeError("bug")

    runner = JobRunner(database, [Job("fails", 60, fail)])
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await runner.run_once("fails")


async def test_stopping_waits_for_the_run_at_work(database: Database) -> None:
    entered, release, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        entered.set()
        await release.wait()
        finished.set()

    runner = JobRunner(database, [Job("slow", 0.01, slow)])
    await runner.start()
    await entered.wait()
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    release.set()
    await stopping
    assert finished.is_set()


async def test_job_names_are_checked(database: Database) -> None:
    async def nothing() -> None: ...

    with pytest.raises(ValueError, match="one name"):
        JobRunner(database, [Job("same", 1, nothing), Job("same", 1, nothing)])
    with pytest.raises(KeyError):
        await JobRunner(database, []).run_once("unknown")
