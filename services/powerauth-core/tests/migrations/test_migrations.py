"""The migrated schema is the schema of the models, on both dialects (spec/core-api.md §25)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from powerauth_core.migrations import BASELINE, SCRIPT_LOCATION
from powerauth_core.schema import metadata
from servicekit import migrations
from servicekit.database import Database, Dialect
from servicekit.testing import fresh_database

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BASELINE_TABLES = {
    "audit_log",
    "audit_param",
    "pa_activation",
    "pa_activation_history",
    "pa_application",
    "pa_application_callback",
    "pa_application_callback_event",
    "pa_application_config",
    "pa_application_version",
    "pa_fido2_authenticator",
    "pa_integration",
    "pa_master_keypair",
    "pa_operation",
    "pa_operation_application",
    "pa_operation_template",
    "pa_recovery_code",
    "pa_recovery_config",
    "pa_recovery_puk",
    "pa_signature_audit",
    "pa_temporary_key",
    "pa_token",
    "pa_unique_value",
    "shedlock",
}


@pytest_asyncio.fixture
async def empty_url(dialect: Dialect, tmp_path: Path) -> AsyncGenerator[str]:
    """URL of a database without any table."""
    async with fresh_database(dialect, tmp_path) as url:
        yield url


async def inspected(url: str, look: Any) -> Any:
    database = Database(url)
    try:
        async with database.engine.connect() as connection:
            return await connection.run_sync(look)
    finally:
        await database.dispose()


async def execute(url: str, *statements: str) -> None:
    database = Database(url)
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))
    await database.dispose()


def difference(connection: Connection) -> list[Any]:
    def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
        return kind != "table" or name not in partitions

    partitions = set()
    if connection.dialect.name == "postgresql":
        partitions = set(
            connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"))
        )
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
    return list(compare_metadata(context, metadata))


async def test_migrated_schema_equals_the_models(migrated: str) -> None:
    assert [str(part) for part in await inspected(migrated, difference)] == []


def test_statements_with_any_of_our_column_types_are_cached() -> None:
    uncached = [
        str(column)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.type._static_cache_key is None or "no_cache" in str(column.type._static_cache_key).lower()
    ]
    assert uncached == []


async def test_baseline_is_the_original_schema_and_nothing_else(empty_url: str) -> None:
    await migrations.upgrade(empty_url, SCRIPT_LOCATION, BASELINE)
    tables = set(await inspected(empty_url, lambda connection: inspect(connection).get_table_names()))
    assert tables - {"alembic_version"} == BASELINE_TABLES


async def test_defaults_of_the_columns_are_those_of_the_models(migrated: str) -> None:
    def defaults(connection: Connection) -> dict[str, bool]:
        inspector = inspect(connection)
        return {
            f"{table}.{column['name']}": column["default"] is not None
            for table in metadata.tables
            for column in inspector.get_columns(table)
            if column["name"] not in ("id", "seq")
        }

    declared = {
        f"{table.name}.{column.name}": column.server_default is not None
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name not in ("id", "seq")
    }
    assert await inspected(migrated, defaults) == declared


async def test_an_adopted_database_keeps_its_rows(empty_url: str) -> None:
    """Stamped with the baseline, upgraded: old rows are readable, new columns have their defaults."""
    await migrations.upgrade(empty_url, SCRIPT_LOCATION, BASELINE)
    await execute(
        empty_url,
        "DROP TABLE alembic_version",
        "INSERT INTO pa_application (id, name) VALUES (1, 'old')",
        "INSERT INTO pa_application_version (id, application_id, application_key, application_secret, name,"
        " supported) VALUES (1, 1, 'a2V5', 'c2VjcmV0', 'default', true)",
        "INSERT INTO pa_integration (id, name, client_token, client_secret) VALUES ('i', 'n', 't', 's')",
        "INSERT INTO pa_application_config (id, application_id, config_key, config_values)"
        " VALUES (1, 1, 'k', '[1]'), (2, 1, 'l', '[2]')",
    )
    await migrations.stamp(empty_url, SCRIPT_LOCATION, BASELINE)
    await migrations.upgrade(empty_url, SCRIPT_LOCATION)

    def rows(connection: Connection) -> list[Any]:
        return [
            connection.execute(text(statement)).all()
            for statement in (
                "SELECT application_secret, application_secret_encryption FROM pa_application_version",
                "SELECT client_secret, client_secret_encryption, kind FROM pa_integration",
                "SELECT id FROM pa_application_config ORDER BY id",
            )
        ]

    assert await inspected(empty_url, rows) == [[("c2VjcmV0", 0)], [("s", 0, "rest")], [(1,), (2,)]]


async def test_texts_and_subjects_of_a_shared_database_are_kept(empty_url: str) -> None:
    """Other servers of the original may have put their tables into the same database."""
    await migrations.upgrade(empty_url, SCRIPT_LOCATION, BASELINE)
    await execute(
        empty_url,
        "CREATE TABLE es_operation_template (id BIGINT NOT NULL PRIMARY KEY,"
        " placeholder VARCHAR(255) NOT NULL, language VARCHAR(8) NOT NULL,"
        " title VARCHAR(255) NOT NULL, message TEXT NOT NULL, attributes TEXT,"
        " ui TEXT, result_texts TEXT)",
        "INSERT INTO es_operation_template (id, placeholder, language, title, message)"
        " VALUES (1, 'login', 'en', 'Login', 'Log in')",
        "ALTER TABLE audit_log ADD COLUMN subject_id VARCHAR(256)",
        "CREATE INDEX audit_log_subject_id_idx ON audit_log (subject_id)",
    )
    await migrations.upgrade(empty_url, SCRIPT_LOCATION)
    titles = await inspected(
        empty_url,
        lambda connection: connection.execute(text("SELECT title FROM es_operation_template")).all(),
    )
    assert titles == [("Login",)]


@pytest.mark.parametrize("table", ["pa_application", "pa_signature_audit", "es_operation_template"])
async def test_postgresql_numbers_rows_by_the_original_sequences(
    table: str, migrated: str, dialect: Dialect
) -> None:
    def default(connection: Connection) -> str | None:
        columns = inspect(connection).get_columns(table)
        return next(column["default"] for column in columns if column["name"] == "id")

    found = await inspected(migrated, default)
    assert found == (f"nextval('{table}_seq'::regclass)" if dialect == "postgresql" else None)
