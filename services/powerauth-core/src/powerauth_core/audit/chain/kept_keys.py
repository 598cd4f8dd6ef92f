"""Keys of chains that outlive the master key which they were derived from (D34).

Rows are never chained anew: that would be a new history. So the audit of before is provable without the old
master key, by who has the present one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.chain.keys import ChainKey
from powerauth_core.audit.chain.models import AuditChainKey
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import RecordCipher, chain_key_parts
from servicekit import clock
from servicekit.database import insert_ignore
from servicekit.logs import get_logger

log = get_logger(__name__)


async def keep(session: AsyncSession, cipher: RecordCipher, keys: Iterable[ChainKey]) -> None:
    """Store keys, unless they are there and were not given up."""
    for key in keys:
        given_up = AuditChainKey.key_id == key.key_id, AuditChainKey.chain_key == ""
        await session.execute(delete(AuditChainKey).where(*given_up))
        mode, stored = cipher.encrypt(chain_key_parts(key.key_id), key.kept_form)
        values = {
            "key_id": key.key_id,
            "chain_key": stored,
            "chain_key_encryption": mode,
            "timestamp_created": clock.now(),
        }
        await insert_ignore(session, cast(Table, AuditChainKey.__table__), values)


async def load(session: AsyncSession, cipher: RecordCipher) -> list[ChainKey]:
    """The stored keys that the configured master keys open."""
    found = []
    for row in await session.scalars(select(AuditChainKey)):
        try:
            kept = cipher.decrypt(row.chain_key_encryption, chain_key_parts(row.key_id), row.chain_key)
            found.append(ChainKey.kept(row.key_id, kept))
        except (CoreError, ValueError):
            log.warning("chain key unreadable", key=row.key_id)
    return found
