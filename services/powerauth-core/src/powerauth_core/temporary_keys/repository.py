"""Queries for temporary keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.temporary_keys.models import TemporaryKey


async def find(session: AsyncSession, key_id: str) -> TemporaryKey | None:
    """The temporary key with this id, expired or not."""
    statement = select(TemporaryKey).where(TemporaryKey.id == key_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def is_usable(session: AsyncSession, key_id: str, now: datetime) -> bool:
    """Whether the temporary key is there and has not expired."""
    found = exists().where(TemporaryKey.id == key_id, TemporaryKey.timestamp_expires >= now)
    return bool((await session.execute(select(found))).scalar_one())


async def remove(session: AsyncSession, key_id: str) -> None:
    """Delete a temporary key if it is there."""
    await session.execute(delete(TemporaryKey).where(TemporaryKey.id == key_id))


async def delete_expired(session: AsyncSession, now: datetime) -> int:
    """Delete expired keys and return the number of rows."""
    result = await session.execute(delete(TemporaryKey).where(TemporaryKey.timestamp_expires < now))
    return cast("CursorResult[Any]", result).rowcount
