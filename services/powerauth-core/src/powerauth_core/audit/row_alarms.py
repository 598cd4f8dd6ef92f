"""Telling of rows that somebody else has written (D32): a metric, a line in the log, an audit record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from powerauth_contracts.enums import AuditLevel
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from servicekit import metrics
from servicekit.caching import Cache
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

if TYPE_CHECKING:
    from servicekit.database import Database

log = get_logger(__name__)

AGAIN_SECONDS = 3_600.0
_CAPACITY = 10_000

TABLES = (
    "dt_ticket",
    "pa_activation",
    "pa_application_callback",
    "pa_application_config",
    "pa_integration",
    "pa_jwt_key",
    "pa_jwt_session",
    "pa_oidc_client",
)
"""Those whose rows have a MAC."""
_rows = metrics.counter(
    "powerauth_unsound_rows", "Readings of rows whose MAC does not fit", {"table": TABLES}
)


class RowAlarms:
    """Counts every reading of an unsound row; logs and audits a row once an hour and process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: Cache[tuple[str, str], bool] = Cache(_CAPACITY, AGAIN_SECONDS)
        self._tasks: set[asyncio.Task[None]] = set()

    def report(self, table: str, row_id: str) -> None:
        """Tell of one row; never waits and never fails."""
        _rows.labels(table).inc()
        if self._told.get((table, row_id)):
            return
        self._told.put((table, row_id), True)
        log.error("unsound_row", table=table, row=row_id)
        task = asyncio.get_running_loop().create_task(self._audit(table, row_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Wait for the records that are being written."""
        await asyncio.gather(*self._tasks)

    async def _audit(self, table: str, row_id: str) -> None:
        # A transaction of its own: the one that read the row may only read, or be undone.
        try:
            async with self._database.transaction() as session:
                params = {"table": table, "row": row_id}
                await audit.record(
                    session, AuditType.INTEGRITY, "Row changed by others", params, None, AuditLevel.ERROR
                )
        except Unavailable as error:
            log.error("unsound_row_not_audited", table=table, row=row_id, reason=str(error))
