"""Taking over a database of the original, release 1.10 (spec/push-api.md §19).

It is examined before anything is changed. Then it is stamped with the baseline, which is the original's
schema, and the migrations after it add to it. Its rows stay as they are; `encrypt` does what its name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, inspect, text

from powerauth_push.migrations import BASELINE, SCRIPT_LOCATION
from servicekit import migrations
from servicekit.commands import Outcome
from servicekit.database import Database, normalised_url

ORIGINAL = "push_app_credentials"
"""A table that every database of the original has."""

_SEQUENCES = (
    "push_credentials_seq",
    "push_device_registration_seq",
    "push_message_seq",
    "push_campaign_seq",
    "push_campaign_user_seq",
    "push_inbox_seq",
)
_UNIQUE = (
    ("push_app_credentials", "app_id"),
    ("push_device_registration", "activation_id"),
    ("push_inbox", "inbox_id"),
)
Columns = Mapping[str, frozenset[str]]


async def migrate(url: str) -> Outcome:
    """Bring a database of ours to the current schema; one of the original is left as it is.

    :raises DatabaseUnavailable: no connection, or no lock in time
    """
    async with migrations.exclusive(url, SCRIPT_LOCATION) as migrator:
        if await migrator.current() is None and await migrator.has_table(ORIGINAL):
            return Outcome(False, "This is a database of the original: adopt it, `powerauth db adopt push`.")
        await migrator.upgrade()
        return Outcome(True, f"The schema is current, revision {await migrator.current()}.")


async def adopt(url: str, *, check_only: bool = False) -> Outcome:
    """Take over the database, or only say whether it could be; repeated it does nothing.

    :raises DatabaseUnavailable: no connection, or no lock in time
    """
    if normalised_url(url).get_backend_name() != "postgresql":
        return Outcome(False, "Databases of the original are adopted on PostgreSQL only.")
    expected = await _baseline()
    async with migrations.exclusive(url, SCRIPT_LOCATION) as migrator:
        if await migrator.current() is None:
            problems = await migrator.connection.run_sync(_problems, expected)
            await migrator.end()
            if problems:
                lines = [*(f"problem: {problem}" for problem in problems), "Nothing was changed."]
                return Outcome(False, "\n".join(lines))
            if check_only:
                return Outcome(True, "The database can be adopted.")
            await migrator.stamp(BASELINE)
        elif check_only:
            return Outcome(True, "The database has been adopted already.")
        await migrator.upgrade()
        return Outcome(True, f"The database is adopted, revision {await migrator.current()}.")


async def _baseline() -> Columns:
    """Tables and columns of the original."""
    with TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'baseline.sqlite3'}"
        await migrations.upgrade(url, SCRIPT_LOCATION, BASELINE)
        database = Database(url)
        try:
            async with database.engine.connect() as connection:
                found = await connection.run_sync(_columns)
        finally:
            await database.dispose()
    return {table: columns for table, columns in found.items() if table.startswith("push_")}


def _columns(connection: Connection) -> Columns:
    found = inspect(connection)
    return {
        table: frozenset(column["name"] for column in found.get_columns(table))
        for table in found.get_table_names()
    }


def _problems(connection: Connection, expected: Columns) -> list[str]:
    """What forbids the adoption, in one go."""
    actual = _columns(connection)
    problems = [f"table {table} is missing" for table in expected if table not in actual]
    problems += [
        f"column {table}.{column} is missing"
        for table, columns in expected.items()
        for column in sorted(columns - actual.get(table, columns))
    ]
    sequences = set(inspect(connection).get_sequence_names())
    problems += [f"sequence {name} is missing" for name in _SEQUENCES if name not in sequences]
    if problems:
        return problems
    for table, column in _UNIQUE:
        several = f"SELECT {column} FROM {table} GROUP BY {column} HAVING count({column}) > 1"  # noqa: S608
        number = connection.execute(text(f"SELECT count(*) FROM ({several}) several")).scalar_one()  # noqa: S608
        if number:
            problems.append(f"{number} values of {table}.{column} stand in several rows")
    return problems
