"""Statements of the core that have been used (D1 rule 5)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_push.base import Base
from servicekit.database import UtcTimestamp


class StatementUse(Base):
    """A statement is good for one call of each of the paths that its action needs."""

    __tablename__ = "push_statement_use"
    __table_args__ = (Index("push_statement_use_expires", "timestamp_expires"),)

    statement_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Id of the statement."""
    call: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The call that it was used for."""
    timestamp_expires: Mapped[datetime] = mapped_column(UtcTimestamp)
