"""Encrypting what is stored in clear: an adopted database, or one that ran without a master key (D5).

Calls go on meanwhile: every reader takes both forms, and a row is locked while it is rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.container import Core
from powerauth_core.kernel.base import Base
from powerauth_core.kernel.errors import CoreError, MasterDbKeyMissing
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.secret_columns import SECRET_COLUMNS, Context, SecretColumn, context_of
from powerauth_protocol.common.record_encryption import EncryptionMode
from servicekit.database import Dialect, for_update
from servicekit.logs import get_logger
from servicekit.row_macs import BoundRow

log = get_logger(__name__)

BATCH = 200


@dataclass(slots=True)
class Progress:
    """What was done with one column."""

    encrypted: int = 0
    unreadable: int = 0


async def encrypt_stored_secrets(core: Core) -> dict[str, Progress]:
    """Encrypt every secret that is stored in clear; by column, how many.

    A value that cannot be read is counted, logged by its row and left as it is. It may be repeated.

    :raises MasterDbKeyMissing: no master key is configured
    """
    if not core.cipher.encrypts:
        raise MasterDbKeyMissing
    return {column.name: await _column(core, column) for column in SECRET_COLUMNS}


async def _column(core: Core, column: SecretColumn) -> Progress:
    progress = Progress()
    after: Any = None
    while True:
        async with core.database.transaction() as session:
            rows = await _clear_rows(session, core.database.dialect, column, after)
            context = await context_of(session, rows)
            for row in rows:
                _encrypt(core.cipher, column, row, context, progress)
        if not rows:
            return progress
        after = getattr(rows[-1], column.key.key)


async def _clear_rows(
    session: AsyncSession, dialect: Dialect, column: SecretColumn, after: Any
) -> list[Base]:
    clear = EncryptionMode.NO_ENCRYPTION
    statement = (
        select(column.value.class_)
        .where(column.mode == (clear.name if column.is_named else clear.value), column.value.is_not(None))
        .order_by(column.key)
        .limit(BATCH)
    )
    if after is not None:
        statement = statement.where(column.key > after)
    if column.only is not None:
        statement = statement.where(column.only)
    return list((await session.execute(for_update(statement, dialect))).scalars())


def _encrypt(
    cipher: RecordCipher, column: SecretColumn, row: Base, context: Context, progress: Progress
) -> None:
    if isinstance(row, BoundRow) and not row.sound:
        return  # binding the rows names it
    try:
        secret = column.opened(cipher, row, context)
    except CoreError:
        log.warning("secret unreadable", column=column.name, row=getattr(row, column.key.key))
        progress.unreadable += 1
        return
    column.store(cipher, row, context, secret)
    progress.encrypted += 1
