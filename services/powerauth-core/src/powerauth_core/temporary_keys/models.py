"""Temporary keys (spec/core-api.md §13, §25)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.activations.models import Activation
from powerauth_core.kernel.base import Base, PlainTimestamp


class TemporaryKey(Base):
    """One temporary key pair, bound to an application key and optionally to an activation."""

    __tablename__ = "pa_temporary_key"
    __table_args__ = (Index("pa_temporary_key_ts_key_idx", "timestamp_expires"),)

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    application_key: Mapped[str] = mapped_column(String(32))
    """Version of the application that it was made for."""
    activation_id: Mapped[str | None] = mapped_column(
        String(37), ForeignKey(Activation.activation_id, name="pa_temporary_activation_id_fk")
    )
    """The activation, if it was made for one."""
    private_key_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    private_key_base64: Mapped[str] = mapped_column(String(255))
    """Private key. **Secret.**"""
    public_key_base64: Mapped[str] = mapped_column(String(255))
    """Public key, which the phone got."""
    timestamp_expires: Mapped[datetime] = mapped_column(PlainTimestamp)
