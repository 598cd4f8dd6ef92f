"""Failed log-ins in the audit log: at most one record per user and minute (spec/cloud-api.md §10.2)."""

from __future__ import annotations

from cloud_private_api.audit.service import AuditType, record
from cloud_private_api.caching import ExpiringCache
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
        self._recent: ExpiringCache[str, bool] = ExpiringCache(REMEMBERED_NAMES, SECONDS_BETWEEN)

    async def record(self, username: str | None) -> None:
        """One failure of a known user, or of nobody known."""
        name = username or UNKNOWN
        if self._recent.get(name):
            return
        self._recent.put(name, True)
        _log.warning("log-in failed", username=name)
        try:
            async with self._database.transaction() as session:
                record(session, AuditType.AUTH, name, "Log-in failed", {"username": name})
        except Unavailable:
            # The caller's answer is 401 either way; the line above remains.
            _log.warning("failed log-in not recorded", username=name)
