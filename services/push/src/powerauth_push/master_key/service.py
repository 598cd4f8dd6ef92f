"""Starting with the right master keys, or not at all (D34)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.secrets import encrypted, opened
from powerauth_push.callers.models import Integration
from powerauth_push.cipher import SecretCipher, SecretUnreadable
from powerauth_push.master_key.models import MasterKeyRecord
from powerauth_push.settings import PushSettings
from servicekit import key_rotation
from servicekit.database import Database
from servicekit.key_records import KeyRegistry, fitting, named_in
from servicekit.key_rotation import KeyedColumn, mac_column
from servicekit.master_keys import MasterKeys
from servicekit.row_macs import SESSION_KEY, BoundRow, RowBinding, RowKeyUnknown, RowMacs, table_of

BOUND_TABLES: tuple[type[BoundRow], ...] = (AppCredentials, Integration)

KEYED_COLUMNS = (
    KeyedColumn(AppCredentials.apns_private_key, AppCredentials.apns_private_key_encryption != 0),
    KeyedColumn(AppCredentials.fcm_private_key, AppCredentials.fcm_private_key_encryption != 0),
    KeyedColumn(AppCredentials.hms_client_secret, AppCredentials.hms_client_secret_encryption != 0),
    *[mac_column(table) for table in BOUND_TABLES],
)
"""What is of a master key."""


def given_keys(settings: PushSettings) -> MasterKeys:
    """The master keys of the settings."""
    return MasterKeys(settings.master_key, settings.previous_master_keys)


def bind(database: Database, keys: MasterKeys) -> None:
    """Let rows of credentials and callers be bound by these keys (D32)."""
    database.session_info[SESSION_KEY] = RowMacs(keys, RowBinding.COMPLETE)


async def examine(database: Database, keys: MasterKeys) -> MasterKeys:
    """The keys as values of the database name them, which knows of the current one from now on.

    :raises MasterKeyRefused: one is missing that the database needs, or it was used with another one
    """
    named, _ = await REGISTRY.examine(database, keys)
    bind(database, named)
    return named


async def look(database: Database, keys: MasterKeys) -> tuple[MasterKeys, Sequence[MasterKeyRecord]]:
    """As `examine`, of whatever keys, and without storing anything; with the records of the database."""
    async with database.read() as session:
        records = await REGISTRY.all(session)
        if not records:
            await REGISTRY.first(session, keys)
    return named_in(records, keys), records


async def _first_key(session: AsyncSession, keys: MasterKeys) -> bytes | None:
    """Nothing is recorded of a key yet: which one the rows are bound with, or their secrets open with."""
    session.sync_session.info.pop(SESSION_KEY, None)
    rows: list[BoundRow] = []
    for table in BOUND_TABLES:
        every: Any = select(table)
        rows += (await session.scalars(every)).all()
    bound = [row for row in rows if row.row_mac is not None]
    secrets = [row for row in rows if isinstance(row, AppCredentials) and encrypted(row)]
    if not bound and not secrets:
        return keys.current
    if keys.current is None:
        raise REGISTRY.refused("is not set, but the database was used with a key")
    found = fitting(keys, lambda key: _binds_any(key, bound))
    # Others may have written every bound row; what is encrypted tells then.
    found = found or fitting(keys, lambda key: _opens_any(key, secrets))
    if found is None:
        raise REGISTRY.refused(
            "fits no row of the database: it is another key than that of the database, or others have changed"
            " the rows",
            "the key that the database was first used with, or a backup of push_app_credentials and"
            " push_integration",
        )
    return found


def _binds_any(key: bytes, rows: Iterable[BoundRow]) -> bool:
    macs = RowMacs(MasterKeys(key), RowBinding.COMPLETE)
    for row in rows:
        try:
            if macs.fits(table_of(row), row.bound_content(), row.row_mac):
                return True
        except RowKeyUnknown:
            continue
    return False


def _opens_any(key: bytes, rows: Iterable[AppCredentials]) -> bool:
    """A wrong key opens a value once in 256 times, but what it gives is no text then."""
    cipher = SecretCipher(MasterKeys(key))
    for row in rows:
        for kind in encrypted(row):
            try:
                if opened(cipher, row, kind).isascii():
                    return True
            except SecretUnreadable:
                continue
    return False


async def _nothing_further(_key: bytes, _session: AsyncSession) -> dict[str, Any]:
    return {}


async def _count(database: Database) -> Mapping[str, Counter[str]]:
    return await key_rotation.count(database, KEYED_COLUMNS)


REGISTRY = KeyRegistry("PUSH_", MasterKeyRecord, _nothing_further, _first_key, _count)
