"""The months of audits and history as partitions of their tables on PostgreSQL (design §5, docs/audit.md).

Every table also has a default partition, so that an insert finds a place even if nobody made the month.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.rules import months_from
from servicekit import clock
from servicekit.database import Database, DatabaseUnavailable
from servicekit.logs import get_logger

log = get_logger(__name__)

LOG_TABLES = ("audit_log", "audit_param")
"""The general log."""

TABLES = ("pa_signature_audit", "pa_activation_history", *LOG_TABLES)
"""All partitioned tables."""

_LIST = text("""SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass(:table) ORDER BY c.relname""")
_BOUNDS = re.compile(r"FOR VALUES FROM \((MINVALUE|'([^']+)')\) TO \('([^']+)'\)")

# Whoever waits for a lock that excludes everybody makes everybody behind it wait too: so not for long.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '250ms'"
_STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '15min'"
_ATTEMPTS = 4
_PAUSE_SECONDS = 1.0
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a table.

    :ivar table: what it is, or was, a part of
    :ivar since: its first moment; None in the part that the table began with, and in the default one
    :ivar until: the first moment after it; None in the default partition
    """

    table: str
    name: str
    since: datetime | None
    until: datetime | None

    @property
    def monthly(self) -> bool:
        """Whether it has a beginning and an end; rows are deleted one by one from the others."""
        return self.since is not None

    def holds(self, moment: datetime) -> bool:
        """Whether rows of this moment belong here by its bounds."""
        return self.until is not None and moment < self.until and (self.since is None or moment >= self.since)


async def partitions_of(session: AsyncSession, table: str) -> list[Partition]:
    """All partitions of a table; none if it is a plain one."""
    await session.execute(text("SET LOCAL datestyle = 'ISO'"))
    found = []
    for name, bound in await session.execute(_LIST, {"table": table}):
        bounds = _BOUNDS.fullmatch(bound)
        since = until = None
        if bounds is not None:
            since = None if bounds[2] is None else datetime.fromisoformat(bounds[2])
            until = datetime.fromisoformat(bounds[3])
        found.append(Partition(table, name, since, until))
    return found


async def create_ahead(database: Database, months: int) -> list[str]:
    """Make the partitions of this month and the next ones, and of what stands in the default partition.

    :return: names of the partitions that were made
    :raises DatabaseUnavailable: the tables were in use all the time; what is made so far stays
    """
    if database.dialect != "postgresql":
        return []
    made = []
    for table in TABLES:
        for month in await _missing(database, table, months):
            await _insisting(database, partial(_create, table=table, month=month))
            made.append(partition_name(table, month))
    if made:
        log.info("audit_partitions_made", partitions=made)
    return made


Before = Callable[[AsyncSession], Awaitable[None]]
"""Writes what belongs to a change of the table, in the same transaction."""


async def drop(database: Database, partition: Partition, before: Before | None = None) -> None:
    """Drop a partition with its rows, after what ``before`` writes in the same transaction.

    :raises DatabaseUnavailable: the table was in use all the time
    """

    # Without detaching it first, which would lock the activations as well.
    await _after(database, before, f"DROP TABLE {partition.name}")
    log.info("audit_partition_dropped", partition=partition.name)


async def detach(database: Database, partition: Partition, before: Before | None = None) -> None:
    """Take a partition out of its table: it stays in the database as a table of its own.

    :raises DatabaseUnavailable: the table was in use all the time
    """

    await _after(database, before, f"ALTER TABLE {partition.table} DETACH PARTITION {partition.name}")
    log.info("audit_partition_detached", partition=partition.name)


async def attach(database: Database, partition: Partition, before: Before) -> None:
    """Put a table with the rows of a time back in its place, after what ``before`` writes.

    :param partition: with an end
    :raises DatabaseUnavailable: the table was in use all the time
    """
    since = "MINVALUE" if partition.since is None else f"'{partition.since:%Y-%m-%d}'"
    bounds = f"FOR VALUES FROM ({since}) TO ('{partition.until:%Y-%m-%d}')"
    await _after(
        database, before, f"ALTER TABLE {partition.table} ATTACH PARTITION {partition.name} {bounds}"
    )
    log.info("audit_partition_attached", partition=partition.name)


async def _after(database: Database, before: Before | None, statement: str) -> None:
    async def work(session: AsyncSession) -> None:
        if before is not None:
            await before(session)
        await session.execute(text(statement))

    await _insisting(database, work)


def partition_name(table: str, month: datetime) -> str:
    """Name of the partition of a month."""
    return f"{table}_{month:%Y_%m}"


async def _missing(database: Database, table: str, months: int) -> list[datetime]:
    wanted = months_from(clock.now(), months)
    async with database.transaction() as session:
        present = await partitions_of(session, table)
        default = next((each.name for each in present if each.until is None), None)
        if default is None:
            return []
        statement = f"SELECT DISTINCT date_trunc('month', timestamp_created) FROM {default}"  # noqa: S608
        waiting = list(await session.scalars(text(statement)))
    # Wrong clocks leave rows of far months: those stay where they are.
    wanted += [month for month in waiting if month < wanted[0] and month not in wanted]
    return sorted(month for month in wanted if not any(each.holds(month) for each in present))


async def _create(session: AsyncSession, table: str, month: datetime) -> None:
    """A partition with the rows of its month, which the default partition may hold."""
    name, default = partition_name(table, month), f"{table}_default"
    following = months_from(month, 1)[1]
    bounds = {"since": month, "until": following}
    await session.execute(text(f"LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE"))
    await session.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)"))
    moved = (
        f"WITH moved AS (DELETE FROM {default}"  # noqa: S608 our names
        " WHERE timestamp_created >= :since AND timestamp_created < :until RETURNING *)"
        f" INSERT INTO {name} SELECT * FROM moved"
    )
    await session.execute(text(moved), bounds)
    await session.execute(
        text(
            f"ALTER TABLE {table} ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{month:%Y-%m-%d}') TO ('{following:%Y-%m-%d}')"
        )
    )


async def _insisting(database: Database, work: Callable[[AsyncSession], Awaitable[_R]]) -> _R:
    """Run work that needs strong locks, again when they are not free."""
    for attempt in range(_ATTEMPTS):
        try:
            async with database.transaction() as session:
                await session.execute(text(_LOCK_TIMEOUT))
                await session.execute(text(_STATEMENT_TIMEOUT))
                return await work(session)
        except DatabaseUnavailable:
            if attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
    raise AssertionError("unreachable")
