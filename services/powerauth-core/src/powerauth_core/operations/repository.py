"""Queries of the operation domain. An operation is read together with the ids of its applications."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Row, Select, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from powerauth_contracts.enums import OperationStatus
from powerauth_core.applications.models import Application
from powerauth_core.operations.models import Operation, OperationApplication
from powerauth_core.operations.stored import (
    CHANGING_COLUMNS,
    OPERATION_COLUMNS,
    OperationRow,
    StoredOperation,
)
from servicekit.database import Dialect, for_update, insert_ignore

_OPERATIONS = Operation.__table__
_LINKS = OperationApplication.__table__
_APPLICATIONS = Application.__table__


class _JsonArray(GenericFunction[Any]):
    """The values of a group as one JSON array."""

    type = JSON()
    inherit_cache = True


@compiles(_JsonArray, "postgresql")
def _on_postgresql(element: _JsonArray, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_agg({compiler.process(element.clauses, **options)})"


@compiles(_JsonArray, "sqlite")
def _on_sqlite(element: _JsonArray, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


# One probe of the operation's applications per row, so that a page of operations is a single query.
_APPLICATION_IDS = (
    select(_JsonArray(_APPLICATIONS.c.name))
    .where(
        _LINKS.c.operation_id == _OPERATIONS.c.id,
        _APPLICATIONS.c.id == _LINKS.c.application_id,
    )
    .correlate(_OPERATIONS)
    .scalar_subquery()
)


async def lock(
    session: AsyncSession, dialect: Dialect, operation_id: str, scope: Sequence[str] | None = None
) -> StoredOperation | None:
    """The operation, locked until the end of the transaction and read anew after the lock was got.

    Locks go in this order everywhere: activations by id, operations by id, recovery codes (D9).
    """
    return await _one(session, for_update(_by_id(operation_id, scope), dialect, of=Operation))


async def lock_free_ones(session: AsyncSession, dialect: Dialect, operation_ids: Collection[str]) -> set[str]:
    """Lock those of the operations that nobody else holds, in the order of their ids (D9); their ids."""
    statement = select(Operation.id).where(Operation.id.in_(operation_ids)).order_by(Operation.id)
    return set(await session.scalars(for_update(statement, dialect, skip_locked=True)))


async def lock_overdue(
    session: AsyncSession, dialect: Dialect, now: datetime, limit: int
) -> list[StoredOperation]:
    """Pending operations past their expiry, the oldest first, without those that somebody else holds."""
    statement = (
        _select()
        .where(Operation.status == OperationStatus.PENDING, Operation.timestamp_expires < now)
        .order_by(Operation.timestamp_expires)
        .limit(limit)
    )
    return await _all(session, for_update(statement, dialect, skip_locked=True, of=Operation))


async def add(session: AsyncSession, operation: OperationRow, application_rids: Collection[int]) -> bool:
    """Insert the operation and its links; False if the id is taken."""
    values = {name: getattr(operation, name) for name in OPERATION_COLUMNS}
    if await insert_ignore(session, Operation.__table__, values) == 0:  # type: ignore[arg-type]
        return False
    links = [{"application_id": rid, "operation_id": operation.id} for rid in application_rids]
    await session.execute(insert(OperationApplication), links)
    return True


async def update_changed(session: AsyncSession, operation: OperationRow) -> None:
    """Write the columns of a locked operation that its transitions change."""
    values = {name: getattr(operation, name) for name in CHANGING_COLUMNS}
    await session.execute(update(Operation).where(Operation.id == operation.id).values(values))


def _select() -> Select[Any]:
    return select(*[_OPERATIONS.c[name] for name in OPERATION_COLUMNS], _APPLICATION_IDS)


def _by_id(operation_id: str, scope: Sequence[str] | None) -> Select[Any]:
    statement = _select().where(Operation.id == operation_id)
    if scope is None:
        return statement
    rids = select(_APPLICATIONS.c.id).where(_APPLICATIONS.c.name.in_(scope))
    return statement.where(_linked(_LINKS.c.application_id.in_(rids)))


def _linked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(_LINKS.c.operation_id == _OPERATIONS.c.id, condition).correlate(_OPERATIONS)


async def _one(session: AsyncSession, statement: Select[Any]) -> StoredOperation | None:
    found = (await session.execute(statement)).one_or_none()
    return None if found is None else _stored(found)


async def _all(session: AsyncSession, statement: Select[Any]) -> list[StoredOperation]:
    rows = await session.execute(statement)
    return [_stored(row) for row in rows]


def _stored(row: Row[Any]) -> StoredOperation:
    columns: list[Any] = list(row)
    applications = columns.pop()
    return StoredOperation(OperationRow(*columns), tuple(sorted(applications or ())))
