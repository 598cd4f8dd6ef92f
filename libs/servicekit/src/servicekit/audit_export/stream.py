"""The stream of an audit log to its target: at least once, in order, by one process at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from pydantic_core import to_json
from sqlalchemy import BigInteger, Column, MetaData, String, Table, select, update

from servicekit import clock, logs, metrics
from servicekit.audit_export.feed import AuditFeed
from servicekit.audit_export.formats import Format, line_of
from servicekit.audit_export.records import AuditRecord
from servicekit.audit_export.settings import AuditExportSettings, target_of
from servicekit.audit_export.targets import FileTarget, Lines, SyslogTarget, Target
from servicekit.database import Database, UtcTimestamp, insert_ignore
from servicekit.start_rules import Finding, StartRefused
from servicekit.tls.contexts import FollowingContext, TlsFiles, calling_context

TABLE_NAME = "audit_export_cursor"
_STREAM = "stream"
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0

_log = logs.get_logger(__name__)
_sent = metrics.counter("audit_export_records", "Audit records that their receiver has")
_failures = metrics.counter("audit_export_failures", "Deliveries of audit records that failed")
_oldest = metrics.gauge("audit_export_oldest_seconds", "Age of the oldest audit record that waits")


def cursor_table(metadata: MetaData) -> Table:
    """How far the stream of an audit log has been delivered."""
    return Table(
        TABLE_NAME,
        metadata,
        Column("name", String(64), primary_key=True, doc="The audit log that is delivered."),
        Column("position", BigInteger, nullable=False, doc="Up to which record it has been."),
        Column("timestamp_updated", UtcTimestamp, nullable=False, doc="When that was last written."),
    )


_cursors = cursor_table(MetaData())


def lines_of(chosen: Format, records: Sequence[AuditRecord], service: str) -> Lines:
    """Records with their JSON."""
    return [(record, _ascii(line_of(chosen, record, service))) for record in records]


def _ascii(line: dict[str, object]) -> bytes:
    return to_json(line, ensure_ascii=True)


def _tls(files: TlsFiles) -> FollowingContext:
    try:
        return calling_context(files, "audit_export")
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        reason = f"{named}{error.strerror or error}"
        raise StartRefused(Finding("AUDIT_EXPORT_CERTIFICATE_PATH, …_CA_PATH", reason)) from None


class AuditStream:
    """Sends what is new.

    :param service: which keeps the log
    """

    def __init__(self, database: Database, target: Target, chosen: Format, service: str, batch: int) -> None:
        self._database = database
        self._feed = AuditFeed(database)
        self._target = target
        self._format = chosen
        self._service = service
        self._batch = batch
        self._pause = 0.0
        self._paused_until = 0.0

    @classmethod
    def of(cls, database: Database, settings: AuditExportSettings, service: str) -> AuditStream | None:
        """The stream of the settings, if there is one.

        :raises StartRefused: a file of certificates cannot be used
        """
        if not settings.audit_export_url:
            return None
        where = target_of(settings.audit_export_url)
        target: Target
        if isinstance(where, tuple):
            files = TlsFiles(
                settings.audit_export_certificate_path,
                settings.audit_export_key_path,
                settings.audit_export_ca_path,
            )
            needs_word = settings.audit_export_close_notify
            target = SyslogTarget(*where, _tls(files), service, close_notify=needs_word)
        else:
            target = FileTarget(where)
        return cls(database, target, settings.audit_export_format, service, settings.audit_export_batch)

    async def run(self) -> None:
        """Deliver all that is settled now; after a failure not before a pause is over.

        :raises CursorAhead: the log ends before what was delivered
        :raises DatabaseUnavailable: as everywhere
        """
        if time.monotonic() < self._paused_until:
            return
        after = await self._cursor()
        until = await self._feed.settled(after)
        while after < until and (records := await self._feed.page(after, until, self._batch)):
            if not await self._deliver(records):
                return
            after = records[-1].position or after
            await self._remember(after)
        _oldest.set(0)

    async def _deliver(self, records: Sequence[AuditRecord]) -> bool:
        lines = lines_of(self._format, records, self._service)
        try:
            await asyncio.to_thread(self._target.send, lines)
        except OSError as error:
            _oldest.set((clock.now() - records[0].moment).total_seconds())
            _failures.inc()
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
            self._paused_until = time.monotonic() + self._pause
            reason = f"{type(error).__name__}: {error.strerror or error}"
            _log.warning("audit export put off", reason=reason, seconds=self._pause)
            return False
        self._pause = 0.0
        _sent.inc(len(records))
        return True

    async def _cursor(self) -> int:
        async with self._database.read() as session:
            found = await session.scalar(select(_cursors.c.position).where(_cursors.c.name == _STREAM))
        return found or 0

    async def _remember(self, position: int) -> None:
        values = {"name": _STREAM, "position": position, "timestamp_updated": clock.now()}
        async with self._database.transaction() as session:
            if not await insert_ignore(session, _cursors, values):
                await session.execute(
                    update(_cursors)
                    # Whoever lost the lease may come late.
                    .where(_cursors.c.name == _STREAM, _cursors.c.position < position)
                    .values(position=position, timestamp_updated=values["timestamp_updated"])
                )
