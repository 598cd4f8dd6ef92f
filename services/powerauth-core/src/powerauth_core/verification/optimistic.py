"""The statements of a batch on PostgreSQL: all rows in one parameter instead of parameters for each row.

Written in SQL, since compiling and binding them row by row would cost more than the checks themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.chain.streams import Chained
from powerauth_core.audit.signatures import AUDIT_COLUMNS, CHAIN_COLUMNS, LOG_COLUMNS, LOG_CONSTANTS
from powerauth_core.kernel.row_macs import RowMacs
from powerauth_core.verification.audit import AuditRecord
from powerauth_core.verification.jobs import LockedActivation
from powerauth_core.verification.repository import SELECTED_COLUMNS, locked_activation, renewed_mac
from powerauth_core.verification.steps import Decision
from powerauth_protocol.common.encoding import b64encode
from servicekit.database_errors import judge

_COLUMNS = ", ".join([f"a.{name}" for name in SELECTED_COLUMNS])
# Locks in the order of the ids (D9). NO KEY UPDATE lets others insert rows that refer to the
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
_ROW_VERSION = len(SELECTED_COLUMNS) + 2
PATIENCE_MS = 100
"""How long a batch that holds no locks waits for a row that somebody else changes."""
_LEFT = {
    "activation_id": "varchar",
    "activation_status": "int",
    "blocked_reason": "varchar",
    "counter": "int",
    "ctr_data": "varchar",
    "failed_attempts": "int",
    "row_mac": "varchar",
    "row_version": "xid",
}


def _rows(columns: Sequence[tuple[str, str]], parameter: int) -> str:
    """Rows out of a JSON array of arrays: an array of PostgreSQL for each column costs the driver five times
    as much.
    """
    cells = ", ".join(
        [
            f"decode(v->>{number}, 'hex')" if kind == "bytea" else f"(v->>{number})::{kind}"
            for number, (_, kind) in enumerate(columns)
        ]
    )
    names = ", ".join([name for name, _ in columns])
    return f"({names}) AS MATERIALIZED (SELECT {cells} FROM jsonb_array_elements(${parameter}::jsonb) v)"  # noqa: S608 our names


_PLACED = AUDIT_COLUMNS | CHAIN_COLUMNS
_CELLS = [*_PLACED.items(), *[(f"log_{name}", kind) for name, kind in LOG_COLUMNS.items()]]
_CONSTANTS = tuple(LOG_CONSTANTS.values())
_FIRST_CONSTANT = 4
_FIRST_OF_HEAD = _FIRST_CONSTANT + len(_CONSTANTS)
_NO_HEAD = (None,) * 4
# One round trip for all that a batch leaves behind. $1: the activations, $2: the audit, $3: the moment.
_LEAVE_BEHIND = f"""WITH
activation {_rows(tuple(_LEFT.items()), 1)},
record {_rows(_CELLS, 2)},
audit AS (INSERT INTO pa_signature_audit ({", ".join(_PLACED)}) SELECT {", ".join(_PLACED)} FROM record),
log AS (INSERT INTO audit_log ({", ".join([*LOG_COLUMNS, *LOG_CONSTANTS])})
    SELECT {", ".join([f"log_{name}" for name in LOG_COLUMNS])},
        {", ".join([f"${each}::varchar" for each in range(_FIRST_CONSTANT, _FIRST_OF_HEAD)])} FROM record),
head AS (UPDATE audit_chain SET position = ${_FIRST_OF_HEAD + 1}, mac = ${_FIRST_OF_HEAD + 2},
    timestamp_last = $3, seal = ${_FIRST_OF_HEAD + 3} WHERE chain_id = ${_FIRST_OF_HEAD}),
"""  # noqa: S608 only names of ours
_UPDATE = """UPDATE pa_activation a
SET activation_status = v.activation_status, blocked_reason = v.blocked_reason, counter = v.counter,
    ctr_data = v.ctr_data, failed_attempts = v.failed_attempts, row_mac = coalesce(v.row_mac, a.row_mac),
    timestamp_last_used = $3
FROM activation v"""
_STORE = f"""{_LEAVE_BEHIND}
moved AS ({_UPDATE} WHERE a.activation_id = v.activation_id)
SELECT"""
# The same without locks taken before, as a transaction of its own: nothing is done unless every row is still
# the one that was read. The division is what undoes the statement.
_STORE_UNCHANGED = f"""{_LEAVE_BEHIND}
patience AS (SELECT set_config('lock_timeout', '{PATIENCE_MS}', true)),
moved AS ({_UPDATE}, patience
    WHERE a.activation_id = v.activation_id AND a.xmin = v.row_version RETURNING a.activation_id)
SELECT 1 / ((SELECT count(*) FROM moved) = (SELECT count(*) FROM activation))::int"""  # noqa: S608 our names

_TOUCH = "UPDATE audit_chain SET position = position WHERE chain_id = $1"


class RowsChanged(Exception):
    """A row is not the one that was read any more, or somebody is changing it; nothing was stored."""


def is_refusal(error: Exception, driver: Any) -> bool:
    """Whether a statement that failed so is certainly undone."""
    if isinstance(error, RowsChanged):
        return True
    if isinstance(error, asyncpg.PostgresError):
        verdict = judge(error)
        return verdict is not None and verdict.certain
    # The driver's own complaint about a value, before anything was sent.
    return isinstance(error, asyncpg.InterfaceError) and not driver.is_closed()


class PostgresqlStatements:
    """`BatchStatements` on PostgreSQL."""

    def __init__(self, macs: RowMacs) -> None:
        self._macs = macs

    def _activation(self, row: Any) -> LockedActivation:
        return locked_activation(row, self._macs)

    async def lock(
        self, session: AsyncSession, activation_ids: Collection[str], *, skip_locked: bool
    ) -> dict[str, LockedActivation]:
        """See `BatchStatements.lock`."""
        connection = await session.connection()
        statement = _LOCK_FREE_ONES if skip_locked else _LOCK
        rows = (await connection.exec_driver_sql(statement, (list(activation_ids),))).all()
        return {row[0]: self._activation(row) for row in rows}

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
        return {row[0]: self._activation(row) for row in rows}

    async def read_plain(
        self, driver: Any, activation_ids: Collection[str]
    ) -> tuple[dict[str, LockedActivation], dict[str, int]]:
        """Read without locks, by the driver alone.

        :return: the activations, and the versions of their rows, by id
        """
        rows = await driver.fetch(_READ, list(activation_ids))
        return {row[0]: self._activation(row) for row in rows}, {row[0]: row[_ROW_VERSION] for row in rows}

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
        try:
            await driver.execute(
                _STORE_UNCHANGED, *self._arguments(decisions, records, chained, now, versions)
            )
        except (asyncpg.DivisionByZeroError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            raise RowsChanged from None

    async def touch(self, session: AsyncSession, chain_id: str) -> None:
        """See `BatchStatements.touch`."""
        connection = await session.connection()
        await connection.exec_driver_sql(_TOUCH, (chain_id,))

    async def touch_plain(self, driver: Any, chain_id: str) -> None:
        """`touch` by the driver alone."""
        await driver.execute(_TOUCH, chain_id)

    async def store_plain(
        self,
        driver: Any,
        decisions: Sequence[Decision],
        records: Sequence[AuditRecord],
        chained: Chained,
        now: datetime,
    ) -> None:
        """`store` by the driver alone."""
        await driver.execute(_STORE, *self._arguments(decisions, records, chained, now, {}))

    def _arguments(
        self,
        decisions: Sequence[Decision],
        records: Sequence[AuditRecord],
        chained: Chained,
        now: datetime,
        versions: Mapping[str, int],
    ) -> tuple[Any, ...]:
        left = [
            (
                after.activation_id,
                after.status.code,
                after.blocked_reason,
                after.counter,
                None if after.ctr_data is None else b64encode(after.ctr_data),
                after.failed_attempts,
                renewed_mac(self._macs, after),
                versions.get(after.activation_id),
            )
            for after in [decision.after for decision in decisions]
        ]
        rows = [
            (*record.signature, *place, *record.general)
            for record, place in zip(records, chained.places, strict=True)
        ]
        head = chained.head
        return (
            _json(left),
            _json(rows),
            now,
            *_CONSTANTS,
            *(_NO_HEAD if head is None else (head.chain_id, head.position, head.mac, head.seal)),
        )


def _json(rows: Sequence[tuple[Any, ...]]) -> str:
    return to_json(rows, bytes_mode="hex").decode()
