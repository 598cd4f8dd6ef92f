"""Binding tickets (spec/device-trust.md §1.8, §1.9)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, Timestamp
from powerauth_core.kernel.errors import UnsoundRecord
from servicekit.row_macs import BoundRow


class BindingTicket(BoundRow, Base):
    """A ticket that can be used once; the ticket itself is known to whom it was given alone."""

    BOUND_COLUMNS = ("hash", "application_id", "user_id", "used")

    __tablename__ = "dt_ticket"
    __table_args__ = (Index("dt_ticket_expires_at", "expires_at"),)

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the ticket, hexadecimal."""
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="dt_ticket_application_fk")
    )
    user_id: Mapped[str] = mapped_column(String(255))
    """The bank's id of the user whom it vouches for."""
    expires_at: Mapped[datetime] = mapped_column(Timestamp)
    """Until when it can be used."""
    used: Mapped[int] = mapped_column(Integer)
    """1: it was used or taken back."""
    used_at: Mapped[datetime | None] = mapped_column(Timestamp)
    """When that was."""
    created_by: Mapped[str | None] = mapped_column(String(255))
    """Who made it."""

    def is_written_unsound(self) -> None:
        """:raises UnsoundRecord: it is worth nothing"""
        raise UnsoundRecord
