"""What all tables of this service share (spec/cloud-api.md §16)."""

from sqlalchemy import MetaData, Sequence
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from servicekit.audit_export.stream import cursor_table
from servicekit.database import NAMING_CONVENTION, BigIntPk
from servicekit.inbox import inbox_table
from servicekit.leases import lease_table
from servicekit.schema_history import schema_history_table


class Base(DeclarativeBase):
    """Declarative base of the service's tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


inbox_event = inbox_table(Base.metadata)
audit_export_cursor = cursor_table(Base.metadata)
job_lease = lease_table(Base.metadata)
pa_schema_history = schema_history_table(Base.metadata)

user_sequence = Sequence("pa_cloud_user_seq", metadata=Base.metadata)
localization_sequence = Sequence("pa_cloud_localization_seq", metadata=Base.metadata)


def sequence_id(sequence: Sequence) -> Mapped[int]:
    """Primary key numbered by a sequence on PostgreSQL, by the table itself on SQLite."""
    return mapped_column(BigIntPk, sequence, primary_key=True)
