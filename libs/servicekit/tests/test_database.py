"""Transactions, locks and failures, on both dialects and with real concurrent sessions."""
# ruff: noqa: PT012 - what raises here is the whole block of a context manager

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit import units
from servicekit.database import (
    BigIntPk,
    Database,
    DatabaseUnavailable,
    UtcTimestamp,
    after_commit,
    for_update,
    insert_ignore,
    normalised_url,
)
from servicekit.errors import DataRefused, ServiceError
from servicekit.settings import DatabaseSettings
from servicekit.testing import fresh_database

if TYPE_CHECKING:
    from libs.servicekit.tests.conftest import Cable, LayCable


metadata = MetaData()
account = Table(
    "account",
    metadata,
    Column("id", BigIntPk, primary_key=True, autoincrement=True),
    Column("name", String(10), nullable=False, unique=True),
    Column("balance", Integer, nullable=False, default=0),
    Column("changed", UtcTimestamp),
)
child = Table("child", metadata, Column("account_id", ForeignKey("account.id"), primary_key=True))


class Refused(ServiceError):
    code = "REFUSED"


@pytest.fixture
async def bank(database: Database) -> Database:
    """Two accounts, ``a`` and ``b``."""
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    async with database.transaction() as session:
        await session.execute(insert(account), [{"name": "a"}, {"name": "b"}])
    return database


async def _balance(database: Database, name: str = "a") -> int:
    async with database.read() as session:
        return int(await session.scalar(select(account.c.balance).where(account.c.name == name)) or 0)


async def _add(session: AsyncSession, amount: int, name: str = "a") -> None:
    await session.execute(
        update(account).where(account.c.name == name).values(balance=account.c.balance + amount)
    )


async def test_a_transaction_commits_at_the_end_of_its_block(bank: Database) -> None:
    async with bank.transaction() as session:
        await _add(session, 5)
    assert await _balance(bank) == 5


@pytest.mark.parametrize("error", [RuntimeError("x"), Refused(), asyncio.CancelledError()], ids=repr)
async def test_an_exception_rolls_back(bank: Database, error: BaseException) -> None:
    with pytest.raises(type(error)):
        async with bank.transaction() as session:
            await _add(session, 5)
            raise error
    assert await _balance(bank) == 0


async def test_keep_changes_commits_and_goes_on_as_the_error(bank: Database) -> None:
    with pytest.raises(Refused):
        async with bank.transaction() as session:
            await _add(session, 5)
            raise Refused(keep_changes=True)
    assert await _balance(bank) == 5


async def test_reading_never_changes_anything(bank: Database) -> None:
    async with bank.read() as session:
        await _add(session, 5)
    with pytest.raises(Refused):
        async with bank.read() as session:
            await _add(session, 5)
            raise Refused(keep_changes=True)
    assert await _balance(bank) == 0


async def test_a_savepoint_can_fail_alone(bank: Database) -> None:
    async with bank.transaction() as session:
        await _add(session, 1)
        with pytest.raises(RuntimeError):
            async with session.begin_nested():
                await _add(session, 10)
                raise RuntimeError
        await _add(session, 100)
    assert await _balance(bank) == 101


async def test_concurrent_writers_queue_and_lose_nothing(bank: Database) -> None:
    async def deposit() -> None:
        async with bank.transaction() as session:
            row = select(account.c.balance).where(account.c.name == "a")
            before = await session.scalar(for_update(row, bank.dialect)) or 0
            await asyncio.sleep(0)
            await session.execute(update(account).where(account.c.name == "a").values(balance=before + 1))

    for _ in range(4):
        await asyncio.gather(*(deposit() for _ in range(5)))
    assert await _balance(bank) == 20


async def test_readers_go_on_beside_a_writer_and_see_what_is_committed(bank: Database) -> None:
    async with bank.transaction() as session:
        await _add(session, 5)
        assert await asyncio.gather(*(_balance(bank) for _ in range(4))) == [0, 0, 0, 0]
    assert await _balance(bank) == 5


@pytest.mark.usefixtures("impatient")
async def test_a_writer_that_waits_too_long_is_unavailable(bank: Database) -> None:
    async with bank.transaction() as session:
        await _add(session, 5)
        with pytest.raises(DatabaseUnavailable):
            async with bank.transaction() as other:
                await _add(other, 1)
    assert await _balance(bank) == 5
    async with bank.transaction() as session:
        await _add(session, 1)
    assert await _balance(bank) == 6


@pytest.mark.usefixtures("impatient")
async def test_a_second_process_waits_for_the_writer_too(
    bank: Database, database_url: str, database_settings: DatabaseSettings
) -> None:
    other_process = Database(database_url, database_settings)
    async with bank.transaction() as session:
        await _add(session, 5)
        with pytest.raises(DatabaseUnavailable):
            async with other_process.transaction() as other:
                await _add(other, 1)
    await other_process.dispose()


async def test_writers_of_two_processes_take_turns(
    bank: Database, database_url: str, database_settings: DatabaseSettings
) -> None:
    other_process = Database(database_url, database_settings)

    async def add_one(database: Database) -> None:
        async with database.transaction() as own:
            # One row: who locks several in no order can meet another who came the other way.
            own_row = select(account.c.balance).where(account.c.name == "a")
            await own.execute(for_update(own_row, database.dialect))
            await asyncio.sleep(0.01)
            await _add(own, 1)

    await asyncio.gather(*(add_one(database) for database in (bank, other_process) * 5))
    assert await _balance(bank) == 10
    await other_process.dispose()


@pytest.mark.usefixtures("impatient")
async def test_an_exhausted_pool_is_unavailable_within_the_time_out(bank: Database) -> None:
    async with asyncio.TaskGroup() as group:
        released = asyncio.Event()

        async def hold() -> None:
            async with bank.read() as session:
                await session.execute(text("SELECT 1"))
                await released.wait()

        for _ in range(5):
            group.create_task(hold())
        await asyncio.sleep(0.05)
        with pytest.raises(DatabaseUnavailable, match="no free"):
            await bank.ping()
        released.set()
    await bank.ping()


async def test_insert_ignore_says_who_was_first(bank: Database) -> None:
    async with bank.transaction() as session:
        assert await insert_ignore(session, account, {"name": "c"}) == 1
        assert await insert_ignore(session, account, {"name": "c"}) == 0
        assert await insert_ignore(session, account, [{"name": "c"}, {"name": "d"}]) == 1
        assert await insert_ignore(session, account, []) == 0


async def test_concurrent_inserts_of_one_key_have_one_winner(bank: Database) -> None:
    async def attempt() -> int:
        async with bank.transaction() as session:
            count = await insert_ignore(session, account, {"name": "same"})
            await asyncio.sleep(0.01)
            return count

    assert sorted(await asyncio.gather(*(attempt() for _ in range(5)))) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "statement",
    [
        insert(account).values(name="a"),
        insert(child).values(account_id=99),
        insert(account).values(name="c", balance=None),
    ],
    ids=["unique", "foreign key", "not null"],
)
async def test_a_violated_constraint_is_refused_as_input(bank: Database, statement: Any) -> None:
    with pytest.raises(DataRefused):
        async with bank.transaction() as session:
            await session.execute(statement)


async def test_whoever_expects_a_violation_sees_it_in_the_block(bank: Database) -> None:
    async with bank.transaction() as session:
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(insert(account).values(name="a"))
        await _add(session, 1)
    assert await _balance(bank) == 1


async def test_a_mistake_in_a_statement_stays_what_it_is_and_hides_its_values(bank: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with bank.transaction() as session:
            await session.execute(text("SELECT nothing FROM nowhere WHERE x = :x"), {"x": "secret-value"})
    assert "secret-value" not in str(caught.value)


async def test_timestamps_keep_microseconds_and_refuse_a_zone(bank: Database) -> None:
    moment = datetime(2024, 10, 24, 7, 39, 50, 123_456)
    async with bank.transaction() as session:
        await session.execute(update(account).where(account.c.name == "a").values(changed=moment))
    async with bank.read() as session:
        assert await session.scalar(select(account.c.changed).where(account.c.name == "a")) == moment
        assert await session.scalar(select(func.count()).where(account.c.changed <= moment)) == 1
    with pytest.raises(StatementError, match="naive"):
        async with bank.transaction() as session:
            await session.execute(update(account).values(changed=datetime.now(UTC)))


async def test_after_commit_runs_once_and_only_then(bank: Database) -> None:
    calls: list[str] = []
    async with bank.transaction() as session:
        after_commit(session, lambda: calls.append("committed"))
        assert calls == []
    with pytest.raises(Refused):
        async with bank.transaction() as session:
            after_commit(session, lambda: calls.append("rolled back"))
            raise Refused
    with pytest.raises(Refused):
        async with bank.transaction() as session:
            after_commit(session, lambda: calls.append("kept"))
            raise Refused(keep_changes=True)
    assert calls == ["committed", "kept"]


async def test_generated_keys_count_up(bank: Database) -> None:
    async with bank.read() as session:
        assert list(await session.scalars(select(account.c.id).order_by(account.c.id))) == [1, 2]


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://u:p@h/d", "postgresql+asyncpg"),
        ("postgres://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg"),
        ("sqlite:///x.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite"),
    ],
)
def test_urls_get_our_driver(given: str, driver: str) -> None:
    assert normalised_url(given).drivername == driver


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="unsupported"):
        normalised_url("mysql://h/d")


async def test_a_database_in_memory_serves_one_after_the_other() -> None:
    database = Database("sqlite://")
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)

    async def create(name: str) -> None:
        async with database.transaction() as session:
            await session.execute(insert(account).values(name=name))

    await asyncio.gather(*(create(f"n{number}") for number in range(10)))
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(account)) == 10
    await database.dispose()


async def test_opening_a_file_once_more_takes_no_lock_of_it_away(tmp_path: Path) -> None:
    """Another process that comes and goes must see that it is not the last one: it would remove the log."""
    url, log = f"sqlite:///{tmp_path}/x.sqlite3", tmp_path / "x.sqlite3-wal"
    first = Database(url)
    async with first.transaction() as session:
        await session.execute(text("CREATE TABLE t (n INTEGER)"))
    second = Database(url)
    visit = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM t'); c.close()"
    visitor = await asyncio.create_subprocess_exec(sys.executable, "-c", visit, str(tmp_path / "x.sqlite3"))
    assert (await visitor.wait(), log.exists()) == (0, True)
    await first.dispose()
    await second.dispose()


async def test_sqlite_runs_durably_and_with_its_constraints_on(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/folder/x.sqlite3")
    async with database.read() as session:
        settings = {
            name: await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    await database.dispose()


PostgresBank = tuple[Database, "Cable"]


@pytest.fixture
async def postgres_bank(
    tmp_path: Path, database_settings: DatabaseSettings, lay_cable: LayCable
) -> AsyncGenerator[PostgresBank]:
    """A bank on PostgreSQL behind a cable: ``(database, cable)``."""
    async with fresh_database("postgresql", tmp_path) as url:
        address = normalised_url(url)
        cable = await lay_cable(address.host, address.port)
        database = Database(address.set(port=cable.port).render_as_string(False), database_settings)
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        async with database.transaction() as session:
            await session.execute(insert(account).values(name="a"))
        yield database, cable
        await database.dispose()


async def test_values_that_do_not_fit_are_refused_as_input(postgres_bank: PostgresBank) -> None:
    database, _ = postgres_bank
    for values in ({"name": "longer than ten"}, {"name": "nul\x00"}, {"name": "n", "balance": 2**40}):
        with pytest.raises(DataRefused):
            async with database.transaction() as session:
                await session.execute(insert(account).values(**values))


async def test_a_database_that_is_down_is_unavailable_and_used_again_when_back(
    postgres_bank: PostgresBank,
) -> None:
    database, cable = postgres_bank
    await asyncio.gather(*(database.ping() for _ in range(5)))
    await cable.cut()
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
    await cable.mend()
    for _ in range(6):
        await database.ping()
    assert await _balance(database) == 0


async def test_a_connection_lost_in_a_transaction_is_unavailable_and_rolled_back(
    postgres_bank: PostgresBank,
) -> None:
    database, cable = postgres_bank
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as session:
            await _add(session, 5)
            await cable.cut()
            await _add(session, 5)
    await cable.mend()
    assert await _balance(database) == 0
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as session:
            await _add(session, 5)
            await cable.cut()
    await cable.mend()
    assert await _balance(database) == 0


async def test_a_connection_lost_in_a_savepoint_is_unavailable_also_when_the_block_goes_on(
    postgres_bank: PostgresBank,
) -> None:
    database, cable = postgres_bank
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as session:
            savepoint = await session.begin_nested()
            await cable.cut()
            with suppress(DBAPIError):
                await _add(session, 5)
            with suppress(DBAPIError):
                await savepoint.rollback()
            await _add(session, 5)
    await cable.mend()
    assert await _balance(database) == 0


async def test_a_rollback_on_a_lost_connection_is_unavailable(postgres_bank: PostgresBank) -> None:
    database, cable = postgres_bank
    for _attempt in range(database.settings.database_pool_size + 1):  # none of them costs a connection
        with pytest.raises(DatabaseUnavailable):
            async with database.transaction() as session:
                await _add(session, 5)
                await cable.cut()
                raise Refused
        await cable.mend()
    assert await _balance(database) == 0


async def test_a_server_that_ends_idle_connections_is_not_noticed(postgres_bank: PostgresBank) -> None:
    database, _ = postgres_bank
    await asyncio.gather(*(database.ping() for _ in range(5)))
    async with database.read() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    await asyncio.sleep(0.05)
    await asyncio.gather(*(database.ping() for _ in range(5)))


async def test_a_statement_that_takes_too_long_is_unavailable(tmp_path: Path) -> None:
    async with fresh_database("postgresql", tmp_path) as url:
        database = Database(url, DatabaseSettings(database_statement_timeout_seconds=0.1))
        with pytest.raises(DatabaseUnavailable, match="57014") as caught:
            async with database.read() as session:
                await session.execute(text("SELECT pg_sleep(5)"))
        assert caught.value.timed_out
        await database.dispose()


async def test_a_deadlock_has_one_loser_who_may_try_again(postgres_bank: PostgresBank) -> None:
    database, _ = postgres_bank
    async with database.transaction() as session:
        await session.execute(insert(account).values(name="b"))
    both_hold = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with database.transaction() as session:
            await session.execute(text("SET LOCAL lock_timeout = 0"))
            await session.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
            await _add(session, 1, first)
            await both_hold.wait()
            await _add(session, 1, second)

    outcomes = await asyncio.gather(lock("a", "b"), lock("b", "a"), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["DatabaseUnavailable", "NoneType"]
    assert await _balance(database) == 1


async def test_connections_carry_name_and_utc(tmp_path: Path) -> None:
    async with fresh_database("postgresql", tmp_path) as url:
        database = Database(url, application_name="powerauth-core")
        async with database.read() as session:
            assert await session.scalar(text("SHOW application_name")) == "powerauth-core"
            assert await session.scalar(text("SHOW timezone")) == "UTC"
            assert await session.scalar(text("SHOW lock_timeout")) == "10s"
            assert await session.scalar(text("SHOW tcp_keepalives_idle")) == "30"
        await database.dispose()


@pytest.mark.usefixtures("impatient")
async def test_drivers_are_kept_a_few_and_replaced_when_the_server_ends_them(
    postgres_bank: PostgresBank,
) -> None:
    database, _ = postgres_bank

    async def backend(driver: Any) -> int:
        return int(await driver.fetchval("SELECT pg_backend_pid()"))

    async with database.driver() as driver:
        first = await backend(driver)
        async with database.driver() as other:
            second = await backend(other)
    async with database.driver() as driver:
        kept = await backend(driver)
    assert kept in (first, second)
    async with database.read() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": kept})
    with suppress(DatabaseUnavailable):  # it may hear of its end only by being used
        async with database.driver() as driver:
            await backend(driver)
    async with database.driver() as driver:
        assert await backend(driver) != kept
    # The one that is kept counts: the pool of five has four others, and no fifth.
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(database.read())
        with pytest.raises(DatabaseUnavailable):
            await stack.enter_async_context(database.read())


async def test_an_error_of_the_driver_is_translated(postgres_bank: PostgresBank) -> None:
    database, _ = postgres_bank
    with pytest.raises(DataRefused):
        async with database.driver() as driver:
            await driver.fetchval("SELECT 'x'::int")
    async with database.driver() as driver:
        assert await driver.fetchval("SELECT pg_current_xact_id_if_assigned()") is None


READ_ONLY = "ALTER DATABASE {} SET default_transaction_read_only = {}"
"""What a demoted primary is to a connection opened afterwards."""


@pytest.fixture
async def demote(postgres_bank: PostgresBank) -> AsyncGenerator[Callable[[str], Awaitable[None]]]:
    """``await demote("on")``: let the server be read-only; ``off``: writable. For connections to come."""
    database, _ = postgres_bank
    server = Database(database.url.set(database="postgres").render_as_string(False))
    isolated = server.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def switch(state: str) -> None:
        async with isolated.connect() as connection:
            await connection.execute(text(READ_ONLY.format(f'"{database.url.database}"', state)))

    yield switch
    await server.dispose()


@pytest.mark.parametrize("way", ["transaction", "driver"])
async def test_connections_to_a_server_that_only_reads_are_given_up(
    postgres_bank: PostgresBank, demote: Callable[[str], Awaitable[None]], way: str
) -> None:
    database, cable = postgres_bank
    change = "UPDATE account SET balance = balance + 1"

    async def write() -> None:
        async with getattr(database, way)() as connection:
            await connection.execute(text(change) if way == "transaction" else change)

    await demote("on")
    await cable.cut()
    await cable.mend()
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable) as caught:
            await write()
        assert caught.value.repeatable
    # Nobody cuts the connections when the server can be written to again.
    await demote("off")
    await units.repeated(write)
    await asyncio.gather(*(write() for _ in range(5)))
    assert await _balance(database) == 6


@pytest.mark.parametrize("way", ["read", "transaction", "driver"])
async def test_statements_that_a_migration_made_invalid_are_prepared_again(
    postgres_bank: PostgresBank, way: str
) -> None:
    database, _ = postgres_bank
    statement = "SELECT name FROM account"

    async def names() -> int:
        async with getattr(database, way)() as connection:
            if way in ("read", "transaction"):
                return len((await connection.execute(text(statement))).all())
            return len(await connection.fetch(statement))

    for length in (20, 30, 40):
        assert await asyncio.gather(*(names() for _ in range(4))) == [1] * 4
        async with database.transaction() as session:
            await session.execute(text(f"ALTER TABLE account ALTER COLUMN name TYPE VARCHAR({length})"))
        assert await asyncio.gather(*(units.repeated(names) for _ in range(4))) == [1] * 4


async def test_connections_have_a_maximum_age(tmp_path: Path) -> None:
    async with fresh_database("postgresql", tmp_path) as url:
        database = Database(url, DatabaseSettings(database_connection_max_age_seconds=0.001))
        backends = set()
        for _ in range(3):
            async with database.driver() as driver:
                backends.add(await driver.fetchval("SELECT pg_backend_pid()"))
            async with database.read() as session:
                backends.add(await session.scalar(text("SELECT pg_backend_pid()")))
            await asyncio.sleep(0.01)
        assert len(backends) > 3
        await database.dispose()


async def test_of_two_who_take_a_key_the_second_sees_it_when_run_again(bank: Database) -> None:
    both_looked = asyncio.Barrier(2)
    runs = 0

    async def create() -> str:
        nonlocal runs
        runs += 1
        name = select(account.c.id).where(account.c.name == "c")
        async with bank.read() as session:
            found = await session.scalar(name)
        if runs <= 2:
            await both_looked.wait()
        if found is not None:
            return "taken"
        async with bank.transaction() as session:
            await session.execute(insert(account).values(name="c"))
            await session.flush()
        return "made"

    outcomes = await asyncio.gather(units.repeated(create), units.repeated(create))
    assert sorted(outcomes) == ["made", "taken"]
