"""Stored messages (spec/push-api.md §19)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_push.base import Base, sequence_id
from servicekit.database import UtcTimestamp


class InboxMessage(Base):
    """A message of one user; ``inbox_id`` is the id that others know."""

    __tablename__ = "push_inbox"
    __table_args__ = (
        Index("push_inbox_public_id", "inbox_id", unique=True),
        Index("push_inbox_user", "user_id"),
        Index("push_inbox_user_read", "user_id", "is_read"),
        Index("push_inbox_user_created", "user_id", "timestamp_created", "id"),
    )

    id: Mapped[int] = sequence_id("push_inbox_seq")
    inbox_id: Mapped[str] = mapped_column(String(37))
    """Id that others know."""
    user_id: Mapped[str] = mapped_column(String(255))
    message_type: Mapped[str] = mapped_column(String(32))
    """`text` or `html`."""
    subject: Mapped[str] = mapped_column(Text)
    """Its subject."""
    summary: Mapped[str] = mapped_column(Text)
    """What a list shows."""
    body: Mapped[str] = mapped_column(Text)
    """The message."""
    is_read: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the user has opened it."""
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)
    timestamp_read: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    """When."""


class InboxApplication(Base):
    """An application that shows a message: `AppCredentials.id` and `InboxMessage.id`."""

    __tablename__ = "push_inbox_app"
    __table_args__ = (Index("push_inbox_app_inbox", "inbox_id"),)

    app_credentials_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """The application, `push_app_credentials.id`."""
    inbox_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """The message, `push_inbox.id`."""
