"""What is to be sent to phones (spec/cloud-api.md §13.5, §16)."""

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud_private_api.base import Base
from servicekit.database import UtcTimestamp


class PushOutbox(Base):
    """An announcement that push has not taken yet; from ``timestamp_due`` on any process may take it."""

    __tablename__ = "pa_cloud_push_outbox"
    __table_args__ = (Index("pa_cloud_push_outbox_due", "timestamp_due"),)

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    """JSON of the message."""
    attempts: Mapped[int] = mapped_column(Integer)
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)
    timestamp_expires: Mapped[datetime] = mapped_column(UtcTimestamp)
    timestamp_due: Mapped[datetime] = mapped_column(UtcTimestamp)
    """When the next attempt is due."""
