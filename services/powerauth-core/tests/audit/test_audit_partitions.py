"""Audits and history by month on PostgreSQL: migration of a filled database, creation ahead, retention."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from powerauth_core.audit import partitions, retention
from powerauth_core.audit.rules import first_of_month, months_before, months_from
from powerauth_core.master_key.service import Examined
from powerauth_core.migrations import SCRIPT_LOCATION
from powerauth_core.runtime import build_core, running_core
from powerauth_core.settings import CoreSettings
from servicekit import clock, migrations
from servicekit.bus.memory import InMemoryBus
from servicekit.database import Database, Dialect
from servicekit.master_keys import MasterKeys
from servicekit.row_macs import RowBinding
from servicekit.testing import fresh_database

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BEFORE = "0004_activation_transfer"
ON_POSTGRESQL = pytest.mark.dialects("postgresql")
ACTIVATION = (
    "INSERT INTO pa_application (id, name) VALUES (1, 'bank')",
    "INSERT INTO pa_activation (activation_id, application_id, user_id, activation_status, counter,"
    " failed_attempts, server_private_key_base64, server_public_key_base64, timestamp_activation_expire,"
    " timestamp_created, timestamp_last_used)"
    " VALUES ('a', 1, 'u', 3, 0, 0, '', '', '2020-01-01', '2020-01-01', '2020-01-01')",
)


def this_month() -> datetime:
    """When a test runs, which may be long after it was collected."""
    return first_of_month(datetime.now(UTC).replace(tzinfo=None))


def audit_row(row_id: int, moment: datetime) -> str:
    return (
        "INSERT INTO pa_signature_audit (id, activation_id, activation_counter, signature_type, signature,"
        f" timestamp_created) VALUES ({row_id}, 'a', 0, 'POSSESSION', 's', '{moment}')"
    )


def history_row(row_id: int, moment: datetime) -> str:
    return (
        "INSERT INTO pa_activation_history (id, activation_id, timestamp_created)"
        f" VALUES ({row_id}, 'a', '{moment}')"
    )


def log_row(row_id: str, moment: datetime) -> str:
    return (
        "INSERT INTO audit_log (audit_log_id, application_name, audit_level, message, calling_class,"
        f" thread_name, timestamp_created) VALUES ('{row_id}', 'x', 'INFO', 'm', 'c', 't', '{moment}')"
    )


@pytest_asyncio.fixture
async def database(dialect: Dialect, tmp_path: Path) -> AsyncGenerator[Database]:
    """A database at the revision before the partitions."""
    async with fresh_database(dialect, tmp_path) as url:
        await migrations.upgrade(url, SCRIPT_LOCATION, BEFORE)
        made = Database(url)
        yield made
        await made.dispose()


async def run(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))


async def read(database: Database, statement: str) -> list[Any]:
    async with database.read() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def migrate(database: Database) -> None:
    await migrations.upgrade(database.url.render_as_string(hide_password=False), SCRIPT_LOCATION)


async def names(database: Database, table: str) -> list[str]:
    async with database.transaction() as session:
        return [each.name for each in await partitions.partitions_of(session, table)]


def test_months() -> None:
    assert months_from(datetime(2026, 11, 30, 5), 2) == [
        datetime(2026, 11, 1),
        datetime(2026, 12, 1),
        datetime(2027, 1, 1),
    ]
    assert months_before(datetime(2026, 1, 31), 1) == datetime(2025, 12, 1)
    assert months_before(datetime(2026, 3, 31), 15) == datetime(2024, 12, 1)


async def test_a_filled_database_keeps_every_row_and_its_ids(database: Database, dialect: Dialect) -> None:
    far = this_month() + timedelta(days=400)
    moments = [datetime(2020, 1, 5, 6, 7, 8, 9), this_month(), far]
    await run(
        database,
        *ACTIVATION,
        *[audit_row(number, moment) for number, moment in enumerate(moments, 1)],
        *[history_row(number, moment) for number, moment in enumerate(moments, 1)],
        *[log_row(f"log-{number}", moment) for number, moment in enumerate(moments, 1)],
        "INSERT INTO audit_param (audit_log_id, param_key, timestamp_created)"
        " VALUES ('log-1', 'k', '2020-01-01'), ('log-2', 'k', NULL)",
    )
    await migrate(database)
    for table, key in (
        ("pa_signature_audit", "id"),
        ("pa_activation_history", "id"),
        ("audit_log", "audit_log_id"),
    ):
        found = await read(database, f"SELECT {key}, CAST(timestamp_created AS VARCHAR(26)) FROM {table}")
        assert sorted(moment[:19] for _, moment in found) == [f"{moment:%F %T}" for moment in moments]
        assert len({row_id for row_id, _ in found}) == 3
    assert await read(database, "SELECT audit_log_id FROM audit_param WHERE timestamp_created IS NULL") == []
    assert len(await read(database, "SELECT 1 FROM audit_param")) == 2
    if dialect == "postgresql":
        async with database.transaction() as session:
            found = await partitions.partitions_of(session, "pa_signature_audit")
        oldest = next(each for each in found if each.name == "pa_signature_audit_old")
        assert (oldest.since, oldest.until) == (None, months_from(this_month(), 1)[1])
        assert await read(database, "SELECT id FROM pa_signature_audit_old ORDER BY id") == [(1,), (2,)]
        assert await read(database, "SELECT id FROM pa_signature_audit_default") == [(3,)]


@ON_POSTGRESQL
async def test_the_tables_keep_what_hangs_on_them(database: Database) -> None:
    """Keys, indexes under the original's names, foreign keys, defaults and rights."""
    await run(
        database,
        *ACTIVATION,
        audit_row(1, this_month()),
        "GRANT SELECT, INSERT ON pa_signature_audit TO pg_monitor",
    )
    await migrate(database)
    indexes = await read(database, "SELECT indexname FROM pg_indexes WHERE tablename = 'pa_signature_audit'")
    assert {name for (name,) in indexes} == {
        "pa_signature_audit_pkey",
        "pa_signature_audit_activation",
        "pa_signature_audit_created",
        "pa_signature_audit_chain",
    }
    keys = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conrelid = '{}'::regclass"
    for table in ("pa_signature_audit", "pa_signature_audit_old", "pa_signature_audit_default"):
        assert await read(database, keys.format(table)) == [("audit_activation_fk", True)]
    assert await read(
        database, "SELECT has_table_privilege('pg_monitor', 'pa_signature_audit', 'INSERT')"
    ) == [(True,)]
    await run(
        database,
        # As an earlier release writes.
        "INSERT INTO pa_signature_audit (activation_id, activation_counter, signature_type, signature,"
        " timestamp_created) VALUES ('a', 0, 'POSSESSION', 's', now() + interval '40 days')",
    )
    [[row_id, version]] = await read(
        database, "SELECT id, version FROM pa_signature_audit WHERE timestamp_created > now()"
    )
    assert (row_id, version) == (1, 2)  # the sequence goes on, the default stays


@ON_POSTGRESQL
async def test_a_table_that_others_refer_to_is_not_split(database: Database) -> None:
    await run(
        database,
        "CREATE VIEW report AS SELECT count(*) FROM audit_log",
        "CREATE TABLE remark (id bigint REFERENCES pa_signature_audit (id))",
    )
    with pytest.raises(RuntimeError, match="foreign key remark_id_fkey"):
        await migrate(database)
    await run(database, "DROP TABLE remark")
    with pytest.raises(RuntimeError, match=r"audit_log is going to be partitioned: .*view report"):
        await migrate(database)


@ON_POSTGRESQL
async def test_months_are_made_ahead_and_the_default_partition_is_emptied(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(database)
    made = [f"audit_log_{month:%Y_%m}" for month in months_from(this_month(), 3)]
    assert await names(database, "audit_log") == [*made, "audit_log_default"]
    assert await partitions.create_ahead(database, 3) == []
    old, soon, far = (
        datetime(2020, 2, 3),
        months_from(this_month(), 5)[5],
        this_month() + timedelta(days=4000),
    )
    await run(
        database,
        *ACTIVATION,
        *[audit_row(number, moment) for number, moment in enumerate((old, soon, far), 1)],
    )
    assert len(await read(database, "SELECT 1 FROM pa_signature_audit_default")) == 3
    monkeypatch.setattr(clock, "now", lambda: months_from(this_month(), 2)[2])
    created = await partitions.create_ahead(database, 3)
    assert [name for name in created if name.startswith("pa_signature_audit")] == [
        "pa_signature_audit_2020_02",
        *[f"pa_signature_audit_{month:%Y_%m}" for month in months_from(this_month(), 5)[4:]],
    ]
    assert await read(database, "SELECT id FROM pa_signature_audit_default") == [(3,)]
    assert await read(database, "SELECT id FROM pa_signature_audit_2020_02") == [(1,)]
    assert len(await read(database, "SELECT 1 FROM pa_signature_audit")) == 3


@ON_POSTGRESQL
async def test_a_busy_table_is_left_for_the_next_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(database)
    monkeypatch.setattr(partitions, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(clock, "now", lambda: months_from(this_month(), 1)[1])
    async with database.transaction() as session:
        await session.execute(text("SELECT 1 FROM audit_log"))
        with pytest.raises(Exception, match="55P03"):
            await partitions.drop(
                database, partitions.Partition("audit_log", "audit_log_default", None, None)
            )
    assert "audit_log_default" in await names(database, "audit_log")
    assert len(await partitions.create_ahead(database, 3)) == 4


@ON_POSTGRESQL
async def test_inserts_do_not_wait_while_a_month_is_made(database: Database) -> None:
    """What is held on the table itself while a partition is attached excludes no insert."""
    await migrate(database)
    await run(database, *ACTIVATION)
    month = datetime(2031, 5, 1)
    async with database.transaction() as session:
        await partitions._create(session, "audit_log", month)
        await run(database, log_row("x", clock.now()))
        granted = await session.execute(
            text(
                "SELECT relation::regclass::text, mode FROM pg_locks WHERE pid = pg_backend_pid()"
                " AND relation IN ('audit_log'::regclass, 'pa_activation'::regclass)"
            )
        )
        assert {tuple(row) for row in granted} == {
            ("audit_log", "AccessShareLock"),
            ("audit_log", "ShareUpdateExclusiveLock"),
        }


@ON_POSTGRESQL
async def test_a_core_makes_the_months_when_it_starts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(database)
    later = months_from(this_month(), 7)
    monkeypatch.setattr(clock, "now", lambda: later[5])
    url = database.url.render_as_string(hide_password=False)
    async with running_core(CoreSettings(database_url=url, migrate_on_start=False, request_log=False)):
        made = await names(database, "pa_activation_history")
    assert f"pa_activation_history_{later[7]:%Y_%m}" in made


async def test_retention_of_history_and_log(
    database: Database, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = months_before(this_month(), 2), months_before(this_month(), 2) - timedelta(microseconds=1)
    await run(
        database,
        *ACTIVATION,
        *[history_row(number, moment) for number, moment in enumerate((gone, kept, this_month()), 1)],
        *[audit_row(number, moment) for number, moment in enumerate((gone, kept, this_month()), 1)],
        log_row("new", this_month()),
        log_row("old", this_month() - timedelta(days=400)),
        "INSERT INTO audit_param (audit_log_id, timestamp_created) VALUES ('old', '2020-01-01')",
    )
    await migrate(database)
    core = build_core(
        CoreSettings(
            database_url=database.url.render_as_string(hide_password=False),
            activation_history_retention_months=2,
            signature_audit_retention_months=2,
        ),
        database,
        InMemoryBus(),
        Examined(MasterKeys(None), RowBinding.OFF),
    )
    assert await retention.apply_retention(core) == 2
    assert await read(database, "SELECT id FROM pa_activation_history ORDER BY id") == [(2,), (3,)]
    assert await read(database, "SELECT id FROM pa_signature_audit ORDER BY id") == [(2,), (3,)]
    assert await retention.clean_audit_log(core) == 2
    assert await read(database, "SELECT audit_log_id FROM audit_log") == [("new",)]
    later = months_from(this_month(), 3)[3]
    monkeypatch.setattr(clock, "now", lambda: later)
    await retention.apply_retention(core)
    assert await read(database, "SELECT id FROM pa_activation_history") == []
    if dialect == "postgresql":
        for table in ("pa_activation_history", "pa_signature_audit"):
            left = await names(database, table)
            assert f"{table}_old" not in left
            assert len(left) == 4  # the default one, and those of the months that are kept
    await core.egress.close()
