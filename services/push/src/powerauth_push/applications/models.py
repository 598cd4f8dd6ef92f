"""Applications and their credentials at the providers (spec/push-api.md §19)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_push.base import Base, sequence_id
from servicekit.database import UtcTimestamp
from servicekit.row_macs import BoundRow


class AppCredentials(BoundRow, Base):
    """An application that messages can be sent to.

    Secrets are what ``<name>_encryption`` says: as the provider gave them, or encrypted and in Base64. The
    ``ios_*`` and ``android_*`` columns are the original's of long ago and are not read.
    """

    BOUND_COLUMNS = (
        "app_id",
        "apns_private_key",
        "apns_private_key_encryption",
        "apns_team_id",
        "apns_key_id",
        "apns_bundle",
        "apns_environment",
        "fcm_private_key",
        "fcm_private_key_encryption",
        "fcm_project_id",
        "hms_project_id",
        "hms_client_id",
        "hms_client_secret",
        "hms_client_secret_encryption",
    )

    __tablename__ = "push_app_credentials"
    __table_args__ = (Index("push_app_cred_app", "app_id", unique=True),)

    id: Mapped[int] = sequence_id("push_credentials_seq")
    app_id: Mapped[str] = mapped_column(String(255))
    """The application, by the id that others know."""
    apns_private_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Key file of Apple. **Secret.**"""
    apns_private_key_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    apns_team_id: Mapped[str | None] = mapped_column(String(255))
    """Apple's id of the team."""
    apns_key_id: Mapped[str | None] = mapped_column(String(255))
    """Apple's id of the key."""
    apns_bundle: Mapped[str | None] = mapped_column(String(255))
    """Id of the app at Apple."""
    apns_environment: Mapped[str | None] = mapped_column(String(255))
    """Which of Apple's services; empty: as the service is set."""
    fcm_private_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Service account file of Google. **Secret.**"""
    fcm_private_key_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    fcm_project_id: Mapped[str | None] = mapped_column(String(255))
    """Google's id of the project."""
    hms_project_id: Mapped[str | None] = mapped_column(String(255))
    """Huawei's id of the project."""
    hms_client_id: Mapped[str | None] = mapped_column(String(255))
    """Huawei's id of the client."""
    hms_client_secret: Mapped[str | None] = mapped_column(Text)
    """Huawei's secret of the client. **Secret.**"""
    hms_client_secret_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp, server_default=func.now())
    timestamp_last_updated: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    ios_private_key: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """Not read."""
    ios_team_id: Mapped[str | None] = mapped_column(String(255), deferred=True)
    """Not read."""
    ios_key_id: Mapped[str | None] = mapped_column(String(255), deferred=True)
    """Not read."""
    ios_bundle: Mapped[str | None] = mapped_column(String(255), deferred=True)
    """Not read."""
    ios_environment: Mapped[str | None] = mapped_column(String(32), deferred=True)
    """Not read."""
    android_private_key: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """Not read."""
    android_project_id: Mapped[str | None] = mapped_column(String(255), deferred=True)
    """Not read."""
