"""MAC tokens (spec/core-api.md §11, §25; D13)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.activations.models import Activation
from powerauth_core.kernel.base import Base, Timestamp


class Token(Base):
    """One token of an activation. ``token_secret`` is its Base64, or the encrypted record of it."""

    __tablename__ = "pa_token"
    __table_args__ = (Index("pa_token_activation", "activation_id"),)

    token_id: Mapped[str] = mapped_column(String(37), primary_key=True)
    """Id that its headers tell."""
    token_secret: Mapped[str] = mapped_column(String(255))
    """Its secret. **Secret.**"""
    token_secret_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    activation_id: Mapped[str] = mapped_column(
        String(37), ForeignKey(Activation.activation_id, name="activation_token_fk")
    )
    signature_type: Mapped[str] = mapped_column(String(255))
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
