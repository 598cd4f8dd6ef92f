"""Callback URLs and their deliveries (spec/core-api.md §18, §25)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_contracts.enums import CallbackUrlType
from powerauth_core.kernel.base import Base, JsonString, LongId, Timestamp, sequence_id
from powerauth_core.kernel.errors import UnsoundRecord
from servicekit.row_macs import BoundRow


class CallbackUrl(BoundRow, Base):
    """One configured callback. Removal only clears ``enabled``."""

    BOUND_COLUMNS = ("id", "application_id", "callback_url", "authentication", "encryption_mode")

    __tablename__ = "pa_application_callback"
    __table_args__ = (Index("pa_app_callback_app", "application_id"),)

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="callback_application_fk")
    )
    name: Mapped[str | None] = mapped_column(String(255))
    """Its name."""
    callback_url: Mapped[str | None] = mapped_column(String(1024))
    """Where it goes."""
    type: Mapped[str] = mapped_column(
        String(64),
        default=CallbackUrlType.ACTIVATION_STATUS_CHANGE.value,
        server_default=CallbackUrlType.ACTIVATION_STATUS_CHANGE.value,
    )
    """What it is called for."""
    attributes: Mapped[list[str] | None] = mapped_column(JsonString(1024))
    """JSON array of what is told."""
    authentication: Mapped[str | None] = mapped_column(Text)
    """JSON: how it shows who calls. **Secret.**"""
    encryption_mode: Mapped[str] = mapped_column(
        String(255), default="NO_ENCRYPTION", server_default="NO_ENCRYPTION"
    )
    max_attempts: Mapped[int | None]
    """Attempts at most; empty: as the service is set."""
    initial_backoff: Mapped[str | None] = mapped_column(String(64))
    """Pause after the first failed one, an ISO 8601 duration; empty: as the service is set."""
    retention_period: Mapped[str | None] = mapped_column(String(64))
    """How long events are kept, an ISO 8601 duration; empty: as the service is set."""
    enabled: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether it is called; a removed one is not."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    timestamp_last_updated: Mapped[datetime | None] = mapped_column(Timestamp)

    def is_written_unsound(self) -> None:
        """:raises UnsoundRecord: it would go on being called"""
        if self.enabled:
            raise UnsoundRecord


class CallbackUrlEvent(Base):
    """One delivery of a callback, from the business transaction until it is forgotten (§18.4)."""

    __tablename__ = "pa_application_callback_event"
    __table_args__ = (
        Index("pa_app_cb_event_status_idx", "status"),
        Index("pa_app_cb_event_ts_del_idx", "timestamp_delete_after"),
    )

    id: Mapped[int] = sequence_id("pa_app_callback_event_seq", LongId, increment=50)
    application_callback_id: Mapped[str] = mapped_column(String(37))
    """The callback, `pa_application_callback.id`."""
    callback_data: Mapped[str] = mapped_column(Text)
    """JSON that is sent."""
    status: Mapped[str] = mapped_column(String(32))
    """Where the delivery stands."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())
    timestamp_last_call: Mapped[datetime | None] = mapped_column(Timestamp)
    """When the last attempt began."""
    timestamp_next_call: Mapped[datetime | None] = mapped_column(Timestamp)
    """When the next one is due."""
    timestamp_delete_after: Mapped[datetime | None] = mapped_column(Timestamp)
    """When it is forgotten."""
    timestamp_rerun_after: Mapped[datetime | None] = mapped_column(Timestamp)
    """When an attempt without an outcome counts as lost."""
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    idempotency_key: Mapped[str] = mapped_column(String(36))
    """UUID that every attempt tells, the same one."""
    traceparent: Mapped[str | None] = mapped_column(String(55))
    """Of the trace in which it came about, if that is recorded."""
