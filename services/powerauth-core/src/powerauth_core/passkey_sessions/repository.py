"""Queries for ceremonies that browsers have begun."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.passkey_sessions.models import PasskeySession
from powerauth_core.passkey_sessions.rules import Purpose, SessionId


async def consume(
    session: AsyncSession, given: SessionId, purpose: Purpose, now: datetime
) -> PasskeySession | None:
    """Take a session that was begun for this and is not over: of several callers one gets it."""
    statement = (
        update(PasskeySession)
        .where(
            PasskeySession.hash == given.hash,
            PasskeySession.purpose == purpose.value,
            PasskeySession.consumed_at.is_(None),
            PasskeySession.expires_at > now,
        )
        .values(consumed_at=now)
        .returning(PasskeySession)
    )
    return cast("PasskeySession | None", await session.scalar(statement))


async def delete_old(session: AsyncSession, ended_before: datetime) -> int:
    """Delete sessions that ended before a moment and return the number of rows."""
    result = await session.execute(delete(PasskeySession).where(PasskeySession.expires_at < ended_before))
    return cast("CursorResult[Any]", result).rowcount
