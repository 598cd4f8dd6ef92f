"""The statements of a batch on PostgreSQL: arrays instead of one set of parameters per row.

Written in SQL, since compiling and binding them row by row would cost more than the checks themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.signatures.audit import AUDIT_COLUMNS, LOG_COLUMNS, LOG_CONSTANTS, AuditRecord
from powerauth_core.signatures.jobs import LockedActivation
from powerauth_core.signatures.repository import SELECTED_COLUMNS, locked_activation
from powerauth_core.signatures.rules import Decision
from powerauth_protocol.encoding import b64encode

_COLUMNS = ", ".join([f"a.{name}" for name in SELECTED_COLUMNS])
# Locks in the order of the ids (README D9). NO KEY UPDATE lets others insert rows that refer to the
# activation.
_LOCK = f"""SELECT {_COLUMNS}, p.name, p.roles
FROM pa_activation a JOIN pa_application p ON p.id = a.application_id
WHERE a.activation_id = ANY($1::varchar[])
ORDER BY a.activation_id FOR NO KEY UPDATE OF a"""  # noqa: S608 only column names of ours
_LOCK_FREE_ONES = f"{_LOCK} SKIP LOCKED"
_STORE = """UPDATE pa_activation a
SET activation_status = v.status, blocked_reason = v.reason, counter = v.counter, ctr_data = v.ctr_data,
    failed_attempts = v.failed, timestamp_last_used = $7
FROM unnest($1::varchar[], $2::int[], $3::varchar[], $4::int[], $5::varchar[], $6::int[])
    AS v(id, status, reason, counter, ctr_data, failed)
WHERE a.activation_id = v.id"""


def _insert(table: str, columns: Mapping[str, str], constants: Sequence[str] = ()) -> str:
    """Insert of arrays, one per column, and of one value for each column that is the same in all rows."""
    arrays = ", ".join([f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), 1)])
    values = [f"v.{name}" for name in columns]
    values += [f"${number}::varchar" for number, _ in enumerate(constants, len(columns) + 1)]
    names = ", ".join([*columns, *constants])
    return (
        f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} "  # noqa: S608 only names of ours
        f"FROM unnest({arrays}) AS v({', '.join(columns)})"
    )


_INSERT_AUDIT = _insert("pa_signature_audit", AUDIT_COLUMNS)
_INSERT_LOG = _insert("audit_log", LOG_COLUMNS, tuple(LOG_CONSTANTS))
_LOG_CONSTANTS = tuple(LOG_CONSTANTS.values())


class PostgresqlStatements:
    """`BatchStatements` on PostgreSQL."""

    async def lock(
        self, session: AsyncSession, activation_ids: Collection[str], *, skip_locked: bool
    ) -> dict[str, LockedActivation]:
        """See `BatchStatements.lock`."""
        connection = await session.connection()
        statement = _LOCK_FREE_ONES if skip_locked else _LOCK
        rows = (await connection.exec_driver_sql(statement, (list(activation_ids),))).all()
        return {row[0]: locked_activation(row) for row in rows}

    async def store(self, session: AsyncSession, decisions: Sequence[Decision], now: datetime) -> None:
        """See `BatchStatements.store`."""
        facts = [decision.after for decision in decisions]
        connection = await session.connection()
        values = (
            [fact.activation_id for fact in facts],
            [fact.status.code for fact in facts],
            [fact.blocked_reason for fact in facts],
            [fact.counter for fact in facts],
            [None if fact.ctr_data is None else b64encode(fact.ctr_data) for fact in facts],
            [fact.failed_attempts for fact in facts],
            now,
        )
        await connection.exec_driver_sql(_STORE, values)

    async def insert_audit(self, session: AsyncSession, records: Sequence[AuditRecord]) -> None:
        """See `BatchStatements.insert_audit`."""
        connection = await session.connection()
        await connection.exec_driver_sql(_INSERT_AUDIT, _by_column([record.signature for record in records]))
        general = _by_column([record.general for record in records])
        await connection.exec_driver_sql(_INSERT_LOG, general + _LOG_CONSTANTS)


def _by_column(rows: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple([list(column) for column in zip(*rows, strict=True)])
