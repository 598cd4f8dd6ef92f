"""The log of messages (spec/push-api.md §19) and the queue of those that are still to be sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_push.base import LONG, Base, sequence_id
from powerauth_push.dispatch.rules import OPERATION_ID_LENGTH
from servicekit.database import UtcTimestamp
from servicekit.partial_indexes import PartialIndex


class MessageRecord(Base):
    """A message to one device, kept if the installation wants it; ``status`` is a `MessageStatus`.

    :ivar activation_id: as the request named it
    """

    __tablename__ = "push_message"
    __table_args__ = (
        Index("push_message_status", "status"),
        Index("push_message_created", "timestamp_created"),
    )

    id: Mapped[int] = sequence_id("push_message_seq")
    device_registration_id: Mapped[int] = mapped_column(Integer)
    """The device, `push_device_registration.id`."""
    user_id: Mapped[str] = mapped_column(String(255))
    activation_id: Mapped[str | None] = mapped_column(String(37))
    is_silent: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it shows nothing."""
    is_personal: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it goes to active registrations alone."""
    message_body: Mapped[str] = mapped_column(Text)
    """JSON of the message."""
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)
    status: Mapped[int] = mapped_column(Integer)
    """Its outcome."""


class Delivery(Base):
    """A message that is still to be sent to one device.

    Whoever takes it writes itself into ``lease_owner`` and moves ``timestamp_due`` to when it is to be taken
    over if nothing is heard of it any more.

    :ivar delivery_key: UUID of the message at the provider, the same in every attempt
    :ivar activation_id: whose registration it was; another one's at the same row does not get it
    :ivar message_id: of its `MessageRecord`
    :ivar campaign_id: sent to a device at most once, even if that means not at all
    :ivar operation_id: what it announces, with whose end it goes
    :ivar message: JSON, as `dispatch.stored` writes it
    :ivar traceparent: of the trace in which it came about, if that is recorded
    :ivar timestamp_first: when an attempt was first told the outcome of; None: there has been none
    """

    __tablename__ = "push_delivery"
    __table_args__ = (
        Index("push_delivery_due", "provider", "timestamp_due"),
        Index("push_delivery_campaign", "campaign_id"),
        Index("push_delivery_operation", "operation_id"),
        PartialIndex(
            "push_delivery_announced", "provider", "timestamp_due", where="operation_id IS NOT NULL"
        ),
    )

    id: Mapped[int] = sequence_id("push_delivery_seq", LONG)
    delivery_key: Mapped[str] = mapped_column(String(36))
    provider: Mapped[str] = mapped_column(String(8))
    """`apns`, `fcm` or `hms`."""
    app_id: Mapped[int] = mapped_column(Integer)
    """The application, `push_app_credentials.id`."""
    device_registration_id: Mapped[int] = mapped_column(Integer)
    """The device, `push_device_registration.id`."""
    activation_id: Mapped[str | None] = mapped_column(String(37))
    message_id: Mapped[int | None] = mapped_column(Integer)
    campaign_id: Mapped[int | None] = mapped_column(Integer)
    operation_id: Mapped[str | None] = mapped_column(String(OPERATION_ID_LENGTH))
    message: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(32))
    """The process that is at work on it."""
    timestamp_first: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    timestamp_due: Mapped[datetime] = mapped_column(UtcTimestamp)
    """When it is to be sent, or taken over."""
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)
    traceparent: Mapped[str | None] = mapped_column(String(55))
