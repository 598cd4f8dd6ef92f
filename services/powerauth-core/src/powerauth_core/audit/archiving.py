"""Months of audits and history that an operator takes out of their tables, and puts back (docs/audit.md).

What is detached stays in the database as a table of its own, in no list and no verification, until it is
stored elsewhere and dropped, or attached again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit import partitions, retention
from powerauth_core.audit.chain import repository
from powerauth_core.audit.chain.keys import FIRST_LINK, ChainKeys
from powerauth_core.audit.partitions import LOG_TABLES, TABLES, Partition, partitions_of
from powerauth_core.audit.rules import first_of_month, months_before, months_from
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.database import Database
from servicekit.errors import DataRefused

_NAME = re.compile(rf"({'|'.join(TABLES)})_(?:(\d{{4}})_(0[1-9]|1[0-2])|old)")
_TABLES = text("""SELECT c.relname, pg_total_relation_size(c.oid), c.relispartition
FROM pg_class c WHERE c.relkind = 'r' AND c.relname ~ :names
AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(:table))
ORDER BY c.relname""")
_CHAIN_STARTS = "SELECT chain_id, min(chain_position) FROM {} WHERE chain_id IS NOT NULL GROUP BY chain_id"


class PartitionRefused(Exception):
    """The month cannot be detached or attached; the text says why."""


@dataclass(frozen=True, slots=True)
class Month:
    """A part of a table as the database has it.

    :ivar attached: whether its rows are the table's
    :ivar size: in bytes, with its indexes
    """

    name: str
    attached: bool
    size: int


async def months(database: Database) -> list[Month]:
    """All parts of all tables, attached or not.

    :raises PartitionRefused: the database knows no partitions
    """
    _needs_partitions(database)
    found = []
    async with database.read() as session:
        for table in TABLES:
            names = f"^{table}_([0-9]{{4}}_[0-9]{{2}}|old|default)$"
            rows = await session.execute(_TABLES, {"names": names, "table": table})
            found += [Month(name, attached, size) for name, size, attached in rows]
    return found


async def detach(database: Database, keys: ChainKeys | None, name: str) -> None:
    """Take a month that is over out of its table.

    :param keys: of the chains of the signature audit; None: there are none
    :raises PartitionRefused: there is no such month, it is not over, an older one of the signature audit is
        still attached, or the key of its chains is not given
    :raises DatabaseUnavailable: the table was in use all the time
    """
    table = _table_of(database, name)
    async with database.transaction() as session:
        present = await partitions_of(session, table)
    found = next((each for each in present if each.name == name), None)
    if found is None:
        raise PartitionRefused(f"{name} is not attached.")
    if found.until is None or found.until > first_of_month(clock.now()):
        raise PartitionRefused(f"{name} is not over.")
    if table != retention.SIGNATURE_AUDIT:
        await partitions.detach(database, found)
        return
    # What is recorded of dropped rows is one moment: everything before it may be gone.
    older = [each.name for each in present if each.until is not None and each.until < found.until]
    if older:
        raise PartitionRefused(f"Months of {table} go oldest first: {older[0]} is attached.")
    async with database.transaction() as session:
        if keys is not None:
            await repository.record_dropped(session, keys.current, found.until)
        elif await repository.registry(session) is not None:
            raise PartitionRefused(f"{name} has chains: their key is needed (CORE_AUDIT_CHAIN_KEY).")
    await partitions.detach(database, found, partial(retention.end_chains, keys=keys, partition=found))


async def attach(database: Database, settings: CoreSettings, name: str) -> None:
    """Put a detached month back; its chains are verified from their first rows again.

    :raises PartitionRefused: there is no such table, it is attached, rows are missing or do not belong there,
        or the retention would drop it at once
    :raises DatabaseUnavailable: the table was in use all the time
    """
    table = _table_of(database, name)
    known = {month.name: month for month in await months(database)}
    if name not in known or known[name].attached:
        raise PartitionRefused(f"{name} is attached." if name in known else f"There is no table {name}.")
    partition = await _bounds(database, table, name)
    assert partition.until is not None
    kept = _kept_since(settings, table)
    if kept is not None and partition.until <= kept:
        raise PartitionRefused(f"{name} is older than what is kept: the next run of the job would drop it.")

    async def welcome(session: AsyncSession) -> None:
        if table == retention.SIGNATURE_AUDIT:
            await _begin_chains(session, name)

    try:
        await partitions.attach(database, partition, welcome)
    except (DBAPIError, DataRefused) as error:
        raise PartitionRefused(f"{name} does not fit into {table}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """What the database says, without the statement."""
    told = error if isinstance(error, DBAPIError) else error.__cause__
    return str(getattr(told, "orig", None) or error).rsplit(">: ", 1)[-1]


def _needs_partitions(database: Database) -> None:
    if database.dialect != "postgresql":
        raise PartitionRefused("SQLite keeps plain tables: there are no partitions.")


def _table_of(database: Database, name: str) -> str:
    _needs_partitions(database)
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise PartitionRefused(f"{name} is no month of {', '.join(TABLES)}.")
    return parts[1]


async def _bounds(database: Database, table: str, name: str) -> Partition:
    """Of a table by its name; the end of the part that a table began with by its rows."""
    parts = _NAME.fullmatch(name)
    assert parts is not None
    if parts[2]:
        month = datetime(int(parts[2]), int(parts[3]), 1)
        return Partition(table, name, month, months_from(month, 1)[1])
    async with database.read() as session:
        newest = await session.scalar(text(f"SELECT max(timestamp_created) FROM {name}"))  # noqa: S608 checked
    if newest is None:
        raise PartitionRefused(f"{name} is empty.")
    return Partition(table, name, None, months_from(newest, 1)[1])


async def _begin_chains(session: AsyncSession, name: str) -> None:
    starts = await session.execute(text(_CHAIN_STARTS.format(name)))
    for chain_id, first in starts.all():
        if first != 1:
            raise PartitionRefused(f"{name} has not all rows: chain {chain_id} begins with position {first}.")
        # A chain from its first row needs no sealed anchor.
        await repository.set_anchor(session, None, chain_id, 0, FIRST_LINK)


def _kept_since(settings: CoreSettings, table: str) -> datetime | None:
    """The moment before which the retention drops months of a table; None: it drops nothing."""
    if settings.audit_retention_mode != "drop":
        return None
    if table in LOG_TABLES:
        return retention.log_kept_since(settings)
    kept = {
        retention.SIGNATURE_AUDIT: settings.signature_audit_retention_months,
        "pa_activation_history": settings.activation_history_retention_months,
    }[table]
    return months_before(clock.now(), kept) if kept else None
