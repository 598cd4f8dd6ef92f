"""Taking over a database of the original, release 1.10 (spec/push-api.md §19).

It is examined before anything is changed. Then it is stamped with the baseline, which is the original's
schema, and the migrations after it add to it. Its rows stay as they are; `encrypt` does what its name says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError

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
_INDEXES = {
    "push_app_cred_app": ("push_app_credentials", "app_id"),
    "push_device_activation": ("push_device_registration", "activation_id"),
}
"""Unique ones that the original has; the others, a migration makes."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a table must be like."""

    columns: frozenset[str]
    primary_key: tuple[str, ...]


Tables = Mapping[str, Table]


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
            missing = [] if problems else await migrator.connection.run_sync(_missing_indexes)
            await migrator.end()
            if problems:
                return _refusal(problems)
            if check_only:
                notices = [f"notice: {_told(name)} is missing, the adoption makes it" for name in missing]
                return Outcome(True, "\n".join([*notices, "The database can be adopted."]))
            try:
                await migrator.connection.run_sync(_make_indexes, missing)
                await migrator.connection.commit()
            except IntegrityError:
                await migrator.end()
                return _refusal(["rows of one value came meanwhile: is the original stopped?"])
            await migrator.stamp(BASELINE)
        elif check_only:
            return Outcome(True, "The database has been adopted already.")
        await migrator.upgrade()
        return Outcome(True, f"The database is adopted, revision {await migrator.current()}.")


def _refusal(problems: Sequence[str]) -> Outcome:
    lines = [*(f"problem: {problem}" for problem in problems), "Nothing was changed."]
    return Outcome(False, "\n".join(lines))


def _told(index: str) -> str:
    return "unique index {} on {} ({})".format(index, *_INDEXES[index])


async def _baseline() -> Tables:
    """The tables of the original."""
    with TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'baseline.sqlite3'}"
        await migrations.upgrade(url, SCRIPT_LOCATION, BASELINE)
        database = Database(url)
        try:
            async with database.engine.connect() as connection:
                found = await connection.run_sync(_tables)
        finally:
            await database.dispose()
    return {name: table for name, table in found.items() if name.startswith("push_")}


def _tables(connection: Connection) -> Tables:
    found = inspect(connection)
    return {
        name: Table(
            frozenset(column["name"] for column in found.get_columns(name)),
            tuple(sorted(found.get_pk_constraint(name)["constrained_columns"])),
        )
        for name in found.get_table_names()
    }


def _missing_indexes(connection: Connection) -> list[str]:
    """Unique indexes of the original that are not there, under whatever name."""
    found = inspect(connection)
    return [
        name
        for name, (table, column) in _INDEXES.items()
        if not any(
            index["unique"]
            and index["column_names"] == [column]
            and not index.get("dialect_options", {}).get("postgresql_where")
            for index in found.get_indexes(table)
        )
    ]


def _make_indexes(connection: Connection, names: Sequence[str]) -> None:
    """One of that name that is not unique is replaced."""
    found = inspect(connection)
    for name in names:
        table, column = _INDEXES[name]
        if any(index["name"] == name for index in found.get_indexes(table)):
            connection.execute(text(f"DROP INDEX {name}"))
        connection.execute(text(f"CREATE UNIQUE INDEX {name} ON {table} ({column})"))


def _problems(connection: Connection, expected: Tables) -> list[str]:
    """What forbids the adoption, in one go."""
    actual = _tables(connection)
    problems = [f"table {table} is missing" for table in expected if table not in actual]
    problems += [
        f"column {name}.{column} is missing"
        for name, table in expected.items()
        for column in sorted(table.columns - actual.get(name, table).columns)
    ]
    problems += [
        f"the primary key of {name} is not ({', '.join(table.primary_key)})"
        for name, table in expected.items()
        if actual.get(name, table).primary_key != table.primary_key
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
