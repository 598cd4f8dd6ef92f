"""The schema to compare with: what the baseline revision would have made.

The revision itself is asked, with something that takes notes in the place of Alembic's operations, so that
what a database is stamped with and what it was compared with cannot differ.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect, Index, MetaData, Table, UniqueConstraint
from sqlalchemy.schema import CreateSequence, SchemaItem

from powerauth_core import migrations
from powerauth_core.adoption import shapes


@cache
def _dialect() -> Dialect:
    """PostgreSQL's, which is loaded where somebody asks."""
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - heavy

    return postgresql.dialect()  # type: ignore[no-untyped-call]


class _Notes:
    """Stands where the revision expects Alembic's operations, on PostgreSQL."""

    def __init__(self) -> None:
        self.dialect = _dialect()
        self.metadata = MetaData()
        self.sequences: dict[str, int] = {}

    def get_bind(self) -> _Notes:
        """The connection, of which only the dialect is asked for."""
        return self

    def execute(self, statement: CreateSequence) -> None:
        """Sequences are the only thing that the revision makes by a statement."""
        sequence = statement.element
        self.sequences[sequence.name] = sequence.increment or 1

    def create_table(self, name: str, *items: SchemaItem) -> None:
        """Keep a table."""
        Table(name, self.metadata, *items)

    def create_index(self, name: str, table: str, columns: Sequence[str], *, unique: bool) -> None:
        """Keep an index of a kept table."""
        Index(name, *(self.metadata.tables[table].c[column] for column in columns), unique=unique)


def baseline_schema() -> shapes.Schema:
    """The original's schema of release 1.9 on PostgreSQL (spec/core-api.md §25)."""
    notes = _Notes()
    path = Path(migrations.__file__).parent / "versions" / f"{migrations.BASELINE}.py"
    spec = importlib.util.spec_from_file_location("powerauth_core_baseline", path)
    assert spec is not None
    assert spec.loader is not None
    revision: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(revision)
    revision.op = notes
    revision.upgrade()
    return schema_of(notes.metadata, notes.sequences)


def schema_of(metadata: MetaData, sequences: dict[str, int]) -> shapes.Schema:
    """The shapes of tables as they are declared, on PostgreSQL."""
    return shapes.Schema({table.name: _table(table) for table in metadata.sorted_tables}, sequences)


def _table(table: Table) -> shapes.Table:
    indexes = {str(index.name): tuple(column.name for column in index.columns) for index in table.indexes}
    unique = {indexes[str(index.name)] for index in table.indexes if index.unique}
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            columns = tuple(column.name for column in constraint.columns)
            unique.add(columns)
            indexes[str(constraint.name)] = columns
    return shapes.Table(
        columns={
            column.name: shapes.Column(
                shapes.column_type(column.type.compile(dialect=_dialect())),
                bool(column.nullable),
                column.server_default is not None,
            )
            for column in table.columns
        },
        primary_key=tuple(column.name for column in table.primary_key.columns),
        unique=unique,
        indexes=indexes,
        foreign_keys={
            (tuple(key.column_keys), key.elements[0].target_fullname.split(".")[0])
            for key in table.foreign_key_constraints
        },
    )
