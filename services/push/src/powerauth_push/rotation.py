"""Making what is of earlier master keys anew with the current one (D34)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.secrets import column_of, encrypted, give_up, renew
from powerauth_push.cipher import SecretCipher, SecretUnreadable
from powerauth_push.master_key.service import BOUND_TABLES, KEYED_COLUMNS
from servicekit import key_rotation
from servicekit.database import Database
from servicekit.key_rotation import Rotated, Sacrifice
from servicekit.logs import get_logger
from servicekit.row_macs import SESSION_KEY, RowMacs, table_of

_log = get_logger(__name__)


async def rotate(
    database: Database, cipher: SecretCipher, batch: int, *, gives_up: int = 0
) -> Mapping[str, Rotated]:
    """Make every value of another key anew; by table what was done.

    :param batch: rows in a transaction
    :param gives_up: how many secrets that their key does not open are forgotten at most
    """
    sacrifice = Sacrifice(gives_up)
    macs: RowMacs = database.session_info[SESSION_KEY]

    async def again(_session: AsyncSession, rows: Sequence[Any], done: Rotated) -> None:
        for row in rows:
            if not key_rotation.is_sound(row, done):
                continue
            if isinstance(row, AppCredentials):
                _renew(cipher, row, done, sacrifice)
            key_rotation.bind_again(macs, row)
            done.rows += 1

    done = {}
    for table in BOUND_TABLES:
        columns = [column for column in KEYED_COLUMNS if column.model is table]
        done[table_of(table)] = await key_rotation.rotate(database, columns, cipher.keys, again, batch)
    return done


def _renew(cipher: SecretCipher, row: AppCredentials, done: Rotated, sacrifice: Sacrifice) -> None:
    for kind in encrypted(row):
        try:
            renew(cipher, row, kind)
        except SecretUnreadable:
            _log.warning("secret unreadable", column=column_of(kind), application=row.app_id)
            if sacrifice.left and give_up(cipher, row, kind):
                sacrifice.left -= 1
                done.given_up.append(f"{column_of(kind)} of {row.app_id}")
            else:
                done.unreadable[column_of(kind)] += 1
