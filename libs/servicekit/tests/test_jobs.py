"""Each job runs on one replica at a time, again and again, whatever it raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest
from sqlalchemy import MetaData, text

from servicekit import metrics
from servicekit.database import Database, DatabaseUnavailable, normalised_url
from servicekit.errors import Unavailable
from servicekit.jobs import Job, JobRunner
from servicekit.leases import LeaseLost, Leases, lease_table
from servicekit.settings import DatabaseSettings
from servicekit.testing import PATIENCE_SECONDS, fresh_database

if TYPE_CHECKING:
    from libs.servicekit.tests.conftest import LayCable


Until = Callable[..., Awaitable[None]]


async def _make_table(database: Database) -> None:
    metadata = MetaData()
    lease_table(metadata)
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


@pytest.fixture
async def database(database: Database) -> Database:
    """An empty one but for the leases."""
    await _make_table(database)
    return database


def _runs(job: str, outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("job_runs_total", {"name": job, "outcome": outcome}) or 0.0


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


async def test_a_job_that_never_failed_is_known_to_have_not(database: Database) -> None:
    async def nothing() -> None: ...

    name = f"never failed {database.dialect}"
    runner = JobRunner(database, [Job(name, 60, nothing)])
    await runner.start()
    await runner.stop()
    assert metrics.REGISTRY.get_sample_value("job_runs_total", {"name": name, "outcome": "failed"}) == 0


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
        async with asyncio.timeout(PATIENCE_SECONDS):
            await both.wait()

    runner = JobRunner(database, [Job("one", 60, meet), Job("two", 60, meet)])
    assert all(await asyncio.gather(runner.run_once("one"), runner.run_once("two")))


async def test_jobs_at_work_leave_a_small_pool_to_their_work(tmp_path: Path) -> None:
    settings = DatabaseSettings(
        database_pool_size=2, database_max_overflow=0, database_pool_timeout_seconds=PATIENCE_SECONDS / 10
    )
    async with fresh_database("postgresql", tmp_path) as url:
        database = Database(url, settings)
        await _make_table(database)
        all_there = asyncio.Barrier(4)

        async def work() -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await all_there.wait()
            await database.ping()

        names = [f"job-{number}" for number in range(4)]
        runner = JobRunner(database, [Job(name, 60, work) for name in names])
        assert all(await asyncio.gather(*map(runner.run_once, names)))
        await database.dispose()


async def test_a_job_is_put_off_while_the_database_is_away_and_runs_when_it_is_back(
    until: Until, tmp_path: Path, lay_cable: LayCable, database_settings: DatabaseSettings
) -> None:
    name = f"put-off-{token_hex(6)}"
    runs = 0

    async def count() -> None:
        nonlocal runs
        runs += 1

    async with fresh_database("postgresql", tmp_path) as url:
        address = normalised_url(url)
        cable = await lay_cable(address.host, address.port)
        database = Database(address.set(port=cable.port).render_as_string(False), database_settings)
        await _make_table(database)
        runner = JobRunner(database, [Job(name, 0.01, count)])
        await runner.start()
        await until(lambda: runs)
        await cable.cut()
        await until(lambda: _runs(name, "unavailable") >= 3)
        before = runs
        await cable.mend()
        await until(lambda: runs > before)
        await runner.stop()
        await database.dispose()
    assert _runs(name, "failed") == 0


@pytest.fixture
async def postgres(tmp_path: Path, database_settings: DatabaseSettings) -> AsyncGenerator[Database]:
    """A database with leases."""
    async with fresh_database("postgresql", tmp_path) as url:
        opened = Database(url, database_settings)
        await _make_table(opened)
        yield opened
        await opened.dispose()


async def _execute(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement))


_EXPIRE = "UPDATE job_lease SET valid_until = valid_until - interval '1 day'"


async def test_a_lease_is_one_owners_until_it_is_given_back_or_expires(postgres: Database) -> None:
    leases = Leases(postgres, seconds=3600)
    first = await leases.take("work")
    assert first is not None
    assert await leases.take("work") is None
    assert await leases.take("other work") is not None
    await _execute(postgres, _EXPIRE)
    second = await leases.take("work")
    assert second is not None
    ran = []

    async def work() -> None:
        ran.append(True)

    # The first owner comes late: it gives nothing back that is not its own.
    await first.during(work())
    assert await leases.take("work") is None
    await second.during(work())
    assert await leases.take("work") is not None
    assert ran == [True, True]


class _Deaf:
    """A database whose next answer is lost on the way."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.loses = True

    @asynccontextmanager
    async def driver(self) -> AsyncGenerator[_Deaf]:
        async with self._database.driver() as self._driver:
            yield self

    async def fetchval(self, *asked: Any) -> Any:
        found = await self._driver.fetchval(*asked)
        if self.loses:
            self.loses = False
            raise DatabaseUnavailable("lost")
        return found


async def test_a_lease_whose_answer_was_lost_need_not_expire_first(postgres: Database) -> None:
    leases = Leases(cast(Database, _Deaf(postgres)), seconds=3600)
    with pytest.raises(DatabaseUnavailable):
        await leases.take("work")
    assert await Leases(postgres).take("work") is None
    assert await leases.take("work") is not None
    assert await leases.take("work") is None


async def test_a_lease_is_renewed_while_the_work_goes_on(postgres: Database, until: Until) -> None:
    lease = await Leases(postgres, seconds=0.5).take("work")
    assert lease is not None
    ends: set[float] = set()

    async def work() -> None:
        async def renewed() -> bool:
            ends.add(lease.valid_until)
            return len(ends) > 4

        await until(renewed)

    await lease.during(work())


@pytest.mark.parametrize(
    "loss", ["UPDATE job_lease SET owner = 'somebody else'", "DELETE FROM job_lease", "DROP TABLE job_lease"]
)
async def test_a_lost_lease_stops_the_work(postgres: Database, loss: str) -> None:
    lease = await Leases(postgres, seconds=0.5).take("work")
    assert lease is not None
    stopped = asyncio.Event()

    async def work() -> None:
        await _execute(postgres, loss)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with pytest.raises((LeaseLost, asyncpg.UndefinedTableError)):
        await lease.during(work())
    assert stopped.is_set()


async def test_work_stops_when_the_database_is_away_for_longer_than_the_lease(
    postgres: Database, lay_cable: LayCable, database_settings: DatabaseSettings
) -> None:
    cable = await lay_cable(postgres.url.host, postgres.url.port)
    database = Database(postgres.url.set(port=cable.port).render_as_string(False), database_settings)
    lease = await Leases(database, seconds=0.5).take("work")
    assert lease is not None

    async def work() -> None:
        await cable.cut()
        await asyncio.Event().wait()

    with pytest.raises(LeaseLost):
        await lease.during(work())
    await database.dispose()


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


async def test_workers_share_the_runs_of_a_period(
    database: Database, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[tuple[float, float]] = []

    def earliest(low: float, high: float) -> float:
        bounds.append((low, high))
        return low / 1_000_000

    async def nothing() -> None: ...

    monkeypatch.setattr("random.uniform", earliest)
    runner = JobRunner(database, [Job("shared", 20, nothing)], workers=3)
    await runner.start()
    await until(lambda: len(bounds) >= 2)
    await runner.stop()
    assert bounds[0] == (0, 60)
