"""Rows that a change leaves behind go in together, with a transaction or with a statement of others."""
# ruff: noqa: PT012 - what raises here is the whole block of a context manager

from __future__ import annotations

import pytest
from sqlalchemy import Column, DateTime, Integer, LargeBinary, MetaData, String, Table, select

from powerauth_contracts import moments
from servicekit.additions import Additions, Target
from servicekit.database import Database
from servicekit.errors import ServiceError

metadata = MetaData()
TALE = Table(
    "tale",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("moment", DateTime),
    Column("seal", LargeBinary),
    Column("origin", String),
)
KINDS = {"name": "varchar", "moment": "timestamp", "seal": "bytea"}
TALES = Target("tale", KINDS, {"origin": "o'clock"}, returning=("id", "name"))
OTHERS = Target("tale", {"name": "varchar"})
MOMENT = moments.from_ms(1735689600123)


@pytest.fixture
async def store(database: Database) -> Database:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return database


def _some(database: Database, heard: list[str]) -> Additions:
    additions = Additions(database)
    additions.add(TALES, ("é\n'\"", MOMENT, b"\x00\xff"))
    additions.add(OTHERS, ("other",))
    additions.add(TALES, (None, None, None))
    additions.after_commit(lambda: heard.append("committed"))
    return additions


async def _rows(database: Database) -> list[tuple[object, ...]]:
    columns = (TALE.c.name, TALE.c.moment, TALE.c.seal, TALE.c.origin)
    async with database.read() as session:
        return [tuple(row) for row in await session.execute(select(*columns).order_by(TALE.c.id))]


async def test_rows_of_several_tables_go_in_as_they_were_added(store: Database) -> None:
    heard: list[str] = []
    async with store.transaction() as session:
        additions = _some(Database.of(session), heard)
        await additions.write(session)
        assert heard == []
    assert heard == ["committed"]
    found = await _rows(store)
    assert sorted(found, key=str) == sorted(
        [
            ("é\n'\"", MOMENT, b"\x00\xff", "o'clock"),
            (None, None, None, "o'clock"),
            ("other", None, None, None),
        ],
        key=str,
    )
    returned = {name: number for number, name in additions.returned(TALES)}
    assert returned.keys() == {"é\n'\"", None}
    assert len(set(returned.values())) == 2


async def test_nothing_is_told_of_what_was_rolled_back(store: Database) -> None:
    heard: list[str] = []
    with pytest.raises(ServiceError):
        async with store.transaction() as session:
            await _some(store, heard).write(session)
            raise ServiceError
    assert heard == []
    assert await _rows(store) == []


async def test_rows_go_in_with_a_statement_of_somebody_else(store: Database) -> None:
    if store.dialect == "sqlite":
        return  # it has no statement that changes several tables
    heard: list[str] = []
    additions = _some(store, heard)
    parts, returned, values = additions.parts(2)
    async with store.driver() as driver:
        mine, given = await driver.fetchrow(f"WITH {parts} SELECT $1::int + 1, {returned}", 41, *values)
    additions.take(given)
    additions.committed()
    assert (mine, heard, len(await _rows(store))) == (42, ["committed"], 3)
    assert len(additions.returned(TALES)) == 2
