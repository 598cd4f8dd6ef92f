"""An audit log in an order that nobody adds to behind one's back (docs/audit.md).

Places are given when a record is inserted, and seen when its transaction commits: a lower one may appear
after a higher one. So a page ends where no transaction that writes the log now can add anything any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.audit_export.records import AuditRecord, exported
from servicekit.database import Database, DatabaseUnavailable
from servicekit.reads import moment

TABLE = "audit_log"
SEQUENCE = "audit_log_seq"

_COLUMNS = "audit_log_id, timestamp_created, audit_level, audit_type, message, subject_id, param"
_PLACES = {"postgresql": "seq", "sqlite": "rowid"}
_NEWEST = {
    "postgresql": f"SELECT last_value FROM {SEQUENCE}",  # noqa: S608 our name
    "sqlite": f"SELECT coalesce(max(rowid), 0) FROM {TABLE}",  # noqa: S608 our name
}
# Whoever inserts locks the table before it draws a number, and holds the lock until it has ended.
_WRITERS = text("""SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted
AND mode = 'RowExclusiveLock' AND relation = to_regclass('audit_log')
AND pid IS DISTINCT FROM pg_backend_pid()
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""")
_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 20.0


class CursorAhead(Exception):
    """The log ends before the cursor: it is that of another database, or of a later state of this one."""


class AuditFeed:
    """The records of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._place = _PLACES[database.dialect]

    async def settled(self, after: int = 0) -> int:
        """A place up to which every record is there, or never will be.

        :param after: a cursor
        :raises CursorAhead: the log ends before the cursor
        :raises DatabaseUnavailable: somebody has been writing all the time, or there is no connection
        """
        async with self._database.read() as session:
            newest = int(await session.scalar(text(_NEWEST[self._database.dialect])) or 0)
            if newest < after:
                raise CursorAhead(f"cursor {after} is behind the end of the log, {newest}")
            if self._database.dialect == "postgresql":
                await _until_gone(session, await _writers(session))
        return newest

    async def page(self, after: int, until: int, limit: int) -> list[AuditRecord]:
        """The next records in their order.

        :param until: a place that `settled` gave
        """
        statement = text(
            f"SELECT {self._place}, {_COLUMNS} FROM {TABLE}"  # noqa: S608 our names
            f" WHERE {self._place} > :after AND {self._place} <= :until ORDER BY {self._place} LIMIT :limit"
        )
        return await self._records(statement, after=after, until=until, limit=limit)

    async def first_since(self, since: datetime) -> int:
        """A cursor in front of the first record that was made at a moment or later."""
        async with self._database.read() as session:
            first = await session.scalar(
                text(f"SELECT min({self._place}) FROM {TABLE} WHERE timestamp_created >= :since"),  # noqa: S608
                {"since": self._stored(since)},
            )
            newest = int(await session.scalar(text(_NEWEST[self._database.dialect])) or 0)
        return newest if first is None else int(first) - 1

    async def without_place(self, since: datetime, limit: int) -> AsyncGenerator[list[AuditRecord]]:
        """Records from before there were places, oldest first, in pages; on SQLite there are none."""
        if self._database.dialect == "sqlite":
            return
        statement = text(
            f"SELECT seq, {_COLUMNS} FROM {TABLE} WHERE seq IS NULL AND timestamp_created >= :since"  # noqa: S608
            " AND (timestamp_created, audit_log_id) > (:since, :record)"
            " ORDER BY timestamp_created, audit_log_id LIMIT :limit"
        )
        record = ""
        while records := await self._records(statement, since=since, record=record, limit=limit):
            yield records
            since, record = records[-1].moment, records[-1].record_id

    async def _records(self, statement: Any, **values: Any) -> list[AuditRecord]:
        async with self._database.read() as session:
            rows = (await session.execute(statement, values)).all()
        return [_record(*row) for row in rows]

    def _stored(self, at: datetime) -> datetime | str:
        return at if self._database.dialect == "postgresql" else at.isoformat(" ", "microseconds")


async def _writers(session: AsyncSession) -> set[str]:
    return set(await session.scalars(_WRITERS))


async def _until_gone(session: AsyncSession, writers: set[str]) -> None:
    """Wait for transactions to end; those that begin meanwhile have higher places."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while writers:
                await asyncio.sleep(_LOOK_SECONDS)
                writers &= await _writers(session)
    except TimeoutError:
        raise DatabaseUnavailable("a transaction has been writing the audit log all the time") from None


def _record(
    position: int | None,
    record_id: str,
    created: datetime | str,
    level: str,
    kind: str | None,
    message: str,
    subject: str | None,
    parameters: str | None,
) -> AuditRecord:
    facts, address = exported(parameters)
    return AuditRecord(
        position, record_id, moment(created), level, kind or "other", message, subject, facts, address
    )
