"""Which revisions a database has gone through, and whether this release can work with it (D27).

Alembic remembers the last revision only. The history tells an earlier release that its own revision is among
those applied, so that it goes on working on a later schema; and from which release on the schema can be used,
once a later revision has taken something away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.database import Database, UtcTimestamp
from servicekit.start_rules import Finding, StartRefused

_DIGITS = re.compile(r"[0-9]+")

TABLE_NAME = "pa_schema_history"

_history = Table(
    TABLE_NAME,
    MetaData(),
    Column("revision", String(64), primary_key=True, doc="Id of the revision."),
    Column(
        "minimum_release",
        String(32),
        doc="The oldest release that can work afterwards, if it took something away.",
    ),
    Column("timestamp_applied", UtcTimestamp, nullable=False, doc="When it was applied."),
)


def schema_history_table(metadata: MetaData) -> Table:
    """``pa_schema_history`` in a service's metadata: a row for each revision applied.

    ``minimum_release`` is the oldest release that can use the schema afterwards; NULL: it takes nothing away.
    """
    return _history.to_metadata(metadata)


class SchemaRefused(StartRefused):
    """This release cannot work with the schema of the database. The text is one line for an operator."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a release needs of its database.

    :ivar revision: the newest revision that the release knows
    :ivar release: the release's own number, ``1.2.3``
    :ivar remedy: the command that brings a schema up to date
    :ivar variable: the setting that names the database
    """

    revision: str
    release: str
    remedy: str
    variable: str = "DATABASE_URL"

    async def require(self, database: Database) -> None:
        """Look before serving.

        :raises SchemaRefused: the schema is older than this release, or too new for it
        :raises DatabaseUnavailable: the database cannot be asked
        """
        async with database.read() as session:
            connection = await session.connection()
            found = await connection.run_sync(applied)
        if self.revision not in found:
            raise self._refusal(
                f"the schema is older than this release, or another's: revision {self.revision} has not been"
                " applied;"
                f" run `{self.remedy}`"
            )
        self._refuse_too_new(found.values())

    async def confirm(self, database: Database) -> None:
        """What readiness asks: whether this very server can be written to, and has our revision.

        On PostgreSQL a row is locked, which is a write: a standby, or a primary that was demoted, answers
        everything else.

        :raises DatabaseUnavailable: it cannot be written to, or cannot be asked
        :raises SchemaRefused: as :meth:`require`
        """
        async with database.read() as session:
            if database.dialect == "postgresql":
                present = await _lock(session, self.revision)
            else:
                present = self.revision in set(await session.scalars(select(_history.c.revision)))
            if not present:
                raise self._refusal(f"revision {self.revision} has not been applied")
            self._refuse_too_new(await session.scalars(select(_history.c.minimum_release)))

    def _refuse_too_new(self, minima: Iterable[str | None]) -> None:
        newest = max((_numbers(each) for each in minima if each is not None), default=())
        if newest > _numbers(self.release):
            least = ".".join(map(str, newest))
            raise self._refusal(
                f"the schema is too new for this release: it needs {least} or later, this is {self.release}"
            )

    def _refusal(self, meaning: str) -> SchemaRefused:
        return SchemaRefused(Finding(self.variable, meaning))


async def _lock(session: AsyncSession, revision: str) -> bool:
    """Whether the revision's row is there, found by a lock that keeps no other reader or writer waiting."""
    found = select(_history.c.revision).where(_history.c.revision == revision)
    return await session.scalar(found.with_for_update(read=True, key_share=True)) is not None


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _DIGITS.findall(release)[:3])


def applied(connection: Connection) -> dict[str, str | None]:
    """The revisions applied, each with the release that it demands; none for a database without a history."""
    if not inspect(connection).has_table(TABLE_NAME):
        return {}
    rows = connection.execute(select(_history.c.revision, _history.c.minimum_release))
    return {row.revision: row.minimum_release for row in rows}


def append(connection: Connection, revisions: Mapping[str, str | None], now: datetime) -> None:
    """Add revisions, those that are there already excepted; before there is a history, nothing.

    :param revisions: each with the release that it demands
    """
    if not inspect(connection).has_table(TABLE_NAME):
        return
    known = applied(connection)
    rows = [
        {"revision": revision, "minimum_release": minimum, "timestamp_applied": now}
        for revision, minimum in revisions.items()
        if revision not in known
    ]
    if rows:
        connection.execute(insert(_history), rows)
