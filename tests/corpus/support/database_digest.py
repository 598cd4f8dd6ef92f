"""What a request changed in the databases, so that a refusal can be proved to have changed nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROWS = "rows"
"""In place of a column's name: rows were added."""

_IGNORED = frozenset({"outbox_event", "dt_rate"})
"""Emptied by the relay at any time, where what is written follows from a change of another table; and the
count of requests a minute, which is for whatever comes.
"""

_APPEND_ONLY = frozenset(
    {"audit_log", "pa_signature_audit", "pa_activation_history", "pa_unique_value", "pa_temporary_key"}
)
"""Grow with every request, so only their new rows are looked at."""

_CHAIN = {"audit_chain": frozenset({ROWS, "position", "mac", "seal", "timestamp_last"})}
_ATTEMPT = {"pa_signature_audit": frozenset({ROWS}), "audit_log": frozenset({ROWS}), **_CHAIN}
_COUNTER = {"counter", "ctr_data", "failed_attempts", "timestamp_last_used"}
_STATE = {"activation_status", "timestamp_last_change", "version", "row_mac"}
_DECISION = {"status", "timestamp_finalized", "additional_data", "signature_type"}

ALLOWED: Mapping[str, Mapping[str, frozenset[str]]] = {
    "failed attempt": {"pa_activation": frozenset({"failed_attempts", "timestamp_last_used"}), **_ATTEMPT},
    "audited attempt": {"pa_activation": frozenset({"timestamp_last_used"}), **_ATTEMPT},
    "sampled attempt": {"pa_activation": frozenset({"timestamp_last_used"}), **_ATTEMPT},
    "counter": {"pa_activation": frozenset(_COUNTER), **_ATTEMPT},
    "operation failure": {"pa_operation": frozenset({"failure_count", "additional_data"})},
    "replay memory": {"pa_unique_value": frozenset({ROWS})},
    "audit": {"audit_log": frozenset({ROWS})},
    "temporary key": {"pa_temporary_key": frozenset({ROWS})},
    "key exchange": {
        "pa_activation": frozenset(
            {
                *_COUNTER,
                *_STATE,
                "activation_name",
                "device_public_key_base64",
                "platform",
                "device_info",
                "extras",
            }
        ),
        "pa_activation_history": frozenset({ROWS}),
        "pa_unique_value": frozenset({ROWS}),
        "audit_log": frozenset({ROWS}),
    },
    "removal": {
        "pa_activation": frozenset({*_COUNTER, *_STATE}),
        "pa_activation_history": frozenset({ROWS}),
        **_ATTEMPT,
    },
    "rename": {
        "pa_activation": frozenset({*_COUNTER, "activation_name", "timestamp_last_change"}),
        "pa_activation_history": frozenset({ROWS}),
        "pa_unique_value": frozenset({ROWS}),
        **_ATTEMPT,
    },
    "token": {
        "pa_token": frozenset({ROWS}),
        "pa_activation": frozenset(_COUNTER),
        "pa_unique_value": frozenset({ROWS}),
        **_ATTEMPT,
    },
    "claim": {"pa_operation": frozenset({"user_id"}), "audit_log": frozenset({ROWS})},
    "statement key": {"statement_key": frozenset({ROWS})},
    "approval": {"pa_operation": frozenset(_DECISION), "pa_activation": frozenset(_COUNTER), **_ATTEMPT},
    "rejection": {
        "pa_operation": frozenset({*_DECISION, "status_reason"}),
        "pa_activation": frozenset(_COUNTER),
        **_ATTEMPT,
    },
}
"""What a declared change may touch: columns of existing rows, or new rows."""

_MUST: Mapping[str, tuple[str, str]] = {
    "failed attempt": ("pa_activation", "failed_attempts"),
    "audited attempt": ("pa_signature_audit", ROWS),
    "counter": ("pa_activation", "ctr_data"),
    "operation failure": ("pa_operation", "failure_count"),
    "replay memory": ("pa_unique_value", ROWS),
    "temporary key": ("pa_temporary_key", ROWS),
    "key exchange": ("pa_activation", "device_public_key_base64"),
    "removal": ("pa_activation", "activation_status"),
    "rename": ("pa_activation", "timestamp_last_change"),
    "token": ("pa_token", ROWS),
    "claim": ("pa_operation", "user_id"),
    "approval": ("pa_operation", "status"),
    "rejection": ("pa_operation", "status"),
}
"""What must have changed, if the change is declared. A sampled attempt may share a row written later."""

Changes = set[tuple[str, str]]
"""Tables with changed columns."""


class DatabaseWatch:
    """Watches SQLite files: `begin` holds on to what they hold now, `changes` compares.

    A connection in an open transaction goes on seeing the old content: nothing is read while nothing changes.
    """

    def __init__(self, *files: Path) -> None:
        self._pairs = [(_connect(file), _connect(file)) for file in files]
        self._versions: list[int] = []

    def begin(self) -> None:
        """From here on."""
        for before, _ in self._pairs:
            before.rollback()
            before.execute("BEGIN")
            before.execute("SELECT count(*) FROM sqlite_master").fetchone()
        self._versions = [_version(now) for _, now in self._pairs]

    def changes(self) -> Changes:
        """What is different from when `begin` was called."""
        found: Changes = set()
        for (before, now), version in zip(self._pairs, self._versions, strict=True):
            if _version(now) != version:
                found |= set(_differences(before, now))
        return found

    def close(self) -> None:
        """Close the connections."""
        for pair in self._pairs:
            for connection in pair:
                connection.close()


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


def _differences(before: sqlite3.Connection, now: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for (table,) in now.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table in _IGNORED:
            continue
        if table in _APPEND_ONLY:
            if _count(now, table) != _count(before, table):
                yield table, ROWS
            continue
        statement = f'SELECT rowid, * FROM "{table}"'
        cursor = now.execute(statement)
        columns = [column[0] for column in cursor.description]
        found, held = cursor.fetchall(), before.execute(statement).fetchall()
        if found == held:
            continue
        rows, earlier = ({row[0]: row for row in content} for content in (found, held))
        if earlier.keys() - rows.keys():
            yield table, "rows removed"
        if rows.keys() - earlier.keys():
            yield table, ROWS
        for key in rows.keys() & earlier.keys():
            for column, old, new in zip(columns, earlier[key], rows[key], strict=True):
                if old != new:
                    yield table, column


def _count(connection: sqlite3.Connection, table: str) -> int:
    count: int = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    return count


def unexpected(changed: Changes, declared: Iterable[str]) -> list[str]:
    """What changed beyond the declared changes, and what is declared but did not happen; in words."""
    declared = list(declared)
    allowed = {
        (table, column) for name in declared for table, columns in ALLOWED[name].items() for column in columns
    }
    missing = [name for name in declared if name in _MUST and _MUST[name] not in changed]
    return [
        *(f"changed: {table}.{column}" for table, column in sorted(changed - allowed)),
        *(f"declared but not changed: {name}" for name in missing),
    ]
