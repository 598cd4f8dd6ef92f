"""How long audits and history are kept (docs/audit.md).

On PostgreSQL a month goes as a whole, with its partition; single rows are deleted only from the partition
that a table began with, from the default one, and on SQLite.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit import partitions
from powerauth_core.audit.chain import reading, repository
from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.audit.chain.models import AuditChain
from powerauth_core.audit.partitions import LOG_TABLES, Partition, partitions_of
from powerauth_core.audit.ports import Ports
from powerauth_core.audit.rules import first_of_month, months_before
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.database import Database
from servicekit.logs import get_logger

log = get_logger(__name__)

SIGNATURE_AUDIT = "pa_signature_audit"
_BATCH = 1_000
_CHAIN_BATCH = 10_000
_LET_GO = {"drop": partitions.drop, "detach": partitions.detach}


async def clean_audit_log(ports: Ports) -> int:
    """Delete what is older than `audit_cleanup_days` from the general log; how many single rows."""
    before = log_kept_since(ports.settings)
    if before is None:
        return 0
    if ports.database.dialect == "postgresql":
        before = first_of_month(before)
    deleted = 0
    for table in LOG_TABLES:
        deleted += await _clean(ports, table, before)
    return deleted


def log_kept_since(settings: CoreSettings) -> datetime | None:
    """The moment from which on the general log is kept; None: all of it is."""
    days = settings.audit_cleanup_days
    return clock.now() - timedelta(days=days) if days else None


async def apply_retention(ports: Ports) -> int:
    """Delete what is older than the settings say from signature audit and history; how many single rows."""
    settings, deleted = ports.settings, 0
    if settings.signature_audit_retention_months:
        before = months_before(clock.now(), settings.signature_audit_retention_months)
        keys = ports.chain_keys
        if keys is not None:
            # Before the first row goes, for who verifies at this moment.
            async with ports.database.transaction() as session:
                await repository.record_dropped(session, keys.current, before)
        await _drop_signature_audit(ports, before)
        await _shorten_chains(ports.database, keys, before)
        deleted += await _delete_rows(ports.database, SIGNATURE_AUDIT, before)
    if settings.activation_history_retention_months:
        before = months_before(clock.now(), settings.activation_history_retention_months)
        deleted += await _clean(ports, "pa_activation_history", before)
    return deleted


async def _clean(ports: Ports, table: str, before: datetime) -> int:
    for partition in await _old_partitions(ports.database, table, before):
        await _LET_GO[ports.settings.audit_retention_mode](ports.database, partition)
    return await _delete_rows(ports.database, table, before)


async def _old_partitions(database: Database, table: str, before: datetime) -> list[Partition]:
    """Partitions whose rows are all older."""
    if database.dialect != "postgresql":
        return []
    async with database.transaction() as session:
        present = await partitions_of(session, table)
    return [each for each in present if each.until is not None and each.until <= before]


async def _drop_signature_audit(ports: Ports, before: datetime) -> None:
    for partition in await _old_partitions(ports.database, SIGNATURE_AUDIT, before):
        let_go = _LET_GO[ports.settings.audit_retention_mode]
        await let_go(
            ports.database, partition, partial(end_chains, keys=ports.chain_keys, partition=partition)
        )


async def end_chains(session: AsyncSession, *, keys: ChainKeys | None, partition: Partition) -> None:
    """Let the chains of a part of the signature audit say that its rows went by retention, or by an operator.

    :param partition: with an end; the chains keep their heads
    """
    assert partition.until is not None
    for head in await repository.kept_chains(session, partition.since, partition.until):
        await _anchor(session, keys, head, head.position, head.mac)


async def _shorten_chains(database: Database, keys: ChainKeys | None, before: datetime) -> None:
    """Delete rows of chains that ended before, from their start on: each step leaves a shorter chain."""
    while True:
        async with database.read() as session:
            chains = await repository.kept_chains(session, None, before, 1)
        if not chains:
            return
        [head] = chains
        until = min(head.anchor_position + _CHAIN_BATCH, head.position)
        mac = await reading.mac_at(database, head.chain_id, until)
        if mac is None:  # no such row, though there should be: nothing in between can begin the chain
            until = head.position
        async with database.transaction() as session:
            await session.execute(
                text("DELETE FROM pa_signature_audit WHERE chain_id = :chain AND chain_position <= :until"),
                {"chain": head.chain_id, "until": until},
            )
            await _anchor(session, keys, head, until, head.mac if until == head.position else mac or b"")


async def _anchor(
    session: AsyncSession, keys: ChainKeys | None, head: AuditChain, position: int, mac: bytes
) -> None:
    """Let a chain begin behind what is dropped; one that was changed keeps telling so."""
    key = None if keys is None else keys.by_id(head.key_id)
    if key is None or not head.sealed_by(key):
        log.error("audit_chain_dropped_unsealed", chain=head.chain_id)
        await repository.set_anchor(session, None, head.chain_id, position, mac)
    else:
        await repository.set_anchor(session, key, head.chain_id, position, mac)


async def _delete_rows(database: Database, table: str, before: datetime) -> int:
    """Delete single rows, a batch at a time; how many."""
    if database.dialect == "sqlite":
        return await _delete_from(database, table, "rowid", before)
    async with database.transaction() as session:
        present = await partitions_of(session, table)
    deleted = 0
    for partition in present:
        if not partition.monthly:
            deleted += await _delete_from(database, partition.name, "ctid", before)
    return deleted


async def _delete_from(database: Database, table: str, address: str, before: datetime) -> int:
    """:param address: the column by which the database finds a row at once"""
    rows = f"SELECT {address} FROM {table} WHERE timestamp_created < :before LIMIT {_BATCH}"  # noqa: S608
    chosen = f"IN ({rows})" if address == "rowid" else f"= ANY(ARRAY({rows}))"
    statement = text(f"DELETE FROM {table} WHERE {address} {chosen}")  # noqa: S608 our names
    total = 0
    while True:
        async with database.transaction() as session:
            result = await session.execute(statement, {"before": before})
            deleted: int = result.rowcount  # type: ignore[attr-defined]
        total += deleted
        if deleted < _BATCH:
            return total
