"""Queries about used statements."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Table, delete
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.statements.models import StatementUse
from servicekit.database import insert_ignore

_TABLE = cast(Table, StatementUse.__table__)


async def use(session: AsyncSession, statement_id: str, call: str, expires: datetime) -> bool:
    """Remember that a statement came with a call; whether it had not before."""
    values = {"statement_id": statement_id, "call": call, "timestamp_expires": expires}
    return await insert_ignore(session, _TABLE, values) == 1


async def forget_before(session: AsyncSession, moment: datetime) -> int:
    """Delete what is over; how many."""
    result = await session.execute(delete(StatementUse).where(StatementUse.timestamp_expires < moment))
    return cast(CursorResult[Any], result).rowcount
