"""What every table of the core shares: metadata, column types, sequences (spec/core-api.md §25)."""

from datetime import datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, Sequence, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from powerauth_contracts.enums import CodedEnum
from powerauth_protocol.common.json_text import characters, read_json, write_json
from servicekit.database import Microseconds

# The names that PostgreSQL itself gives, so that an adopted schema and ours read alike.
NAMING_CONVENTION = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}

# BIGINT on PostgreSQL; SQLite numbers rows only in a column declared INTEGER.
LongId: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
# ``ts`` of the spec: microseconds, no zone. All values are naive UTC.
Timestamp: TypeEngine[datetime] = Microseconds()
# ``ts0`` of the spec: as above without a declared precision.
PlainTimestamp: TypeEngine[datetime] = DateTime()


class Base(DeclarativeBase):
    """Declarative base of all tables of the core."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class JsonText(TypeDecorator[Any]):
    """A JSON value kept as text, the way the original stores lists and maps. ``None`` is SQL NULL.

    Assign a new value to change it; a change made inside a list or dict is not noticed.
    """

    impl: type[String] = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """JSON text of the value."""
        return None if value is None else json_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value; NULL and blank text are None."""
        return None if value is None or not value.strip() else read_json(value)


class JsonString(JsonText):
    """The same in a column of limited length: ``JsonString(255)``."""

    impl = String
    cache_ok = True
    cache_ok = True


class JsonTexts(JsonText):
    """A map of texts: `texts_of`."""

    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The map; NULL and blank text are None."""
        return None if value is None else texts_of(value)


_TEXTS = frozenset({str})


def texts_of(stored: str) -> dict[str, str | None] | None:
    """A stored map of texts; blank text is None.

    Texts, and nothing else since this core writes them; the original may have left numbers and booleans,
    whose characters they are.
    """
    found = from_json(stored) if stored.strip() else None
    if found is None or _TEXTS.issuperset(map(type, found.values())):
        return found
    return {name: characters(value) for name, value in read_json(stored).items()}  # type: ignore[misc]


class EnumCode(TypeDecorator[Any]):
    """A `CodedEnum` kept as its database number; an unknown number reads as ``unknown``, else as NULL."""

    impl = Integer
    cache_ok = True

    def __init__(self, enum: type[CodedEnum], unknown: CodedEnum | None = None) -> None:
        self.enum = enum
        self.unknown = unknown
        self._by_code = {member.code: member for member in enum}
        super().__init__()

    def process_bind_param(self, value: CodedEnum | None, dialect: Dialect) -> int | None:
        return None if value is None else value.code

    def process_result_value(self, value: int | None, dialect: Dialect) -> CodedEnum | None:
        return None if value is None else self._by_code.get(value, self.unknown)


def json_text(value: Any) -> str:
    """Compact JSON text of a column value."""
    return write_json(value).decode()


def sequence_id(name: str, type_: TypeEngine[int], *, increment: int = 1) -> Mapped[int]:
    """Primary key numbered by the named sequence on PostgreSQL and by the table itself on SQLite.

    The migrations also make the sequence the column's default on PostgreSQL; SQLite could not express it.
    """
    sequence = Sequence(name, start=1, increment=increment, cache=20, metadata=Base.metadata)
    return mapped_column(type_, sequence, primary_key=True)
