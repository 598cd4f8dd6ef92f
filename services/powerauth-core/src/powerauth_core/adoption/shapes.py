"""The parts of a schema that the comparison looks at, read from a database or from the baseline revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_WHOLE_TIMESTAMP = 6


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type by what fits into it.

    :ivar family: ``text``, ``integer``, ``timestamp``, or the name of any other type
    :ivar size: characters, bits or digits of a second; None is without a limit
    """

    family: str
    size: int | None
    name: str

    def holds(self, other: ColumnType) -> bool:
        """Whether every value of the other type fits into this one."""
        if self.family != other.family:
            return False
        return self.size is None or (other.size is not None and self.size >= other.size)


@dataclass(frozen=True, slots=True)
class Column:
    """A column by what matters to those who read and write it."""

    type: ColumnType
    nullable: bool
    has_default: bool


@dataclass(slots=True)
class Table:
    """A table. Indexes and keys go by their columns; names differ between ways of installing.

    :ivar unique: column lists of unique indexes and constraints
    :ivar indexes: names of all indexes, with their columns
    :ivar foreign_keys: own columns, with the table that they refer to
    """

    columns: dict[str, Column]
    primary_key: tuple[str, ...]
    unique: set[tuple[str, ...]] = field(default_factory=set)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    foreign_keys: set[tuple[tuple[str, ...], str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables by name, and the increments of sequences by name."""

    tables: Mapping[str, Table]
    sequences: Mapping[str, int]


_SIZES = {"SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
_WITH_SIZE = re.compile(r"(?P<name>VARCHAR|TIMESTAMP)(\((?P<size>[0-9]+)\))?( WITHOUT TIME ZONE)?")


def column_type(name: str) -> ColumnType:
    """From the name of a type as PostgreSQL writes it, like ``VARCHAR(37)``."""
    if name in _SIZES:
        return ColumnType("integer", _SIZES[name], name)
    if name == "TEXT":
        return ColumnType("text", None, name)
    found = _WITH_SIZE.fullmatch(name)
    if found is None:
        return ColumnType(name, None, name)
    size = None if found["size"] is None else int(found["size"])
    if found["name"] == "VARCHAR":
        return ColumnType("text", size, name)
    return ColumnType("timestamp", _WHOLE_TIMESTAMP if size is None else size, name)
