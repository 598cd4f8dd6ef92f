"""The key pair that signs statements about devices (D1 rule 5)."""

from datetime import datetime

from sqlalchemy import Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, Timestamp


class StatementKey(Base):
    """One P-256 key pair; the newest that is published for a minute signs."""

    __tablename__ = "statement_key"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key_id: Mapped[str] = mapped_column(String(64))
    """Name that statements tell their key by."""
    private_key_base64: Mapped[str] = mapped_column(String(255))
    """Private key. **Secret.**"""
    private_key_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    public_key_base64: Mapped[str] = mapped_column(String(255))
    """Public key, which is published."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
