"""This service's own audit records (spec/cloud-api.md §10.2, §16)."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Sequence, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from cloud_private_api.base import Base
from servicekit.database import UtcTimestamp


class AuditLog(Base):
    """One record. ``param`` is a JSON object; ``subject_id`` the caller it is about.

    ``seq`` is its place in what is exported, given by PostgreSQL; NULL in older rows and on SQLite.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("audit_log_timestamp", "timestamp_created"),
        Index("audit_log_application", "application_name"),
        Index("audit_log_level", "audit_level"),
        Index("audit_log_type", "audit_type"),
        Index("audit_log_subject_id_idx", "subject_id"),
        Index(
            "audit_log_seq_idx",
            "seq",
            postgresql_where=text("seq IS NOT NULL"),
            sqlite_where=text("seq IS NOT NULL"),
        ),
    )

    audit_log_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    application_name: Mapped[str] = mapped_column(String(256))
    audit_level: Mapped[str] = mapped_column(String(32))
    audit_type: Mapped[str | None] = mapped_column(String(256))
    timestamp_created: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    message: Mapped[str] = mapped_column(Text)
    exception_message: Mapped[str | None] = mapped_column(Text)
    stack_trace: Mapped[str | None] = mapped_column(Text)
    param: Mapped[str | None] = mapped_column(Text)
    calling_class: Mapped[str] = mapped_column(String(256))
    thread_name: Mapped[str] = mapped_column(String(256))
    version: Mapped[str | None] = mapped_column(String(256))
    build_time: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    subject_id: Mapped[str | None] = mapped_column(String(256))
    seq: Mapped[int | None] = mapped_column(BigInteger, Sequence("audit_log_seq", metadata=Base.metadata))
