"""Whether a restored database opens with the keys that are given: only reads (docs/operations.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.chain import repository as chains
from powerauth_core.audit.chain.keys import ChainKeys, Sealed
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.master_key.service import REGISTRY, Examined, changed_by_others, found_binding, look
from powerauth_core.secret_columns import KEYED_COLUMNS, SECRET_COLUMNS, context_of
from powerauth_core.settings import CoreSettings
from servicekit.backup_check import Report, check_tables
from servicekit.database import Database
from servicekit.key_records import MasterKeyRefused, live
from servicekit.master_keys import MasterKeys
from servicekit.row_macs import RowMacs

_KEYS, _REGISTRY, _HEADS = "master keys", "registry of the audit's chains", "heads of the audit's chains"


async def check(database: Database, settings: CoreSettings, keys: MasterKeys, *, whole: bool) -> Report:
    """Open every kind of secret, of a sample of the rows or of all, and check MACs and seals.

    :param whole: all rows
    """
    report = Report()
    examined = await look(database, keys)
    await _check_keys(database, examined, report)
    binding = examined.binding
    if not examined.records:
        async with database.read() as session:
            binding = await found_binding(session)
    cipher = RecordCipher(examined.keys)

    async def open_rows(session: AsyncSession, rows: Sequence[Any], report: Report) -> None:
        context = await context_of(session, rows)
        for column in SECRET_COLUMNS:
            for row in rows if column.value.class_ is type(rows[0]) else ():
                if not column.is_encrypted_in(row):
                    continue
                try:
                    column.opened(cipher, row, context)
                    ok = True
                except (CoreError, KeyError):
                    ok = False
                report.tell(column.name, getattr(row, column.key.key), ok=ok)

    for column in SECRET_COLUMNS:
        report.begin(column.name)
    tables = dict.fromkeys(column.model for column in KEYED_COLUMNS)
    macs = RowMacs(examined.keys, binding, required=settings.require_bound_rows)
    await check_tables(database, tables, macs, open_rows, report, whole=whole)
    await _check_chains(database, ChainKeys.of(settings.chain_secrets, examined.chain_keys), report)
    return report


async def _check_keys(database: Database, examined: Examined, report: Report) -> None:
    for record in live(examined.records):
        known = examined.keys.known(record.key_check) is not None
        report.tell(_KEYS, f"{record.key_id} is not given", ok=known)
    for record in changed_by_others(examined.records, examined.keys):
        report.tell(_KEYS, f"the record of {record.key_id} was changed by others", ok=False)
    if not examined.records:
        try:
            async with database.read() as session:
                await REGISTRY.first(session, examined.keys)
        except MasterKeyRefused as refused:
            report.tell(_KEYS, refused, ok=False)
        else:
            report.begin(_KEYS)


async def _check_chains(database: Database, keys: ChainKeys | None, report: Report) -> None:
    async with database.read() as session:
        registry = await chains.registry(session)
        heads = await chains.heads(session)
    report.begin(_HEADS)
    if registry is not None:
        key = keys.by_id(registry.key_id) if keys else None
        sealed = key is not None and key.sealed(registry.seal, Sealed.REGISTRY, *registry.facts())
        report.tell(_REGISTRY, f"sealed with {registry.key_id}, or changed", ok=sealed)
    for head in heads:
        key = keys.by_id(head.key_id) if keys else None
        report.tell(_HEADS, head.chain_id, ok=key is not None and head.sealed_by(key))
