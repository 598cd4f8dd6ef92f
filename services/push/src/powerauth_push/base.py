"""What all tables of this service share (spec/push-api.md §19)."""

from __future__ import annotations

from sqlalchemy import Integer, MetaData, Sequence
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from servicekit.database import BigIntPk
from servicekit.inbox import inbox_table
from servicekit.leases import lease_table
from servicekit.schema_history import schema_history_table

# The names that PostgreSQL itself gives, so that an adopted schema and ours read alike.
NAMING_CONVENTION = {
    "pk": "%(table_name)s_pkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
}


class Base(DeclarativeBase):
    """Declarative base of the service's tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


inbox_event = inbox_table(Base.metadata)
job_lease = lease_table(Base.metadata)
pa_schema_history = schema_history_table(Base.metadata)


def sequence_id(name: str, kind: TypeEngine[int] | None = None) -> Mapped[int]:
    """Primary key numbered by the named sequence on PostgreSQL, by the table itself on SQLite.

    :param kind: INTEGER, as the original's tables have it, unless given
    """
    sequence = Sequence(name, metadata=Base.metadata)
    return mapped_column(kind or Integer(), sequence, primary_key=True)


LONG = BigIntPk
"""A key that INTEGER would be too short for."""
