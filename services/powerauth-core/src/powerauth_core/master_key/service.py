"""Starting with the right master key, or not at all; binding the rows of a database (D5, D32)."""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.keys import read_server_key
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import RecordCipher, master_key_parts
from powerauth_core.master_key import repository, rules
from powerauth_core.master_key.models import MasterKeyRecord
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import KeyFormatError
from powerauth_protocol.generation import generation_of_application
from powerauth_protocol.groups import ServerKey
from servicekit import clock
from servicekit.database import Database
from servicekit.row_macs import SESSION_KEY, BoundRow, RowBinding, RowMacs, give_mac, table_of
from servicekit.start_rules import Finding, StartRefused

VARIABLE = "CORE_MASTER_ENCRYPTION_KEY"
BATCH = 200
_KEYS = generation_of_application().server_keys


class MasterKeyRefused(StartRefused):
    """A core must not start with this master key."""

    def __init__(self, meaning: str, example: str = "the key that the database was first used with") -> None:
        super().__init__(Finding(VARIABLE, meaning, example))


async def examine(database: Database, master_key: bytes | None) -> RowBinding:
    """Check the key against the database, and remember it there if it is the first one.

    :return: how far the rows are bound
    :raises MasterKeyRefused: it is another key than that of the database, or there is none where one was used
    """
    async with database.read() as session:
        record = await repository.find(session)
        if record is None:
            await _try(session, master_key)
    if record is None and master_key is not None:
        async with database.transaction() as session:
            binding = await _found_binding(session)
            await repository.add(session, master_key, binding, clock.now())
            record = await repository.find(session)
    return RowBinding.OFF if record is None else _checked(record, master_key)


async def _found_binding(session: AsyncSession) -> RowBinding:
    """What the rows tell where the record does not: an empty database is bound from its first row."""
    if await repository.rows_exist(session, bound=True):
        return RowBinding.COMPLETE
    return RowBinding.OFF if await repository.rows_exist(session, bound=False) else RowBinding.COMPLETE


def _checked(record: MasterKeyRecord, master_key: bytes | None) -> RowBinding:
    if master_key is None:
        raise MasterKeyRefused("is not set, but the database was used with a key")
    if not hmac.compare_digest(rules.key_check(master_key).encode(), record.key_check.encode()):
        raise MasterKeyRefused("is another key than that of the database")
    try:
        binding = RowBinding(record.row_binding)
    except ValueError:
        binding = RowBinding.OFF
    if not rules.is_sealed(master_key, binding, record.seal):
        raise MasterKeyRefused(
            "is right, but master_key_record was changed by others", "a backup of that table's row"
        )
    return binding


async def _try(session: AsyncSession, master_key: bytes | None) -> None:
    """Nothing is remembered of the key yet: try it on what was encrypted with it.

    :raises MasterKeyRefused: it does not open that
    """
    pair = await repository.encrypted_master_key_pair(session)
    activation = await repository.encrypted_activation(session)
    if master_key is None:
        if pair or activation or await repository.other_encrypted_secrets_exist(session):
            raise MasterKeyRefused("is not set, but the database holds encrypted secrets")
        return
    cipher = RecordCipher(master_key)
    try:
        fits = activation is None or _is_pair(
            read_server_key(cipher, activation), activation.server_public_key_base64
        )
        if pair is not None:
            parts = master_key_parts(pair.application_id, pair.id)
            stored = cipher.decrypt(pair.master_key_private_encryption, parts, pair.master_key_private_base64)
            fits = fits and _is_pair(_KEYS.read(stored), pair.master_key_public_base64)
    except (CoreError, KeyFormatError):
        fits = False
    if not fits:
        raise MasterKeyRefused("does not open the keys in the database")


def _is_pair(private: ServerKey, public: str) -> bool:
    return b64encode(_KEYS.public(private)) == public


@dataclass(slots=True)
class Bound:
    """What was done with the rows of one table.

    :ivar rows: how many were given a MAC
    :ivar changed: names of those that had none although all must have one, or a wrong one
    """

    rows: int = 0
    changed: list[str] = field(default_factory=list)


async def bind_rows(database: Database, master_key: bytes) -> dict[str, Bound]:
    """Give every row of a database that is not bound yet its MAC, and demand one from now on; by table.

    Of a database that is bound already a row without a MAC is counted as changed and left as it is. Running
    cores bind what they insert meanwhile.
    """
    binding = await _fill(database, master_key)
    macs = RowMacs(master_key, binding, required=binding is RowBinding.COMPLETE)
    done: dict[str, Bound] = {}
    for table in repository.BOUND_TABLES:
        bound = done[table_of(table)] = Bound()
        async for row in _rows(database, table):
            if row.row_mac is None and not macs.required:
                give_mac(macs, row)
                bound.rows += 1
            elif not macs.fits(table_of(row), row.bound_content(), row.row_mac):
                bound.changed.append(str(row.bound_content()[0]))
    await _set_binding(database, master_key, RowBinding.COMPLETE)
    return done


async def accept_rows(database: Database, master_key: bytes) -> dict[str, Bound]:
    """Give every row whose MAC is missing or wrong a right one as it is: an operator has looked at them."""
    await _set_binding(database, master_key, RowBinding.COMPLETE)
    macs = RowMacs(master_key, RowBinding.COMPLETE)
    done: dict[str, Bound] = {}
    for table in repository.BOUND_TABLES:
        bound = done[table_of(table)] = Bound()
        async for row in _rows(database, table):
            if not macs.fits(table_of(row), row.bound_content(), row.row_mac):
                give_mac(macs, row)
                bound.rows += 1
                bound.changed.append(str(row.bound_content()[0]))
    return done


async def _fill(database: Database, master_key: bytes) -> RowBinding:
    """Let new rows be bound from now on, unless all are."""
    async with database.transaction() as session:
        record = await repository.lock(session)
        if record.row_binding == RowBinding.OFF:
            _store(record, master_key, RowBinding.FILLING)
        return RowBinding(record.row_binding)


async def _set_binding(database: Database, master_key: bytes, binding: RowBinding) -> None:
    async with database.transaction() as session:
        _store(await repository.lock(session), master_key, binding)


def _store(record: MasterKeyRecord, master_key: bytes, binding: RowBinding) -> None:
    record.row_binding = binding.value
    record.seal = rules.seal(master_key, binding)


async def _rows(database: Database, table: type[BoundRow]) -> AsyncGenerator[BoundRow]:
    """Every row of a table, locked, a batch in a transaction; neither judged nor given a MAC on the way."""
    model: Any = table
    key = model.__mapper__.primary_key[0]
    after: Any = None
    while True:
        async with database.transaction() as session:
            session.sync_session.info.pop(SESSION_KEY, None)
            # Rows that refer to these (audit, tokens) can be inserted meanwhile.
            statement = select(model).order_by(key).limit(BATCH).with_for_update(key_share=True)
            if after is not None:
                statement = statement.where(key > after)
            rows = list((await session.execute(statement)).scalars())
            for row in rows:
                yield row
            if not rows:
                return
            after = getattr(rows[-1], key.key)
