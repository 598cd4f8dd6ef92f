"""Recovery codes, their PUKs and the configuration of recovery (spec/core-api.md §8, §25)."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus
from powerauth_core.activations.models import Activation
from powerauth_core.kernel.base import Base, EnumCode, LongId, Timestamp, sequence_id


class RecoveryCode(Base):
    """One recovery code: bound to an activation, or a postcard (``activation_id`` NULL)."""

    __tablename__ = "pa_recovery_code"
    __table_args__ = (
        Index("pa_recovery_code_code", "recovery_code"),
        Index("pa_recovery_code_app", "application_id"),
        Index("pa_recovery_code_user", "user_id"),
        Index("pa_recovery_code_act", "activation_id"),
    )

    id: Mapped[int] = sequence_id("pa_recovery_code_seq", LongId)
    recovery_code: Mapped[str] = mapped_column(String(23))
    """The code that the user is given."""
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="recovery_code_application_fk")
    )
    user_id: Mapped[str] = mapped_column(String(255))
    activation_id: Mapped[str | None] = mapped_column(
        String(37), ForeignKey(Activation.activation_id, name="recovery_code_activation_fk")
    )
    status: Mapped[RecoveryCodeStatus] = mapped_column(
        EnumCode(RecoveryCodeStatus, RecoveryCodeStatus.REVOKED)
    )
    """Its state."""
    failed_attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    max_failed_attempts: Mapped[int] = mapped_column(Integer, default=10, server_default=text("10"))
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
    timestamp_last_used: Mapped[datetime | None] = mapped_column(Timestamp)
    timestamp_last_change: Mapped[datetime | None] = mapped_column(Timestamp)


class RecoveryPuk(Base):
    """One PUK of a recovery code; ``puk`` is an Argon2 text, optionally encrypted."""

    __tablename__ = "pa_recovery_puk"
    __table_args__ = (
        Index("pa_recovery_code_puk", "recovery_code_id", "puk_index", unique=True),
        Index("pa_recovery_puk_code", "recovery_code_id"),
    )

    id: Mapped[int] = sequence_id("pa_recovery_puk_seq", LongId)
    recovery_code_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey(RecoveryCode.id, name="recovery_puk_code_fk")
    )
    """Its code, `pa_recovery_code.id`."""
    puk: Mapped[str | None] = mapped_column(String(255))
    """Hash of the PUK (D28). **Secret.**"""
    puk_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    puk_index: Mapped[int] = mapped_column(BigInteger)
    """Its place on the user's list, from 1."""
    status: Mapped[RecoveryPukStatus] = mapped_column(EnumCode(RecoveryPukStatus, RecoveryPukStatus.INVALID))
    """Its state."""
    timestamp_last_change: Mapped[datetime | None] = mapped_column(Timestamp)


class RecoveryConfig(Base):
    """Whether and how an application offers recovery."""

    __tablename__ = "pa_recovery_config"
    __table_args__ = (Index("pa_recovery_config_app", "application_id", unique=True),)

    id: Mapped[int] = sequence_id("pa_recovery_config_seq", Integer())
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="recovery_config_app_fk")
    )
    activation_recovery_enabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a new activation gets a recovery code."""
    recovery_postcard_enabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether codes are printed and sent by post."""
    allow_multiple_recovery_codes: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a user may have several."""
    postcard_private_key_base64: Mapped[str | None] = mapped_column(String(255))
    """Private key towards the printing house. **Secret.**"""
    postcard_public_key_base64: Mapped[str | None] = mapped_column(String(255))
    """Public key to that."""
    remote_public_key_base64: Mapped[str | None] = mapped_column(String(255))
    """Public key of the printing house."""
    postcard_priv_key_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
