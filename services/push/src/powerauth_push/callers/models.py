"""Callers: their credentials and what these open (D23)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_push.base import Base
from servicekit.database import UtcTimestamp
from servicekit.row_macs import BoundRow


class Integration(BoundRow, Base):
    """One caller.

    :ivar client_secret: SHA-256 of the secret, which is random, in hexadecimal
    :ivar scopes: names of `Scope`, separated by spaces
    """

    BOUND_COLUMNS = ("id", "client_token", "client_secret", "scopes")

    __tablename__ = "push_integration"

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    """Its name."""
    client_token: Mapped[str] = mapped_column(String(37), unique=True)
    """Name that it calls with."""
    client_secret: Mapped[str] = mapped_column(String(255))
    scopes: Mapped[str] = mapped_column(String(255))
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)
