"""Queries for counts of attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Table, delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.attempts.models import Lockout, Rate
from servicekit.database import insert_ignore

_COUNT = text(
    "INSERT INTO dt_rate (subject, window_start, count) VALUES (:subject, :window_start, 1)"
    " ON CONFLICT (subject, window_start) DO UPDATE SET count = dt_rate.count + 1 RETURNING count"
)


async def count(session: AsyncSession, subject: str, window_start: datetime) -> int:
    """Count once more; how often it was in this window."""
    values = {"subject": subject, "window_start": window_start}
    return int(await session.scalar(_COUNT, values) or 0)


async def locked_until(session: AsyncSession, subjects: Sequence[str], now: datetime) -> datetime | None:
    """Until when one of the subjects is locked out; the latest moment."""
    statement = select(func.max(Lockout.locked_until)).where(
        Lockout.subject.in_(subjects), Lockout.locked_until > now
    )
    return cast("datetime | None", await session.scalar(statement))


async def lock(session: AsyncSession, subject: str, now: datetime) -> Lockout:
    """The subject's row under its lock, made if there is none."""
    new = {"subject": subject, "failures": 0, "first_failure_at": now}
    await insert_ignore(session, cast(Table, Lockout.__table__), new)
    return await session.get_one(Lockout, subject, with_for_update=True, populate_existing=True)


async def forget(session: AsyncSession, subject: str) -> None:
    """Failures of this subject were the owner's."""
    await session.execute(delete(Lockout).where(Lockout.subject == subject))


async def delete_old(session: AsyncSession, counted_before: datetime, failed_before: datetime) -> int:
    """Delete windows and failures that nobody asks for any more and return the number of rows."""
    rates = await session.execute(delete(Rate).where(Rate.window_start < counted_before))
    unlocked = or_(Lockout.locked_until.is_(None), Lockout.locked_until < failed_before)
    old = delete(Lockout).where(Lockout.first_failure_at < failed_before, unlocked)
    failures = await session.execute(old)
    return cast("CursorResult[Any]", rates).rowcount + cast("CursorResult[Any]", failures).rowcount
