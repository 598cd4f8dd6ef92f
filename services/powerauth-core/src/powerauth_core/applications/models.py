"""Applications, their versions, master key pairs and configuration (spec/core-api.md §25)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, JsonString, Timestamp, sequence_id
from servicekit.row_macs import BoundRow


class Application(Base):
    """One application. ``id`` (rid) never leaves the core; ``name`` is the public application id."""

    __tablename__ = "pa_application"
    __table_args__ = (Index("pa_application_name", "name", unique=True),)

    id: Mapped[int] = sequence_id("pa_application_seq", Integer())
    name: Mapped[str] = mapped_column(String(255))
    """Id of the application that others know."""
    roles: Mapped[list[str] | None] = mapped_column(JsonString(255))
    """JSON array of roles."""


class ApplicationVersion(Base):
    """One version of an application with its application key and secret (Base64 of 16 bytes each)."""

    __tablename__ = "pa_application_version"
    __table_args__ = (
        Index("pa_application_version_app", "application_id"),
        Index("pa_app_version_app_key", "application_key", unique=True),
        Index("pa_application_version_name_uk", "application_id", "name", unique=True),
    )

    id: Mapped[int] = sequence_id("pa_application_version_seq", Integer())
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="version_application_fk")
    )
    application_key: Mapped[str | None] = mapped_column(String(255))
    """Base64 of 16 bytes, public; the app sends it."""
    application_secret: Mapped[str | None] = mapped_column(String(255))
    """Base64 of 16 bytes; every app holds it. **Secret.**"""
    application_secret_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    name: Mapped[str | None] = mapped_column(String(255))
    """Its name in the application."""
    supported: Mapped[bool | None]
    """Whether apps of it may still call."""


class MasterKeyPair(Base):
    """One master key pair of an application; the newest one signs."""

    __tablename__ = "pa_master_keypair"
    __table_args__ = (Index("pa_master_keypair_application", "application_id"),)

    id: Mapped[int] = sequence_id("pa_master_keypair_seq", Integer())
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="keypair_application_fk")
    )
    master_key_private_base64: Mapped[str] = mapped_column(String(255))
    """Private key, which signs activation codes. **Secret.**"""
    master_key_private_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    master_key_public_base64: Mapped[str] = mapped_column(String(255))
    """Public key, which every app holds."""
    name: Mapped[str | None] = mapped_column(String(255))
    """Its name."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)


class ApplicationConfig(BoundRow, Base):
    """All values of one configuration key of an application, as one JSON array text."""

    BOUND_COLUMNS = ("config_key", "application_id", "config_values", "encryption_mode")

    __tablename__ = "pa_application_config"
    __table_args__ = (
        Index("pa_app_config_key_idx", "config_key"),
        Index("pa_app_config_app_key_uk", "application_id", "config_key", unique=True),
    )

    id: Mapped[int] = sequence_id("pa_app_conf_seq", Integer())
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="pa_app_config_app_fk")
    )
    config_key: Mapped[str] = mapped_column(String(255))
    """Name of the setting."""
    config_values: Mapped[str | None] = mapped_column(Text)
    """JSON array of its values. **Secret** for some names."""
    encryption_mode: Mapped[str] = mapped_column(
        String(255), default="NO_ENCRYPTION", server_default="NO_ENCRYPTION"
    )
