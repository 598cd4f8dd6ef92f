"""Rows that a change leaves in tables that are only ever added to: collected, and written by one statement.

On PostgreSQL they may also go in with a statement of somebody else's, as its further parts: a batch of
changes and all that it leaves behind are then one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from pydantic_core import from_json, to_json
from sqlalchemy import DateTime, Executable, bindparam, column, insert, table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from servicekit.database import Database, after_commit


@dataclass(frozen=True, eq=False)
class Target:
    """A table that rows are added to. What no row gives is left to the table's defaults.

    :ivar columns: those that every row gives, in its order, with their types on PostgreSQL
    :ivar constants: columns that hold the same text in every row
    :ivar returning: columns that whoever adds a row wants to know afterwards
    :ivar effect: an expression that PostgreSQL evaluates for each new row
    :ivar once: a row whose key is there already is left out
    """

    table: str
    columns: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    returning: tuple[str, ...] = ()
    effect: str | None = None
    once: bool = False

    def on_postgresql(self, parameter: int, judge: str) -> str:
        """The insert of what a parameter of a statement holds.

        :param judge: condition on ``v``, a row of it
        """
        literals = ["'" + value.replace("'", "''") + "'" for value in self.constants.values()]
        named = ", ".join((*self.columns, *self.constants))
        cells = ", ".join((*json_cells(self.columns.values()), *literals))
        wanted = ", ".join((*self.returning, *([self.effect] if self.effect else ())))
        returning = f" RETURNING {wanted}" if wanted else ""
        rows = f"SELECT {cells} FROM jsonb_array_elements(${parameter}::jsonb) v WHERE {judge}"  # noqa: S608
        conflict = " ON CONFLICT DO NOTHING" if self.once else ""
        return f"INSERT INTO {self.table} ({named}) {rows}{conflict}{returning}"

    @cached_property
    def on_sqlite(self) -> Executable:
        """The insert of one row."""
        names = (*self.columns, *self.constants, *self.returning)
        types = _moments(self.columns)
        columns = [column(name, types.get(name)) for name in dict.fromkeys(names)]
        statement = insert(table(self.table, *columns))
        if self.once:
            statement = statement.prefix_with("OR IGNORE")
        if not self.returning:
            return statement
        return statement.returning(*[column(name) for name in self.returning])

    def values(self, row: Sequence[Any]) -> dict[str, Any]:
        """A row by the names of its columns."""
        return {**dict(zip(self.columns, row, strict=True)), **self.constants}


@dataclass(frozen=True, eq=False)
class Alteration:
    """Rows that change by what is added beside them: of each row that is given, those that `where` finds.

    :ivar columns: what a row gives, with the types on PostgreSQL; SQL of `assigned` and `where` names it so
    :ivar assigned: values by the table's columns
    """

    table: str
    columns: Mapping[str, str]
    assigned: Mapping[str, str]
    where: str
    returning: ClassVar[tuple[str, ...]] = ()

    def on_postgresql(self, parameter: int, judge: str) -> str:
        """The update by what a parameter of a statement holds.

        :param judge: condition on ``v``, a row of it
        """
        cells = zip(self.columns, json_cells(self.columns.values()), strict=True)
        given = {name: f"({cell})" for name, cell in cells}
        change = f"UPDATE {self.table} SET {self._assignments(given)}"  # noqa: S608 our names
        found = self.where.format(**given)
        return f"{change} FROM jsonb_array_elements(${parameter}::jsonb) v WHERE {judge} AND {found}"

    @cached_property
    def on_sqlite(self) -> Executable:
        """The update by one row."""
        given = {name: f":{name}" for name in self.columns}
        found = self.where.format(**given)
        statement = text(f"UPDATE {self.table} SET {self._assignments(given)} WHERE {found}")  # noqa: S608 our names
        return statement.bindparams(
            *[bindparam(name, type_=kind) for name, kind in _moments(self.columns).items()]
        )

    def values(self, row: Sequence[Any]) -> dict[str, Any]:
        """What a row gives, by name."""
        return dict(zip(self.columns, row, strict=True))

    def _assignments(self, given: Mapping[str, str]) -> str:
        return ", ".join([f"{name} = {value.format(**given)}" for name, value in self.assigned.items()])


def _moments(columns: Mapping[str, str]) -> dict[str, DateTime]:
    return {name: DateTime() for name, kind in columns.items() if kind == "timestamp"}


class Additions:
    """What one transaction adds, and alters by it.

    :ivar owner: what is added from now on belongs to it; by that a statement of PostgreSQL may judge a row
    """

    def __init__(self, database: Database, judge: str | None = None) -> None:
        """
        :param database: the one that they go to
        :param judge: SQL of PostgreSQL: whether a row goes in; ``v->>-1`` is its owner
        """
        self.database = database
        self.owner = ""
        self._judge = judge
        self._rows: dict[Target | Alteration, list[Sequence[Any]]] = {}
        self._returned: dict[Target | Alteration, list[Sequence[Any]]] = {}
        self._callbacks: list[tuple[str, Callable[[], None]]] = []

    @classmethod
    def of(cls, session: AsyncSession) -> Additions:
        """Those to the database of a session."""
        return cls(Database.of(session))

    def add(self, target: Target | Alteration, row: Sequence[Any]) -> None:
        """Add a row, or alter rows by it.

        :param row: values in the order of the target's columns; a moment is naive UTC
        """
        self._rows.setdefault(target, []).append(row if self._judge is None else (*row, self.owner))

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run ``callback``, which must not block, once the rows have committed."""
        self._callbacks.append((self.owner, callback))

    def returned(self, target: Target) -> Sequence[Sequence[Any]]:
        """What the rows of a target were given, as its ``returning`` names it; known after the commit."""
        return self._returned.get(target, ())

    async def write(self, session: AsyncSession) -> None:
        """Write what was added, in the transaction of a session."""
        connection = await session.connection()
        if self.database.dialect == "postgresql":
            await self._write_at_once(connection)
        else:
            await self._write_by_table(connection)
        after_commit(session, self.committed)

    async def write_by(self, driver: Any) -> None:
        """Write what was added, by the driver's own connection to PostgreSQL; call `committed` after it."""
        parts, returned, values = self.parts(1)
        self.take(await driver.fetchval(f"WITH {parts} SELECT {returned}", *values))

    def parts(self, first: int) -> tuple[str, str, list[str]]:
        """The rows as parts of a statement on PostgreSQL.

        :param first: number of the first free parameter
        :return: what stands in its ``WITH``, an expression whose value `take` is to be given, and the
            values of the parameters
        """
        parts, returned = _parts(tuple(self._rows), first, self._judge or "true")
        return parts, returned, [json_rows(rows) for rows in self._rows.values()]

    def take(self, returned: str | None) -> None:
        """Take what the database has given the rows."""
        if returned is not None:
            targets = [target for target in self._rows if target.returning]
            self._returned = dict(zip(targets, from_json(returned), strict=True))

    def committed(self, without: Collection[str] = ()) -> None:
        """Tell those who wait for the commit.

        :param without: owners of whom nothing went in
        """
        for owner, callback in self._callbacks:
            if owner not in without:
                callback()

    async def _write_at_once(self, connection: AsyncConnection) -> None:
        if self._rows:
            parts, returned, values = self.parts(1)
            result = await connection.exec_driver_sql(f"WITH {parts} SELECT {returned}", tuple(values))
            self.take(result.scalar_one())

    async def _write_by_table(self, connection: AsyncConnection) -> None:
        for target, rows in self._rows.items():
            statement, values = target.on_sqlite, [target.values(row) for row in rows]
            if target.returning:
                result = await connection.execute(statement, values)
                self._returned[target] = [tuple(row) for row in result]
            else:
                await connection.execute(statement, values)


def json_cells(kinds: Iterable[str]) -> list[str]:
    """Expressions for the elements of ``v``, an array out of `json_rows`, by their types on PostgreSQL."""
    return [
        f"decode(v->>{number}, 'hex')" if kind == "bytea" else f"(v->>{number})::{kind}"
        for number, kind in enumerate(kinds)
    ]


def json_part(name: str, columns: Mapping[str, str], parameter: int) -> str:
    """Part of a statement on PostgreSQL: the rows that a parameter holds as `json_rows` writes them.

    :param columns: with their types
    """
    cells = ", ".join(json_cells(columns.values()))
    rows = f"SELECT {cells} FROM jsonb_array_elements(${parameter}::jsonb) v"  # noqa: S608 our names
    return f"{name} ({', '.join(columns)}) AS MATERIALIZED ({rows})"


def json_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as one JSON array of arrays: an array of PostgreSQL for each column costs the driver five times as
    much.
    """
    return to_json(list(rows), bytes_mode="hex").decode()


@lru_cache(maxsize=1_000)
def _parts(targets: tuple[Target | Alteration, ...], first: int, judge: str) -> tuple[str, str]:
    parts, returned = [], []
    for number, target in enumerate(targets):
        name = f"added_{number}"
        parts.append(f"{name} AS ({target.on_postgresql(first + number, judge)})")
        if target.returning:
            row = ", ".join(target.returning)
            found = f"SELECT json_agg(json_build_array({row})) FROM {name}"  # noqa: S608 our names
            returned.append(f"({found})")
    return ", ".join(parts), f"json_build_array({', '.join(returned)})::text" if returned else "NULL"
