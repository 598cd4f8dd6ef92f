"""Making what is of earlier master keys anew with the current one (D34).

The chains of the audit are not written anew: their keys are kept, encrypted with the current key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import AuditLevel
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.errors import CoreError, InvalidKeyFormat
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.secret_columns import KEYED_COLUMNS, SECRET_COLUMNS, Context, SecretColumn, context_of
from servicekit import key_rotation
from servicekit.database import Database
from servicekit.key_rotation import Rotated, Sacrifice
from servicekit.logs import get_logger
from servicekit.row_macs import RowMacs

log = get_logger(__name__)


async def rotate(
    database: Database, cipher: RecordCipher, macs: RowMacs, batch: int, *, gives_up: int = 0
) -> Mapping[str, Rotated]:
    """Make every value of another key anew; by table what was done.

    :param batch: rows in a transaction
    :param gives_up: how many secrets that their key does not open are emptied at most, each with a record of
        the audit
    """
    done, sacrifice = {}, Sacrifice(gives_up)
    for table in dict.fromkeys(column.model for column in KEYED_COLUMNS):
        columns = [column for column in KEYED_COLUMNS if column.model is table]
        secrets = [column for column in SECRET_COLUMNS if column.value.class_ is table]

        async def again(
            session: AsyncSession,
            rows: Sequence[Any],
            rotated: Rotated,
            secrets: Sequence[SecretColumn] = tuple(secrets),
        ) -> None:
            context, before = await context_of(session, rows), len(rotated.given_up)
            for row in rows:
                if key_rotation.is_sound(row, rotated):
                    _renew(cipher, secrets, row, context, rotated, sacrifice)
                    key_rotation.bind_again(macs, row)
                    rotated.rows += 1
            for value in rotated.given_up[before:]:
                message, params = "Unreadable secret given up", {"value": value}
                await audit.record(session, AuditType.INTEGRITY, message, params, None, AuditLevel.WARN)

        done[table.__tablename__] = await key_rotation.rotate(database, columns, cipher.keys, again, batch)
    return done


def _renew(
    cipher: RecordCipher,
    secrets: Sequence[SecretColumn],
    row: Any,
    context: Context,
    rotated: Rotated,
    sacrifice: Sacrifice,
) -> None:
    for column in secrets:
        if not column.is_encrypted_in(row):
            continue
        try:
            column.store(cipher, row, context, column.opened(cipher, row, context))
        except CoreError as error:
            name = getattr(row, column.key.key)
            log.warning("secret unreadable", column=column.name, row=name)
            # What is of a key that was not given may well be readable.
            if sacrifice.left and isinstance(error, InvalidKeyFormat):
                sacrifice.left -= 1
                column.give_up(row)
                rotated.given_up.append(f"{column.name} of {name}")
            else:
                rotated.unreadable[column.name] += 1
