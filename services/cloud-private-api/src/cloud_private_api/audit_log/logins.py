"""Failed log-ins in the audit log: at most one record per user and minute (spec/cloud-api.md §10.2)."""

from __future__ import annotations

import asyncio

from cloud_private_api.audit_log.service import AuditType, record
from servicekit.caching import Cache
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

SECONDS_BETWEEN = 60.0
REMEMBERED_NAMES = 10_000
UNKNOWN = "unknown user"

_log = get_logger(__name__)


class FailedLogins:
    """Records failures. All unknown names share one place, so that guessing names cannot fill the table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: Cache[str, bool] = Cache(REMEMBERED_NAMES, SECONDS_BETWEEN)
        self._writing: set[asyncio.Task[None]] = set()

    def record(self, username: str | None) -> None:
        """One failure of a known user, or of nobody known. It is written beside the answer, which would
        otherwise tell by its speed who exists.
        """
        name = username or UNKNOWN
        if self._recent.get(name):
            return
        self._recent.put(name, True)
        _log.warning("log-in failed", username=name)
        task = asyncio.create_task(self._write(name))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def settled(self) -> None:
        """Wait until all is written."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def _write(self, name: str) -> None:
        try:
            async with self._database.transaction() as session:
                record(session, AuditType.AUTH, name, "Log-in failed", {"username": name})
        except Unavailable:
            # The caller's answer is 401 either way; the line above remains.
            _log.warning("failed log-in not recorded", username=name)
