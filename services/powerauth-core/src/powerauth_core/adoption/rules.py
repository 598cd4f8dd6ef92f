"""Comparing the schema that is there with the one that is expected.

What an operator may have changed without harm is told as a notice: wider columns, further columns, tables,
indexes and keys, missing indexes that only cost time. Everything else is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from powerauth_core.adoption.report import Report
from powerauth_core.adoption.shapes import Column, ColumnType, Schema, Table

# Release 2 keeps keys in places that are not read here.
_OF_RELEASE_2 = {"crypto_algorithm", "shared_secret", "device_public_key_id"}
_LIQUIBASE = {"databasechangelog", "databasechangeloglock"}

TOLERATED_ADDITIONS: Mapping[tuple[str, str], ColumnType] = {
    ("pa_activation", "additional_data"): ColumnType("text", None, "TEXT"),
    ("pa_activation", "parent_activation_id"): ColumnType("text", 37, "VARCHAR(37)"),
    ("pa_activation", "transfer_type"): ColumnType("text", 32, "VARCHAR(32)"),
    ("audit_log", "subject_id"): ColumnType("text", 256, "VARCHAR(256)"),
}
"""Columns that migrations add unless they are there: newer releases and other servers have them."""

PARTITIONED = ("audit_log", "audit_param", "pa_activation_history", "pa_signature_audit")
"""Tables that a migration splits by month: they become the first partition of a new table of their name."""

TEXTS = "es_operation_template"
"""A table that an enrollment server of the original may have brought along."""

_PARTITION = re.compile(rf"({'|'.join(PARTITIONED)})_(old|default|[0-9]{{4}}_[0-9]{{2}})")


@dataclass(frozen=True, slots=True)
class Additions:
    """Names that migrations after the baseline give to new things, by which they would fail.

    :ivar texts: how the table of localised texts must look if it is there
    """

    tables: Collection[str]
    columns: Collection[tuple[str, str]]
    indexes: Collection[str]
    texts: Table


def release_of(actual: Schema) -> str | None:
    """``1.9`` or ``1.10``; None for a schema of neither."""
    activation = actual.tables.get("pa_activation")
    if activation is None or "commit_phase" not in activation.columns:
        return None
    if _OF_RELEASE_2 & set(activation.columns):
        return None
    return "1.10" if "additional_data" in activation.columns else "1.9"


def compare(expected: Schema, actual: Schema, additions: Additions, report: Report) -> None:
    """Add to the report how a schema differs from the expected one."""
    _compare_tables(expected, actual, report)
    _compare_sequences(expected, actual, report)
    _compare_additions(actual, additions, report)
    _tell_strangers(expected, actual, additions, report)


def _compare_tables(expected: Schema, actual: Schema, report: Report) -> None:
    activation = actual.tables.get("pa_activation")
    newer = _OF_RELEASE_2 & set(activation.columns if activation else ())
    if newer:
        report.problems.append(
            f"pa_activation has columns of release 2 of the original ({', '.join(sorted(newer))}); "
            "1.9 and 1.10 can be adopted"
        )
    missing = [name for name in expected.tables if name not in actual.tables]
    report.problems += [f"table {name} is missing" for name in missing]
    for name, table in expected.tables.items():
        if name in actual.tables:
            _compare_table(name, table, actual.tables[name], report)


def _compare_table(name: str, expected: Table, actual: Table, report: Report) -> None:
    for column, shape in expected.columns.items():
        found = actual.columns.get(column)
        if found is None:
            report.problems.append(f"column {name}.{column} is missing, expected {shape.type.name}")
        else:
            _compare_column(f"{name}.{column}", shape, found, report)
    if expected.primary_key != actual.primary_key:
        report.problems.append(
            f"the primary key of {name} is {_list(actual.primary_key)},"
            f" expected {_list(expected.primary_key)}"
        )
    for columns in sorted(expected.unique - actual.unique - {actual.primary_key}):
        report.problems.append(f"no unique index on {name} {_list(columns)}")
    there = set(actual.indexes.values())
    for columns in sorted(set(expected.indexes.values()) - expected.unique - there):
        report.notices.append(f"no index on {name} {_list(columns)}: queries by it are slow")
    for columns, target in sorted(expected.foreign_keys - actual.foreign_keys):
        report.notices.append(f"no foreign key from {name} {_list(columns)} to {target}")


def _compare_column(name: str, expected: Column, actual: Column, report: Report) -> None:
    if not actual.type.holds(expected.type):
        report.problems.append(f"column {name} is {actual.type.name}, expected {expected.type.name}")
    elif not expected.type.holds(actual.type):
        report.notices.append(f"column {name} is {actual.type.name}, wider than {expected.type.name}")
    if expected.nullable and not actual.nullable:
        report.problems.append(f"column {name} is NOT NULL, but may be left empty")
    if expected.has_default and not actual.has_default:
        found = report.notices if actual.nullable else report.problems
        found.append(f"column {name} has lost its default")


def lost_not_null(expected: Schema, actual: Schema) -> Iterator[tuple[str, str]]:
    """Columns, with their table, that may be NULL here and never were in the original."""
    for name, table in expected.tables.items():
        found = actual.tables.get(name)
        for column, shape in table.columns.items():
            if found and column in found.columns and found.columns[column].nullable and not shape.nullable:
                yield name, column


def _compare_sequences(expected: Schema, actual: Schema, report: Report) -> None:
    for name, increment in expected.sequences.items():
        if name not in actual.sequences:
            report.problems.append(f"sequence {name} is missing")
        elif actual.sequences[name] != increment:
            report.problems.append(
                f"sequence {name} counts by {actual.sequences[name]}, expected {increment}"
            )


def _compare_additions(actual: Schema, additions: Additions, report: Report) -> None:
    for name in sorted(additions.tables):
        if name in actual.tables and name != TEXTS:
            report.problems.append(f"table {name} is there already; migrations make one of that name")
    for table, column in sorted(additions.columns):
        found = actual.tables[table].columns.get(column) if table in actual.tables else None
        if found is None:
            continue
        tolerated = TOLERATED_ADDITIONS.get((table, column))
        if tolerated is None:
            report.problems.append(
                f"column {table}.{column} is there already; migrations add one of that name"
            )
        elif not found.type.holds(tolerated) or not found.nullable:
            empty = "" if found.nullable else " NOT NULL"
            report.problems.append(
                f"column {table}.{column} is {found.type.name}{empty}, expected {tolerated.name}"
            )
    there = {name for table in actual.tables.values() for name in table.indexes}
    moved = {f"{index}_old" for table in PARTITIONED for index in _indexes(actual, table)}
    for name in sorted(there & (set(additions.indexes) | moved)):
        report.problems.append(f"index {name} is there already; migrations make one of that name")
    for name in sorted(actual.tables):
        if _PARTITION.fullmatch(name):
            report.problems.append(f"table {name} is there already; migrations make partitions of such names")
    if TEXTS in actual.tables:
        _compare_table(TEXTS, additions.texts, actual.tables[TEXTS], report)


def _tell_strangers(expected: Schema, actual: Schema, additions: Additions, report: Report) -> None:
    tables = sorted(set(actual.tables) - set(expected.tables) - set(additions.tables))
    liquibase = [name for name in tables if name in _LIQUIBASE]
    others = [name for name in tables if name not in _LIQUIBASE]
    if liquibase:
        report.notices.append(f"Liquibase's {' and '.join(liquibase)}: left alone, no longer needed")
    if others:
        report.notices.append(f"tables of others, left alone: {', '.join(others)}")
    for name, table in expected.tables.items():
        if name in actual.tables:
            _tell_strangers_in(name, table, actual.tables[name], report)


def _tell_strangers_in(name: str, expected: Table, actual: Table, report: Report) -> None:
    for column in sorted(set(actual.columns) - set(expected.columns)):
        if (name, column) in TOLERATED_ADDITIONS:
            continue
        shape = actual.columns[column]
        if shape.nullable or shape.has_default:
            report.notices.append(f"column {name}.{column} is not the original's: left alone")
        else:
            report.problems.append(
                f"column {name}.{column} is not the original's and NOT NULL without a default: "
                "rows could not be written"
            )
    known = set(expected.indexes.values()) | expected.unique | {expected.primary_key}
    for index, columns in sorted(actual.indexes.items()):
        if columns in known or index in expected.indexes:
            continue
        if columns in actual.unique:
            report.notices.append(
                f"unique index {index} on {name} {_list(columns)} is not the original's: "
                "it refuses rows that the original takes"
            )
        else:
            kept = "kept for the rows so far" if name in PARTITIONED else "left alone"
            report.notices.append(f"index {index} on {name} is not the original's: {kept}")
    for columns, target in sorted(actual.foreign_keys - expected.foreign_keys):
        report.notices.append(f"foreign key from {name} {_list(columns)} to {target} is not the original's")


def dependent(kind: str, name: str, table: str, report: Report) -> None:
    """Add to the report a view or foreign key that refers to a table, or a trigger of it."""
    if table in PARTITIONED:
        report.problems.append(
            f"{kind} {name} on {table}, which is going to be split by month: drop it, and make it again after"
        )
    else:
        report.notices.append(f"{kind} {name} on {table}: see that it goes on to do what it should")


def _indexes(schema: Schema, table: str) -> Collection[str]:
    return schema.tables[table].indexes if table in schema.tables else ()


def _list(columns: tuple[str, ...]) -> str:
    return f"({', '.join(columns)})"
