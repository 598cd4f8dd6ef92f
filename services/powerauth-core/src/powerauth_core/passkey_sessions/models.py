"""Ceremonies that a browser has begun (spec/device-trust.md §4.9)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, JsonText, Timestamp


class PasskeySession(Base):
    """A registration or a sign-in; it is answered once.

    Whose passkey a registration makes, and what a sign-in approves, stands in the activation and the
    operation.
    """

    __tablename__ = "dt_passkey_session"
    __table_args__ = (Index("dt_passkey_session_expires_at_idx", "expires_at"),)

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hex of SHA-256 of the id that the browser has."""
    purpose: Mapped[str] = mapped_column(String(16))
    """REGISTRATION or ASSERTION."""
    application_id: Mapped[int] = mapped_column(ForeignKey("pa_application.id"))
    activation_id: Mapped[str | None] = mapped_column(String(37))
    """The activation that the passkey becomes."""
    operation_id: Mapped[str | None] = mapped_column(String(37))
    """The operation that the passkey approves."""
    user_id: Mapped[str | None] = mapped_column(String(255))
    """Who has to sign in; empty: whoever the passkey belongs to."""
    allowed: Mapped[list[str] | None] = mapped_column(JsonText())
    """JSON array of credential ids that were offered, Base64; empty: the authenticator chose."""
    ticket: Mapped[str | None] = mapped_column(String(64))
    """Hex of SHA-256 of the ticket that the registration was begun with, to be spent with it."""
    context: Mapped[dict[str, Any] | None] = mapped_column(JsonText())
    """JSON of what the tokens of a sign-in are asked to be."""
    expires_at: Mapped[datetime] = mapped_column(Timestamp)
    """Until when it may be answered, naive UTC."""
    consumed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    """When it was answered."""
