"""Queries for unique values."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Table, delete
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.replay.models import UniqueValue
from servicekit.database import insert_ignore

_TABLE = cast(Table, UniqueValue.__table__)


async def add(session: AsyncSession, value: str, kind: UniqueValueType, expires: datetime) -> bool:
    """Store a value; False if it is there already, also when another transaction commits it first."""
    row = {"unique_value": value, "type": kind, "timestamp_expires": expires}
    return await insert_ignore(session, _TABLE, row) == 1


async def delete_expired(session: AsyncSession, now: datetime) -> int:
    """Delete what is not needed any more and return the number of rows."""
    result = await session.execute(delete(UniqueValue).where(UniqueValue.timestamp_expires < now))
    return cast("CursorResult[Any]", result).rowcount
