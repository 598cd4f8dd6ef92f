"""How often a user may be asked, judged where an operation is stored (spec/core-api.md §19.10).

Who stores an operation that a limit is for moves on the version of its user's row in ``operation_user``: of
two that counted the same operations only one can.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from pydantic_core import from_json
from sqlalchemy import ColumnElement, CursorResult, delete, exists, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import OperationStatus
from powerauth_core.kernel.optimistic import ANOTHER_NOW, PATIENCE_MS
from powerauth_core.operations.models import Operation, OperationApplication, OperationUser
from powerauth_core.operations.statements import admitting
from powerauth_core.operations.stored import OperationRow
from powerauth_core.templates.rules import UserLimits
from servicekit import clock
from servicekit.additions import Additions, json_rows
from servicekit.database import Database, Dialect, conflict_insert
from servicekit.database_errors import sqlstate_of

MINUTE = timedelta(minutes=1)
IDLE = timedelta(minutes=10)
"""How long ago a user's last operation was made when the row is dropped: nobody counts any more who has not
seen that operation.
"""


@dataclass(slots=True)
class Limited:
    """A new operation that a limit is for.

    :ivar application_rids: an operation in any of these counts
    """

    operation: OperationRow
    application_rids: Sequence[int]
    limits: UserLimits


async def write(driver: Any, additions: Additions, limited: Sequence[Limited]) -> Collection[str] | None:
    """Write, in one statement, what does not belong to an operation over its limit (PostgreSQL).

    :param additions: that judge by `statements.ADMITTED`; owned by the ids of their operations
    :param limited: of different users
    :return: ids of those over their limit; None if somebody else made an operation for one of the users
        meanwhile or is about to, and nothing is written
    """
    parts, returned, values = additions.parts(3)
    rows = [
        (
            each.operation.id,
            each.operation.user_id,
            list(each.application_rids),
            each.limits.pending,
            each.limits.per_minute,
            each.operation.timestamp_created,
            each.operation.timestamp_created - MINUTE,
        )
        for each in limited
    ]
    try:
        refused, found, _ = await driver.fetchrow(
            admitting(parts, returned), json_rows(rows), str(PATIENCE_MS), *values
        )
    except Exception as error:
        if sqlstate_of(error) in ANOTHER_NOW:
            return None
        raise
    additions.take(found)
    over: list[str] = from_json(refused or "[]")
    return over


async def admits(session: AsyncSession, dialect: Dialect, new: Limited) -> bool:
    """Whether one more operation stays within its limits; until the end of the transaction nobody else makes
    one for its user.
    """
    insert = conflict_insert(dialect, OperationUser)
    taken = insert.values(user_id=new.operation.user_id, version=secrets.randbits(60))
    version = {"version": OperationUser.version + 1}
    await session.execute(taken.on_conflict_do_update(index_elements=["user_id"], set_=version))
    now = new.operation.timestamp_created
    pending = (Operation.status == OperationStatus.PENDING, Operation.timestamp_expires >= now)
    lately = (Operation.timestamp_created > now - MINUTE,)
    return await _below(session, new, new.limits.pending, *pending) and await _below(
        session, new, new.limits.per_minute, *lately
    )


async def drop_idle(database: Database) -> int:
    """Drop the rows of users of whom no operation was made lately; part of a job of §30.

    :return: number of dropped rows
    """
    lately = exists().where(
        Operation.user_id == OperationUser.user_id, Operation.timestamp_created > clock.now() - IDLE
    )
    # By its version too: of a row that moves on meanwhile it was not seen what made it move.
    found = tuple_(OperationUser.user_id, OperationUser.version)
    idle = select(OperationUser.user_id, OperationUser.version).where(~lately)
    async with database.transaction() as session:
        result = await session.execute(delete(OperationUser).where(found.in_(idle)))
    return cast(CursorResult[Any], result).rowcount


async def _below(
    session: AsyncSession, new: Limited, most: int | None, *conditions: ColumnElement[bool]
) -> bool:
    if most is None:
        return True
    linked = exists().where(
        OperationApplication.operation_id == Operation.id,
        OperationApplication.application_id.in_(new.application_rids),
    )
    found = select(literal(1)).where(Operation.user_id == new.operation.user_id, *conditions, linked)
    counted = await session.scalar(select(func.count()).select_from(found.limit(most).subquery()))
    return (counted or 0) < most
