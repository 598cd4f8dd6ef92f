"""Counts of attempts (spec/device-trust.md §1.8)."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, Timestamp


class Lockout(Base):
    """Failures of one subject, and until when it is locked out."""

    __tablename__ = "dt_lockout"
    __table_args__ = (Index("dt_lockout_first_failure_idx", "first_failure_at"),)

    subject: Mapped[str] = mapped_column(String(128), primary_key=True)
    """What is tried, as a hash, and from where if that counts by itself."""
    failures: Mapped[int]
    """How many, since they were last forgotten."""
    first_failure_at: Mapped[datetime] = mapped_column(Timestamp)
    """When the first of them was, naive UTC."""
    locked_until: Mapped[datetime | None] = mapped_column(Timestamp)
    """Until when nothing is tried any more; empty: it never was locked out."""


class Rate(Base):
    """How often something was asked for in one window of time."""

    __tablename__ = "dt_rate"
    __table_args__ = (Index("dt_rate_window_start_idx", "window_start"),)

    subject: Mapped[str] = mapped_column(String(160), primary_key=True)
    """What for, and by whom."""
    window_start: Mapped[datetime] = mapped_column(Timestamp, primary_key=True)
    """When the window began, naive UTC."""
    count: Mapped[int] = mapped_column(BigInteger)
    """How often."""
