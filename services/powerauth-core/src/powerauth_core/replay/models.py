"""Unique values against replay (spec/core-api.md §15, §25)."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, EnumCode, PlainTimestamp
from powerauth_core.kernel.enums import UniqueValueType


class UniqueValue(Base):
    """One value that was seen and must not be accepted again before it expires."""

    __tablename__ = "pa_unique_value"
    __table_args__ = (Index("pa_unique_value_expiration", "timestamp_expires"),)

    unique_value: Mapped[str] = mapped_column(String(255), primary_key=True)
    """The value, or a hash of it."""
    type: Mapped[UniqueValueType] = mapped_column(EnumCode(UniqueValueType))
    """What it is of."""
    timestamp_expires: Mapped[datetime] = mapped_column(PlainTimestamp)
