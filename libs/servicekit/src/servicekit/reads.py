"""Hot reads: SQL written once, run by the driver past the ORM, several at a time in one round trip.

A read is one statement with parameters ``$1``, ``$2`` …; the same text serves both databases. On PostgreSQL
those of a kind that come while others are at work go together: one statement does what each would do, for
all their arguments (`Read.together`). That is cheaper for everybody: a round trip costs the process, the
driver and the server more than a row does. On SQLite each runs by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from pydantic_core import to_json

from servicekit import units
from servicekit.batching import BatchQueue
from servicekit.database_errors import DatabaseUnavailable

MOST_TOGETHER = 32
"""Reads in one statement."""
_SLOW_ONES = 2
_IN_FLIGHT = 1
"""Statements of one kind at a time: fewer are larger ones, and cost less a read."""

Row = Sequence[Any]
"""Columns in the order of the statement."""

_PARAMETER = re.compile(r"\$(\d+)")
_CAST = re.compile(r"::\w+")
_SQLITE_WORDS = {"jsonb_array_elements_text": "json_each", "json_agg": "json_group_array"}
LIST = "jsonb"
"""The type of a parameter that is a list; None is NULL. What is in it:
``SELECT value FROM jsonb_array_elements_text($1)``.
"""


# Compared as what it is, one place in the program, and not by its text.
@dataclass(eq=False)
class Read:
    """A statement that only reads.

    :ivar sql: PostgreSQL's SQL; of functions only those that SQLite has too, by this or another name
    :ivar types: PostgreSQL's name for the type of each parameter, in their order; `LIST` for a list
    """

    sql: str
    types: tuple[str, ...]

    @cached_property
    def alone(self) -> str:
        """For one set of arguments (PostgreSQL)."""
        return _PARAMETER.sub(lambda found: f"{found[0]}::{self.types[int(found[1]) - 1]}", self.sql)

    @cached_property
    def together(self) -> str:
        """For a JSON array of arrays of arguments (PostgreSQL): rows as of `alone`, each after the number of
        its arguments, counted from 1.
        """
        # Only a nested loop can perform it (OFFSET), so the order of a statement that has one stays, and no
        # statistics that are older than the rows make a join with the whole table of it.
        cells = ", ".join(
            [f"{_cell(kind, number)} AS a{number + 1}" for number, kind in enumerate(self.types)]
        )
        read = _PARAMETER.sub(r"q.a\1", self.sql)
        return (
            f"SELECT q.number, r.* FROM (SELECT number, {cells} "
            "FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS e(v, number)) q "
            f"CROSS JOIN LATERAL (SELECT * FROM ({read}) i OFFSET 0) r"
        )

    @cached_property
    def on_sqlite(self) -> str:
        """For one set of arguments, by the names ``1``, ``2`` … (SQLite)."""
        sql = _CAST.sub("", self.sql)
        for word, other in _SQLITE_WORDS.items():
            sql = sql.replace(word, other)
        return sql

    def arguments(self, values: Sequence[Any]) -> list[Any]:
        """Arguments of `alone`."""
        return [
            to_json(value).decode() if kind == LIST and value is not None else value
            for kind, value in zip(self.types, values, strict=True)
        ]

    def sqlite_arguments(self, values: Sequence[Any]) -> dict[str, Any]:
        """Arguments of `on_sqlite`."""
        arguments = enumerate(self.arguments(values), 1)
        return {str(number): _as_sqlite_stores(value) for number, value in arguments}


class Fetch(Protocol):
    """Performs reads: `Database.fetch`, or within a transaction."""

    async def __call__(self, read: Read, /, *values: Any) -> Sequence[Row]: ...


def reading(
    columns: Sequence[str], readers: Mapping[str, Callable[[Any], Any]]
) -> Callable[[Row], list[Any]]:
    """What turns columns as a database gives them into values: some by a function, unless they are NULL."""
    read = [(columns.index(name), reader) for name, reader in readers.items() if name in columns]

    def values(row: Row) -> list[Any]:
        found = list(row)
        for index, reader in read:
            if found[index] is not None:
                found[index] = reader(found[index])
        return found

    return values


def moment(stored: datetime | str) -> datetime:
    """A timestamp as either database gives it, naive UTC."""
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)


def _cell(kind: str, number: int) -> str:
    return f"nullif(v->{number}, 'null')" if kind == LIST else f"(v->>{number})::{kind}"


def _as_sqlite_stores(value: Any) -> Any:
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value


@dataclass(slots=True)
class _Asked:
    values: Sequence[Any]
    answer: asyncio.Future[list[Row]] = field(repr=False)


Drivers = Callable[[], AbstractAsyncContextManager[Any]]
"""Lends the driver's connection; what goes wrong in the block is translated."""


class SharedReads:
    """Reads on PostgreSQL.

    A read sees what was committed before it was asked for: it never joins a statement that is on its way. One
    that fails does not fail its neighbours.
    """

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._queues: dict[Read, BatchQueue[_Asked]] = {}

    async def fetch(self, read: Read, values: Sequence[Any]) -> list[Row]:
        """The rows of a read.

        :raises DatabaseUnavailable: as `Database.read`
        """
        queue = self._queues.get(read)
        if queue is None:
            queue = BatchQueue(_choose, lambda batch: self._work(read, batch), in_flight=_IN_FLIGHT)
            self._queues[read] = queue
        asked = _Asked(values, asyncio.get_running_loop().create_future())
        queue.put(asked)
        try:
            return await asked.answer
        except DatabaseUnavailable as error:
            if error.repeatable:
                units.undone()
            raise

    async def _work(self, read: Read, batch: list[_Asked]) -> None:
        """Answer all; never raises but to stop."""
        try:
            found = await self._perform(read, batch)
        except DatabaseUnavailable as error:
            if error.timed_out and len(batch) > 1:
                await self._work_slowly(read, batch)
            else:
                _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for asked in batch:
                await self._work(read, [asked])
        except BaseException as error:
            _fail(batch, error)
            raise
        else:
            for asked, rows in zip(batch, found, strict=True):
                if not asked.answer.done():
                    asked.answer.set_result(rows)

    async def _work_slowly(self, read: Read, batch: list[_Asked]) -> None:
        """Find out alone who takes too long. After a second one it is the database: nobody else is kept."""
        slow = 0
        for number, asked in enumerate(batch):
            await self._work(read, [asked])
            error = None if asked.answer.cancelled() else asked.answer.exception()
            slow += isinstance(error, DatabaseUnavailable) and error.timed_out
            if error is not None and slow == _SLOW_ONES:
                _fail(batch[number + 1 :], error)
                return

    async def _perform(self, read: Read, batch: list[_Asked]) -> list[list[Row]]:
        async with self._drivers() as driver:
            if len(batch) == 1:
                return [await driver.fetch(read.alone, *read.arguments(batch[0].values))]
            rows = await driver.fetch(read.together, to_json([asked.values for asked in batch]).decode())
        found: list[list[Row]] = [[] for _ in batch]
        for number, *columns in rows:
            found[number - 1].append(columns)
        return found


def _choose(queue: deque[_Asked]) -> list[_Asked]:
    chosen: list[_Asked] = []
    while queue and len(chosen) < MOST_TOGETHER:
        asked = queue.popleft()
        if not asked.answer.done():  # whoever asked may have gone away
            chosen.append(asked)
    return chosen


def _fail(batch: list[_Asked], error: BaseException) -> None:
    for asked in batch:
        if not asked.answer.done():
            asked.answer.set_exception(error)
