"""Reading the signature audit in the order of its chains, in short transactions and bounded memory.

No transaction lasts longer than a chunk: a long one would keep the database from cleaning up what the
running cores leave behind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    LargeBinary,
    Select,
    String,
    and_,
    column,
    func,
    or_,
    select,
    table,
    tuple_,
    type_coerce,
)
from sqlalchemy.types import NullType

from powerauth_core.audit.chain.models import AuditChainRegistry
from powerauth_core.audit.chain.rules import StoredRow
from powerauth_core.audit.signatures import AUDIT_COLUMNS
from servicekit.database import Database

CHUNK = 2_000
WINDOW = 20_000

_AUDIT = table(
    "pa_signature_audit",
    column("id", BigInteger()),
    column("chain_id", String()),
    column("chain_position", BigInteger()),
    column("chain_mac", LargeBinary()),
    *[column(name, DateTime() if kind == "timestamp" else None) for name, kind in AUDIT_COLUMNS.items()],
)
_ROW = _AUDIT.c
_PLACE = (_ROW.id, _ROW.chain_id, _ROW.chain_position, _ROW.chain_mac)
_TRUTH = [index for index, kind in enumerate(AUDIT_COLUMNS.values()) if kind == "bool"]
_TIMES = [index for index, kind in enumerate(AUDIT_COLUMNS.values()) if kind == "timestamp"]
# As stored: what our types would make of a changed value is not what was written.
_CONTENT = [type_coerce(_ROW[name], NullType()) for name in AUDIT_COLUMNS]


async def chained(
    database: Database, chain_id: str | None = None, above: int = 0, until: int | None = None
) -> AsyncIterator[list[StoredRow]]:
    """Rows that have a place in a chain: chain by chain, position by position; those that claim one position
    together.

    :param chain_id: only this chain, and of it only what is above one position, until another
    """
    place = tuple_(_ROW.chain_id, _ROW.chain_position, _ROW.id)
    statement = (
        select(*_PLACE, *_CONTENT)
        .where(_ROW.chain_id.is_not(None), _ROW.chain_position.is_not(None))
        .order_by(_ROW.chain_id, _ROW.chain_position, _ROW.id)
        .limit(CHUNK)
    )
    if chain_id is not None:
        statement = statement.where(_ROW.chain_id == chain_id, _ROW.chain_position > above)
    if until is not None:
        statement = statement.where(_ROW.chain_position <= until)
    held: list[StoredRow] = []
    async for rows in _chunks(database, statement, lambda last: place > tuple_(last[1], last[2], last[0])):
        for _, found in groupby(rows, key=lambda row: (row.chain_id, row.position)):
            group = list(found)
            if held and (held[0].chain_id, held[0].position) == (group[0].chain_id, group[0].position):
                held += group
                continue
            if held:
                yield held
            held = group
    if held:
        yield held


async def without_place(database: Database) -> AsyncIterator[StoredRow]:
    """Rows with some of the chain's columns and not all: nobody writes such."""
    incomplete = or_(
        and_(_ROW.chain_id.is_not(None), or_(_ROW.chain_position.is_(None), _ROW.chain_mac.is_(None))),
        and_(_ROW.chain_id.is_(None), or_(_ROW.chain_position.is_not(None), _ROW.chain_mac.is_not(None))),
    )
    async for row in _by_id(database, incomplete):
        yield row


async def unchained_since(database: Database, registry: AuditChainRegistry) -> AsyncIterator[StoredRow]:
    """Rows without a chain that are newer than the first chain."""
    newer = or_(_ROW.id > registry.unchained_id, _ROW.timestamp_created > registry.unchained_time)
    async for row in _by_id(database, and_(_unchained(), newer)):
        yield row


async def count_unchained(database: Database, *, first: int | None = None, last: int | None = None) -> int:
    """How many rows have no chain, all of them or between two ids."""
    counted = 0
    async for window in _windows(database, first, last):
        statement = select(func.count()).select_from(_AUDIT).where(window, _unchained())
        async with database.read() as session:
            counted += await session.scalar(statement) or 0
    return counted


async def mac_at(database: Database, chain_id: str, position: int) -> bytes | None:
    """The stored MAC at a place, None if there is no row."""
    async with database.read() as session:
        found: bytes | None = await session.scalar(
            select(_ROW.chain_mac)
            .where(_ROW.chain_id == chain_id, _ROW.chain_position == position)
            .order_by(_ROW.id)
            .limit(1)
        )
        return found


def _unchained() -> ColumnElement[bool]:
    return and_(_ROW.chain_id.is_(None), _ROW.chain_position.is_(None), _ROW.chain_mac.is_(None))


async def _by_id(database: Database, condition: ColumnElement[bool]) -> AsyncIterator[StoredRow]:
    """Rows by id, of their content the activation only."""
    async for window in _windows(database):
        statement = select(*_PLACE, _ROW.activation_id).where(window, condition).order_by(_ROW.id)
        async with database.read() as session:
            rows = (await session.execute(statement)).all()
        for row in rows:
            yield _stored(row, raw=False)


async def _windows(
    database: Database, first: int | None = None, last: int | None = None
) -> AsyncIterator[ColumnElement[bool]]:
    """Conditions that split the table by id into parts that one statement can look at in time."""
    above = None if first is None else first - 1
    while True:
        window = [] if above is None else [_ROW.id > above]
        if last is not None:
            window.append(_ROW.id <= last)
        page = select(_ROW.id).where(*window).order_by(_ROW.id).limit(WINDOW).subquery()
        async with database.read() as session:
            highest = await session.scalar(select(func.max(page.c.id)))
        if highest is None:
            return
        yield and_(*window, _ROW.id <= highest)
        above = highest


async def _chunks(database: Database, statement: Select[Any], after: Any) -> AsyncIterator[list[StoredRow]]:
    last: Sequence[Any] | None = None
    while True:
        following = statement if last is None else statement.where(after(last))
        async with database.read() as session:
            rows = (await session.execute(following)).all()
        if not rows:
            return
        yield [_stored(row, database.dialect == "sqlite") for row in rows]
        last = rows[-1]


def _stored(row: Sequence[Any], raw: bool) -> StoredRow:
    content = list(row[len(_PLACE) :])
    if raw:
        _decode(content)
    # SQLite takes any value in any column.
    position = row[2] if isinstance(row[2], int) else 0
    mac = row[3] if isinstance(row[3], bytes) else b""
    return StoredRow(row[0], row[1], position, mac, tuple(content))


def _decode(content: list[Any]) -> None:
    """SQLite's numbers for truth values and texts for times; what is neither stays as it is."""
    for index in _TRUTH:
        if content[index] in (0, 1) and type(content[index]) is int:
            content[index] = bool(content[index])
    for index in _TIMES:
        if isinstance(content[index], str):
            with suppress(ValueError):
                content[index] = datetime.fromisoformat(content[index])
