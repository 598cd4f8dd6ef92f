"""Registrations of devices (spec/push-api.md §19)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_push.base import Base, sequence_id
from servicekit.database import UtcTimestamp


class DeviceRegistration(Base):
    """One activation at one push token.

    :ivar app_id: `AppCredentials.id`
    :ivar platform: as the app sent it, old names included
    :ivar push_token_digest: SHA-256 of the token in hexadecimal: what it is looked up by
    :ivar is_active: whether the activation is ACTIVE, as this service last heard
    """

    __tablename__ = "push_device_registration"
    __table_args__ = (
        Index("push_device_activation", "activation_id", unique=True),
        Index("push_device_user_app", "user_id", "app_id"),
        Index("push_device_app_digest", "app_id", "push_token_digest"),
    )

    id: Mapped[int] = sequence_id("push_device_registration_seq")
    activation_id: Mapped[str | None] = mapped_column(String(37))
    user_id: Mapped[str | None] = mapped_column(String(255))
    app_id: Mapped[int] = mapped_column(Integer)
    platform: Mapped[str] = mapped_column(String(255))
    push_token: Mapped[str] = mapped_column(Text)
    """The provider's token of the phone."""
    push_token_digest: Mapped[str] = mapped_column(String(64))
    environment: Mapped[str | None] = mapped_column(String(255))
    """Which of Apple's services the token is of."""
    timestamp_last_registered: Mapped[datetime] = mapped_column(UtcTimestamp)
    """When the app last registered it."""
    is_active: Mapped[bool] = mapped_column(default=False, server_default=false())
