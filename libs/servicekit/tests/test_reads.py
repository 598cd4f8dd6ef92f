"""Hot reads: one text for both databases, several in one statement, nobody failed by a neighbour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, insert

from servicekit import units
from servicekit.database import Database, DatabaseUnavailable
from servicekit.errors import DataRefused
from servicekit.reads import MOST_TOGETHER, Read, SharedReads, moment

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456)
metadata = MetaData()
note = Table(
    "note",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner", String(10)),
    Column("written", DateTime),
    Column("topic", String(10)),
)
NOTES = Read(
    "SELECT n.id, n.written, (SELECT json_agg(m.id)::text FROM note m WHERE m.owner = n.owner) FROM note n"
    " WHERE n.owner = $1 AND n.written >= $2"
    " AND ($3 IS NULL OR n.topic IN (SELECT value FROM jsonb_array_elements_text($3)))"
    " ORDER BY n.written DESC, n.id LIMIT $4",
    ("varchar", "timestamp", "jsonb", "int"),
)


@pytest.fixture
async def notes(database: Database) -> Database:
    """Three notes of each of 50 owners, an hour apart, each of a topic of its own."""
    async with database.writer.begin() as connection:
        await connection.run_sync(metadata.create_all)
        rows = [
            {
                "id": 3 * owner + hour,
                "owner": f"o{owner}",
                "written": NOON + timedelta(hours=hour),
                "topic": "abc"[hour],
            }
            for owner in range(50)
            for hour in range(3)
        ]
        await connection.execute(insert(note), rows)
    return database


async def ids(
    database: Database,
    owner: str,
    since: datetime = NOON,
    topics: list[str] | None = None,
    limit: int = 10,
) -> list[int]:
    return [row[0] for row in await database.fetch(NOTES, owner, since, topics, limit)]


async def test_arguments_of_every_type_mean_the_same_on_both_databases(notes: Database) -> None:
    assert await ids(notes, "o1") == [5, 4, 3]
    assert await ids(notes, "o1", NOON + timedelta(microseconds=1)) == [5, 4]
    assert await ids(notes, "o1", topics=["a", "c", "x"]) == [5, 3]
    assert await ids(notes, "o1", topics=[]) == []
    assert await ids(notes, "o1", limit=1) == [5]
    assert await ids(notes, "nobody") == []
    (row, *_) = await notes.fetch(NOTES, "o0", NOON, None, 1)
    assert moment(row[1]) == NOON + timedelta(hours=2)


async def test_everybody_who_asks_at_the_same_time_gets_the_own_rows(notes: Database) -> None:
    wanted = [(f"o{owner}", ["abc"[owner % 3]] if owner % 2 else None) for owner in range(70)]
    found = await asyncio.gather(*[ids(notes, owner, topics=topics) for owner, topics in wanted])
    for owner in range(70):
        first = 3 * owner
        everything = [first + 2, first + 1, first] if owner < 50 else []
        assert found[owner] == ([first + owner % 3] if owner % 2 and everything else everything)


class _Driver:
    """Counts statements, and fails so many of them."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.errors: list[Exception] = []
        self.gate = asyncio.Event()

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[_Driver]:
        yield self

    async def fetch(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        self.statements.append(sql)
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop()
        return []


async def ask(driver: _Driver, count: int) -> list[Any]:
    reads = SharedReads(driver.lend)
    waiting = [
        asyncio.ensure_future(units.repeated(lambda: reads.fetch(NOTES, ("o1", NOON, None, 1))))
        for _ in range(count)
    ]
    await asyncio.sleep(0)
    driver.gate.set()
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_what_waits_goes_in_one_statement() -> None:
    driver = _Driver()
    assert await ask(driver, 2 * MOST_TOGETHER) == [[]] * 2 * MOST_TOGETHER
    assert driver.statements == [NOTES.together] * 2


async def test_a_fault_that_another_connection_may_not_have_runs_every_request_again() -> None:
    driver = _Driver()
    lost = DatabaseUnavailable("lost")
    lost.repeatable = True
    driver.errors = [lost]
    assert await ask(driver, 5) == [[]] * 5
    driver = _Driver()
    driver.errors = [DatabaseUnavailable("full")]
    assert [type(each) for each in await ask(driver, 5)] == [DatabaseUnavailable] * 5
    assert len(driver.statements) == 1


async def test_a_refusal_is_found_out_one_by_one() -> None:
    driver = _Driver()
    driver.errors = [DataRefused(), DataRefused()]
    found = await ask(driver, 3)
    assert [type(each) for each in found].count(DataRefused) == 1
    assert driver.statements == [NOTES.together] + [NOTES.alone] * 3


@pytest.mark.parametrize(("time_outs", "failed"), [(1, 0), (2, 1), (3, 3)])
async def test_a_read_that_takes_too_long_fails_alone_unless_the_database_is_slow(
    time_outs: int, failed: int
) -> None:
    driver = _Driver()
    for _ in range(time_outs):
        error = DatabaseUnavailable("57014")
        error.timed_out = True
        driver.errors.append(error)
    found = await ask(driver, 3)
    assert [type(each) for each in found].count(DatabaseUnavailable) == failed
    assert driver.statements == [NOTES.together] + [NOTES.alone] * min(3, 5 - time_outs)
