"""Queries for stored messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.applications.models import AppCredentials
from powerauth_push.inbox.models import InboxApplication, InboxMessage
from servicekit.database import Dialect, for_update


async def add(session: AsyncSession, message: InboxMessage, app_numbers: Sequence[int]) -> None:
    """Store a message for these applications."""
    session.add(message)
    await session.flush()
    session.add_all(
        InboxApplication(app_credentials_id=number, inbox_id=message.id) for number in app_numbers
    )


async def find(session: AsyncSession, inbox_id: str) -> InboxMessage | None:
    """The message of this public id."""
    return await session.scalar(select(InboxMessage).where(InboxMessage.inbox_id == inbox_id))


async def lock(session: AsyncSession, dialect: Dialect, inbox_id: str) -> InboxMessage | None:
    """The same, locked until the end of the transaction."""
    statement = select(InboxMessage).where(InboxMessage.inbox_id == inbox_id)
    return await session.scalar(for_update(statement, dialect))


async def applications_of(session: AsyncSession, message: InboxMessage) -> Sequence[str]:
    """The applications that show a message."""
    statement = (
        select(AppCredentials.app_id)
        .join(InboxApplication, InboxApplication.app_credentials_id == AppCredentials.id)
        .where(InboxApplication.inbox_id == message.id)
        .order_by(AppCredentials.app_id)
    )
    return (await session.scalars(statement)).all()


async def page(
    session: AsyncSession,
    user_id: str,
    app_numbers: Sequence[int],
    *,
    only_unread: bool,
    offset: int,
    limit: int,
) -> Sequence[InboxMessage]:
    """A user's messages in these applications, newest first, each once."""
    statement = (
        select(InboxMessage)
        .where(InboxMessage.user_id == user_id, _shown_by(app_numbers))
        .order_by(InboxMessage.timestamp_created.desc(), InboxMessage.id.desc())
        .offset(offset)
        .limit(limit)
    )
    if only_unread:
        statement = statement.where(InboxMessage.is_read.is_(False))
    return (await session.scalars(statement)).all()


async def count_unread(session: AsyncSession, user_id: str, app_number: int) -> int:
    """How many messages of a user an application shows as unread."""
    statement = select(func.count(InboxMessage.id)).where(*_unread(user_id, app_number))
    return int(await session.scalar(statement) or 0)


async def read_all(session: AsyncSession, user_id: str, app_number: int, now: datetime) -> None:
    """Mark all messages of a user that an application shows."""
    await session.execute(
        update(InboxMessage)
        .where(*_unread(user_id, app_number))
        .values(is_read=True, timestamp_read=now)
        .execution_options(synchronize_session=False)
    )


def _unread(user_id: str, app_number: int) -> tuple[ColumnElement[bool], ...]:
    return (
        InboxMessage.user_id == user_id,
        InboxMessage.is_read.is_(False),
        _shown_by([app_number]),
    )


def _shown_by(app_numbers: Sequence[int]) -> ColumnElement[bool]:
    return exists().where(
        InboxApplication.inbox_id == InboxMessage.id, InboxApplication.app_credentials_id.in_(app_numbers)
    )
