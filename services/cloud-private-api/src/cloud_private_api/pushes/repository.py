"""Queries on ``pa_cloud_push_outbox``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import SQLColumnExpression, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.pushes import rules
from cloud_private_api.pushes.models import PushOutbox


class Claimed(NamedTuple):
    """A row that was taken."""

    id: str
    content: str
    created: datetime
    expires: datetime
    attempts: int


async def claim(session: AsyncSession, limit: int, now: datetime) -> list[Claimed]:
    """Take what is due, the newest first, but a quarter from what has been due longest.

    Who has just made an operation waits for it still. Others leave it alone until the lease is over.
    """
    share = limit // 4
    longest = await _taken(session, PushOutbox.timestamp_due, share, now)
    newest: list[PushOutbox] = []
    if len(longest) == share:
        newest = await _taken(session, PushOutbox.timestamp_due.desc(), limit - share, now)
    return [
        Claimed(row.id, row.content, row.timestamp_created, row.timestamp_expires, row.attempts)
        for row in newest + longest
    ]


async def _taken(
    session: AsyncSession, order: SQLColumnExpression[datetime], limit: int, now: datetime
) -> list[PushOutbox]:
    due = select(PushOutbox).where(PushOutbox.timestamp_due <= now).order_by(order).limit(limit)
    rows = list(await session.scalars(due.with_for_update(skip_locked=True)))
    for row in rows:
        row.timestamp_due = now + rules.LEASE
    return rows


async def remove(session: AsyncSession, ids: Iterable[str]) -> None:
    """Forget what is done with."""
    await session.execute(delete(PushOutbox).where(PushOutbox.id.in_(ids)))


async def remove_ended(session: AsyncSession, limit: int, now: datetime) -> int:
    """Forget what nobody needs to be told any more, but for what others have in hand; how much it was."""
    ended = (
        select(PushOutbox.id)
        .where(PushOutbox.timestamp_expires <= now)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    removed = await session.execute(
        delete(PushOutbox).where(PushOutbox.id.in_(ended)).returning(PushOutbox.id)
    )
    return len(removed.all())


async def postpone(session: AsyncSession, due: Mapping[str, datetime]) -> None:
    """Count a failed attempt of each; it may be tried again from its moment on."""
    for row_id, moment in due.items():
        change = {"timestamp_due": moment, "attempts": PushOutbox.attempts + 1}
        await session.execute(update(PushOutbox).where(PushOutbox.id == row_id).values(change))


async def oldest(session: AsyncSession) -> datetime | None:
    """When what has waited longest was announced."""
    return await session.scalar(select(func.min(PushOutbox.timestamp_created)))
