"""The general audit log (spec/core-api.md §25, §27; cloud-api §10.2, §16)."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Sequence, String, Table, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, PlainTimestamp
from servicekit.partial_indexes import PartialIndex


class AuditLog(Base):
    """One audit record; ``param`` is a JSON object text, ``subject_id`` the user it is about.

    ``seq`` is its place in what is exported, given by PostgreSQL; NULL in older rows and on SQLite.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("audit_log_timestamp", "timestamp_created"),
        Index("audit_log_application", "application_name"),
        Index("audit_log_level", "audit_level"),
        Index("audit_log_type", "audit_type"),
        Index("audit_log_subject_id_idx", "subject_id", "timestamp_created"),
        PartialIndex("audit_log_seq_idx", "seq", where="seq IS NOT NULL"),
    )

    audit_log_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """Id of the record."""
    application_name: Mapped[str] = mapped_column(String(256))
    """The service that wrote it."""
    audit_level: Mapped[str] = mapped_column(String(32))
    """`INFO`, `WARN`, `ERROR`."""
    audit_type: Mapped[str | None] = mapped_column(String(256))
    """What it is about, in capitals."""
    timestamp_created: Mapped[datetime] = mapped_column(PlainTimestamp, server_default=func.now())
    message: Mapped[str] = mapped_column(Text)
    """In words."""
    exception_message: Mapped[str | None] = mapped_column(Text)
    """Text of an error, if there was one."""
    stack_trace: Mapped[str | None] = mapped_column(Text)
    """Of the original; empty in rows of ours."""
    param: Mapped[str | None] = mapped_column(Text)
    """JSON object: what is known of it."""
    calling_class: Mapped[str] = mapped_column(String(256))
    """The part that wrote it."""
    thread_name: Mapped[str] = mapped_column(String(256))
    """Of the original's form; the task that wrote it."""
    version: Mapped[str | None] = mapped_column(String(256))
    """Release that wrote it."""
    build_time: Mapped[datetime | None] = mapped_column(PlainTimestamp)
    """Of the original's form; when that was built."""
    subject_id: Mapped[str | None] = mapped_column(String(256))
    """Whom it is about."""
    # Without a cache: a later number than all that are seen is drawn later than them.
    seq: Mapped[int | None] = mapped_column(BigInteger, Sequence("audit_log_seq", metadata=Base.metadata))
    """Place in what is exported; empty in older rows."""


# Kept for adopted databases; nothing of ours writes it (the original has it off by default, §27).
audit_param = Table(
    "audit_param",
    Base.metadata,
    Column("audit_log_id", String(36), doc="The record, `audit_log.audit_log_id`."),
    Column("timestamp_created", PlainTimestamp, nullable=False, server_default=func.now()),
    Column("param_key", String(256), doc="Name of a parameter."),
    Column("param_value", String(4000), doc="Its value."),
    Index("audit_param_log", "audit_log_id"),
    Index("audit_param_timestamp", "timestamp_created"),
    Index("audit_param_key", "param_key"),
    Index("audit_param_value", "param_value"),
)
