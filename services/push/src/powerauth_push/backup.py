"""Whether a restored database opens with the keys that are given: only reads (docs/operations.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.secrets import column_of, encrypted, opened
from powerauth_push.cipher import SecretCipher, SecretUnreadable
from powerauth_push.master_key.service import BOUND_TABLES, KEYED_COLUMNS, look
from servicekit.backup_check import Report, check_tables
from servicekit.database import Database
from servicekit.key_records import MasterKeyRefused, live
from servicekit.master_keys import MasterKeys
from servicekit.row_macs import RowBinding, RowMacs

_KEYS = "master keys"


async def check(database: Database, keys: MasterKeys, *, whole: bool) -> Report:
    """Open every kind of secret, of a sample of the rows or of all, and check MACs.

    :param whole: all rows
    """
    report = Report()
    try:
        named, records = await look(database, keys)
    except MasterKeyRefused as refused:
        report.tell(_KEYS, refused, ok=False)
        return report
    report.begin(_KEYS)
    for record in live(records):
        report.tell(_KEYS, f"{record.key_id} is not given", ok=keys.known(record.key_check) is not None)
    cipher = SecretCipher(named)

    async def open_rows(_session: AsyncSession, rows: Sequence[Any], report: Report) -> None:
        for row in rows:
            for kind in encrypted(row) if isinstance(row, AppCredentials) else ():
                try:
                    opened(cipher, row, kind)
                    ok = True
                except SecretUnreadable:
                    ok = False
                report.tell(column_of(kind), row.app_id, ok=ok)

    for column in KEYED_COLUMNS:
        report.begin(column.name)
    macs = RowMacs(named, RowBinding.COMPLETE)
    await check_tables(database, BOUND_TABLES, macs, open_rows, report, whole=whole)
    return report
