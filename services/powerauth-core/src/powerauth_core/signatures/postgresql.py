"""The statements of a batch on PostgreSQL: arrays instead of one set of parameters per row.

Written in SQL, since compiling and binding them row by row would cost more than the checks themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.chain.streams import Chained
from powerauth_core.signatures.audit import (
    AUDIT_COLUMNS,
    CHAIN_COLUMNS,
    LOG_COLUMNS,
    LOG_CONSTANTS,
    AuditRecord,
)
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
# `xmin` is the transaction that wrote this version of the row: it tells whether the row is still the same.
_READ = f"""SELECT {_COLUMNS}, p.name, p.roles, a.xmin
FROM pa_activation a JOIN pa_application p ON p.id = a.application_id
WHERE a.activation_id = ANY($1::varchar[])"""  # noqa: S608 only column names of ours
_ROW_VERSION = 17
PATIENCE_MS = 100
"""How long a batch that holds no locks waits for a row that somebody else changes."""
_LEFT = {
    "activation_id": "varchar",
    "activation_status": "int",
    "blocked_reason": "varchar",
    "counter": "int",
    "ctr_data": "varchar",
    "failed_attempts": "int",
}


def _unnest(columns: Mapping[str, str], first: int) -> str:
    """Rows made of one array per column; the arrays are parameters numbered from `first`."""
    arrays = ", ".join([f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), first)])
    return f"unnest({arrays}) AS v({', '.join(columns)})"


def _insert(table: str, columns: Mapping[str, str], constants: Sequence[str], first: int) -> str:
    """Insert of arrays, and of one value for each column that is the same in all rows."""
    values = [f"v.{name}" for name in columns]
    values += [f"${number}::varchar" for number, _ in enumerate(constants, first + len(columns))]
    names = ", ".join([*columns, *constants])
    rows = _unnest(columns, first)
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {rows}"  # noqa: S608 our names


_PLACED = AUDIT_COLUMNS | CHAIN_COLUMNS
_AUDIT_FIRST = len(_LEFT) + 2
_LOG_FIRST = _AUDIT_FIRST + len(_PLACED)
_CONSTANTS = tuple(LOG_CONSTANTS.values())
_HEAD_FIRST = _LOG_FIRST + len(LOG_COLUMNS) + len(_CONSTANTS)
_NO_HEAD = (None,) * 5
_LEAVE_BEHIND = f"""
audit AS ({_insert("pa_signature_audit", _PLACED, (), _AUDIT_FIRST)}),
log AS ({_insert("audit_log", LOG_COLUMNS, tuple(LOG_CONSTANTS), _LOG_FIRST)}),
head AS (UPDATE audit_chain SET position = ${_HEAD_FIRST + 1}, mac = ${_HEAD_FIRST + 2},
    timestamp_last = ${_HEAD_FIRST + 3}, seal = ${_HEAD_FIRST + 4} WHERE chain_id = ${_HEAD_FIRST})"""  # noqa: S608 only names of ours
_UPDATE = f"""UPDATE pa_activation a
SET activation_status = v.activation_status, blocked_reason = v.blocked_reason, counter = v.counter,
    ctr_data = v.ctr_data, failed_attempts = v.failed_attempts, timestamp_last_used = ${len(_LEFT) + 1}
FROM {_unnest(_LEFT, 1)}"""  # noqa: S608 only names of ours
# One round trip for all that a batch leaves behind.
_STORE = f"WITH {_LEAVE_BEHIND} {_UPDATE} WHERE a.activation_id = v.activation_id"
_VERSIONS = _HEAD_FIRST + len(_NO_HEAD)
# The same without locks taken before, as a transaction of its own: nothing is done unless every row is still
# the one that was read. The division is what undoes the statement.
_STORE_UNCHANGED = f"""WITH patience AS (SELECT set_config('lock_timeout', '{PATIENCE_MS}', true)),
{_LEAVE_BEHIND},
moved AS ({_UPDATE},
    unnest(${_VERSIONS}::varchar[], ${_VERSIONS + 1}::xid[]) AS r(activation_id, version), patience
    WHERE a.activation_id = v.activation_id AND r.activation_id = v.activation_id AND a.xmin = r.version
    RETURNING a.activation_id)
SELECT 1 / (count(*) = cardinality(${_VERSIONS}))::int FROM moved"""  # noqa: S608 only names of ours


class RowsChanged(Exception):
    """A row is not the one that was read any more, or somebody is changing it; nothing was stored."""


# Classes of SQLSTATE that leave the outcome open: connection, resources, operator, system, internal error.
_UNKNOWN_OUTCOME = ("08", "53", "57", "58", "XX")


def is_refusal(error: Exception, driver: Any) -> bool:
    """Whether a statement that failed so is certainly undone."""
    if isinstance(error, RowsChanged):
        return True
    if isinstance(error, asyncpg.PostgresError):
        return not (error.sqlstate or "XX").startswith(_UNKNOWN_OUTCOME)
    # The driver's own complaint about a value, before anything was sent.
    return isinstance(error, asyncpg.InterfaceError) and not driver.is_closed()


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

    async def store(
        self,
        session: AsyncSession,
        decisions: Sequence[Decision],
        records: Sequence[AuditRecord],
        chained: Chained,
        now: datetime,
    ) -> None:
        """See `BatchStatements.store`."""
        connection = await session.connection()
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        try:
            # Past the dialect, in the transaction that `lock` has begun: it would look at each value once
            # more.
            await self.store_plain(driver, decisions, records, chained, now)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The form in which the database layer translates errors.
            lost = driver.is_closed()
            raise DBAPIError("store a batch", None, error, True, connection_invalidated=lost) from error

    async def lock_plain(
        self, driver: Any, activation_ids: Collection[str], *, skip_locked: bool
    ) -> dict[str, LockedActivation]:
        """`lock` by the driver alone."""
        rows = await driver.fetch(_LOCK_FREE_ONES if skip_locked else _LOCK, list(activation_ids))
        return {row[0]: locked_activation(row) for row in rows}

    async def read_plain(
        self, driver: Any, activation_ids: Collection[str]
    ) -> tuple[dict[str, LockedActivation], dict[str, int]]:
        """Read without locks, by the driver alone.

        :return: the activations, and the versions of their rows, by id
        """
        rows = await driver.fetch(_READ, list(activation_ids))
        return {row[0]: locked_activation(row) for row in rows}, {row[0]: row[_ROW_VERSION] for row in rows}

    async def store_unchanged(
        self,
        driver: Any,
        decisions: Sequence[Decision],
        records: Sequence[AuditRecord],
        chained: Chained,
        now: datetime,
        versions: Mapping[str, int],
    ) -> None:
        """`store` in one transaction of its own, if the rows are as they were read.

        :param versions: of the rows that were read
        :raises RowsChanged: they are not; nothing is stored
        """
        ids = [decision.after.activation_id for decision in decisions]
        try:
            await driver.execute(
                _STORE_UNCHANGED,
                *_arguments(decisions, records, chained, now),
                ids,
                [versions[each] for each in ids],
            )
        except (asyncpg.DivisionByZeroError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            raise RowsChanged from None

    async def store_plain(
        self,
        driver: Any,
        decisions: Sequence[Decision],
        records: Sequence[AuditRecord],
        chained: Chained,
        now: datetime,
    ) -> None:
        """`store` by the driver alone."""
        await driver.execute(_STORE, *_arguments(decisions, records, chained, now))


def _arguments(
    decisions: Sequence[Decision], records: Sequence[AuditRecord], chained: Chained, now: datetime
) -> tuple[Any, ...]:
    left = [
        (
            after.activation_id,
            after.status.code,
            after.blocked_reason,
            after.counter,
            None if after.ctr_data is None else b64encode(after.ctr_data),
            after.failed_attempts,
        )
        for after in [decision.after for decision in decisions]
    ]
    head = chained.head
    return (
        *_by_column(left, len(_LEFT)),
        now,
        *_by_column([record.signature for record in records], len(AUDIT_COLUMNS)),
        *_by_column(chained.places, len(CHAIN_COLUMNS)),
        *_by_column([record.general for record in records], len(LOG_COLUMNS)),
        *_CONSTANTS,
        *(_NO_HEAD if head is None else (head.chain_id, head.position, head.mac, now, head.seal)),
    )


def _by_column(rows: Sequence[tuple[Any, ...]], columns: int) -> Sequence[Any]:
    return tuple(zip(*rows, strict=True)) if rows else ((),) * columns
