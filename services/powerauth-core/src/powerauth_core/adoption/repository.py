"""Queries of an examination: the catalogues of PostgreSQL, and what the rows must fulfil."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, inspect, text
from sqlalchemy.types import NullType, TypeEngine

from powerauth_core.adoption import shapes

Values = dict[str, Any]
Found = tuple[Any, ...]


def schema(connection: Connection) -> shapes.Schema:
    """Tables and sequences of the schema that the connection works in."""
    inspector = inspect(connection)
    columns = inspector.get_multi_columns()
    keys = inspector.get_multi_pk_constraint()
    indexes = inspector.get_multi_indexes()
    foreign = inspector.get_multi_foreign_keys()
    tables = {}
    for place, listed in columns.items():
        named = {
            str(index["name"]): tuple(name or "an expression" for name in index["column_names"])
            for index in indexes.get(place, [])
        }
        # A unique index on some of the rows, or on expressions, promises nothing for the others.
        unique = {
            named[str(index["name"])]
            for index in indexes.get(place, [])
            if index["unique"] and not index.get("dialect_options", {}).get("postgresql_where")
        }
        tables[place[1]] = shapes.Table(
            columns={
                column["name"]: shapes.Column(
                    shapes.column_type(_type_name(connection, column["type"])),
                    column["nullable"],
                    column["default"] is not None,
                )
                for column in listed
            },
            primary_key=tuple(keys[place]["constrained_columns"]),
            unique=unique,
            indexes=named,
            foreign_keys={
                (tuple(key["constrained_columns"]), key["referred_table"]) for key in foreign.get(place, [])
            },
        )
    sequences = _rows(
        connection,
        "SELECT sequencename, increment_by FROM pg_sequences WHERE schemaname = current_schema()",
    )
    return shapes.Schema(tables, {str(name): int(increment) for name, increment in sequences})


def not_owned(connection: Connection, tables: Sequence[str]) -> list[str]:
    """Those of the tables whose columns the database user may not change."""
    return _names(
        connection,
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " AND relname IN :names AND NOT pg_has_role(relowner, 'USAGE') ORDER BY relname",
        {"names": list(tables)},
    )


def may_create(connection: Connection) -> bool:
    """Whether the database user may make tables here."""
    return bool(_value(connection, "SELECT has_schema_privilege(current_schema(), 'CREATE')"))


def dependents(connection: Connection, tables: Sequence[str]) -> list[Found]:
    """Views on the tables, triggers of them, foreign keys of others to them: kind, name, table."""
    return _rows(
        connection,
        "SELECT DISTINCT 'view', v.relname, t.relname FROM pg_depend d"
        " JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass"
        " JOIN pg_class v ON v.oid = r.ev_class JOIN pg_class t ON t.oid = d.refobjid"
        " WHERE d.refclassid = 'pg_class'::regclass AND t.relname IN :names AND v.oid <> t.oid"
        " AND t.relnamespace = current_schema()::regnamespace"
        " UNION SELECT 'trigger', g.tgname, t.relname FROM pg_trigger g"
        " JOIN pg_class t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal AND t.relname IN :names"
        " AND t.relnamespace = current_schema()::regnamespace"
        " UNION SELECT 'foreign key', k.conname, t.relname FROM pg_constraint k"
        " JOIN pg_class t ON t.oid = k.confrelid JOIN pg_class o ON o.oid = k.conrelid"
        " WHERE k.contype = 'f' AND t.relname IN :names AND o.relname NOT IN :names"
        " AND t.relnamespace = current_schema()::regnamespace ORDER BY 1, 2, 3",
        {"names": list(tables)},
    )


def other_sessions(connection: Connection) -> int:
    """How many others are connected to the database."""
    return int(
        _value(
            connection,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            # Of the sessions of others a user may see no more than that they are there.
            " AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'",
        )
    )


def has_null(connection: Connection, table: str, column: str) -> bool:
    """Whether a column is empty in some row."""
    return bool(_value(connection, f'SELECT EXISTS (SELECT 1 FROM "{table}" WHERE "{column}" IS NULL)'))  # noqa: S608


def next_number(connection: Connection, sequence: str) -> int:
    """What a sequence gives next; nothing is taken from it."""
    return int(
        _value(
            connection,
            f'SELECT s.last_value + CASE WHEN s.is_called THEN p.increment_by ELSE 0 END FROM "{sequence}" s,'  # noqa: S608
            " pg_sequences p WHERE p.schemaname = current_schema() AND p.sequencename = :name",
            {"name": sequence},
        )
    )


def highest_id(connection: Connection, table: str) -> int:
    """The highest number that a row of a table has; 0 without rows."""
    return int(_value(connection, f'SELECT coalesce(max(id), 0) FROM "{table}"'))  # noqa: S608


def duplicates(connection: Connection, table: str, column: str) -> list[Found]:
    """Applications with several rows of one value: the application's row id, the value, how many."""
    return _rows(
        connection,
        f'SELECT application_id, "{column}", count(*) FROM "{table}" WHERE "{column}" IS NOT NULL'  # noqa: S608
        " GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2",
    )


def modes(connection: Connection, table: str, column: str) -> list[Any]:
    """The different values of a column, NULL included."""
    return [row[0] for row in _rows(connection, f'SELECT DISTINCT "{column}" FROM "{table}"')]  # noqa: S608


def sample(connection: Connection, query: str, mode: object, limit: int) -> list[Found]:
    """Some rows of a query with the parameters ``mode`` and ``limit``."""
    return _rows(connection, query, {"mode": mode, "limit": limit})


def migration_lock_held(connection: Connection) -> bool:
    """Whether Liquibase says that it is migrating."""
    return bool(_value(connection, "SELECT coalesce(bool_or(locked), false) FROM databasechangeloglock"))


def count_activations(connection: Connection, condition: str) -> int:
    """How many activations that are not removed fulfil a condition."""
    return int(
        _value(
            connection,
            f"SELECT count(*) FROM pa_activation WHERE activation_status <> 5 AND {condition}",  # noqa: S608
        )
    )


def latest_use(connection: Connection) -> datetime | None:
    """When the newest row of the signature audit says it was written."""
    found: datetime | None = _value(connection, "SELECT max(timestamp_created) FROM pa_signature_audit")
    return found


def _type_name(connection: Connection, type_: TypeEngine[Any]) -> str:
    return "a type of its own" if isinstance(type_, NullType) else type_.compile(dialect=connection.dialect)


def _rows(connection: Connection, query: str, values: Values | None = None) -> list[Found]:
    statement = text(query)
    if values and "names" in values:
        statement = statement.bindparams(bindparam("names", expanding=True))
    return [tuple(row) for row in connection.execute(statement, values or {})]


def _value(connection: Connection, query: str, values: Values | None = None) -> Any:
    return _rows(connection, query, values)[0][0]


def _names(connection: Connection, query: str, values: Values) -> list[str]:
    return [str(row[0]) for row in _rows(connection, query, values)]
