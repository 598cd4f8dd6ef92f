"""Starting with the right master key, or not at all; binding the rows of a database (D5, D32)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.keys import read_server_key
from powerauth_core.activations.models import Activation
from powerauth_core.applications.models import MasterKeyPair
from powerauth_core.audit.chain import kept_keys
from powerauth_core.audit.chain.keys import ChainKey
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import RecordCipher, master_key_parts
from powerauth_core.master_key import repository, rules
from powerauth_core.master_key.models import MasterKeyRecord
from powerauth_core.secret_columns import BOUND_TABLES, KEYED_COLUMNS
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import KeyFormatError
from powerauth_protocol.generation import generation_of_application
from powerauth_protocol.groups import ServerKey
from servicekit import key_rotation
from servicekit.database import Database
from servicekit.key_records import KeyRegistry, checks_of, fitting, live, named_in
from servicekit.master_keys import MasterKeys, key_check
from servicekit.row_macs import SESSION_KEY, BoundRow, RowBinding, RowKeyUnknown, RowMacs, give_mac, table_of

BATCH = 200
_KEYS = generation_of_application().server_keys


@dataclass(frozen=True, slots=True)
class Examined:
    """What a database says of the master keys.

    :ivar keys: as its values name them
    :ivar binding: how far its rows are bound
    :ivar chain_keys: what checks chains of the audit from under earlier keys
    :ivar records: of the keys that it may hold values of
    """

    keys: MasterKeys
    binding: RowBinding
    chain_keys: Sequence[ChainKey] = ()
    records: Sequence[MasterKeyRecord] = ()


async def examine(database: Database, keys: MasterKeys) -> Examined:
    """Check the keys against the database, and remember the current one there if it is new.

    :raises MasterKeyRefused: one is missing that the database needs, or it was used with another one
    """
    named, records = await REGISTRY.examine(database, keys)
    binding, cipher = _sealed_binding(records, keys), RecordCipher(named)
    others = [key for key in named if key != named.current and key_check(key) in checks_of(records)]
    if others:
        async with database.transaction() as session:
            await kept_keys.keep(session, cipher, map(ChainKey.derive, others))
    async with database.read() as session:
        return Examined(named, binding, await kept_keys.load(session, cipher), records)


async def look(database: Database, keys: MasterKeys) -> Examined:
    """As `examine`, of whatever keys and records, and without storing anything."""
    async with database.read() as session:
        records = await REGISTRY.all(session)
        named = named_in(records, keys)
        binding = _proved_binding(records, named) if records else RowBinding.OFF
        return Examined(named, binding, await kept_keys.load(session, RecordCipher(named)), records)


async def found_binding(session: AsyncSession) -> RowBinding:
    """What the rows tell where no record does: an empty database is bound from its first row."""
    if await repository.rows_exist(session, bound=True):
        return RowBinding.COMPLETE
    return RowBinding.OFF if await repository.rows_exist(session, bound=False) else RowBinding.COMPLETE


def _sealed_binding(records: Sequence[MasterKeyRecord], keys: MasterKeys) -> RowBinding:
    if changed_by_others(records, keys):
        raise REGISTRY.refused(
            "is right, but master_key_record was changed by others", "a backup of that table"
        )
    return _binding_in(records[-1]) if records else RowBinding.OFF


def _proved_binding(records: Sequence[MasterKeyRecord], keys: MasterKeys) -> RowBinding:
    """What the keys prove; all of it where they prove nothing, so that nobody passes unbound rows off."""
    sealed = [each for each in live(records) if _is_sealed(each, keys)]
    return _binding_in(sealed[-1]) if sealed and not changed_by_others(records, keys) else RowBinding.COMPLETE


def changed_by_others(records: Sequence[MasterKeyRecord], keys: MasterKeys) -> list[MasterKeyRecord]:
    """Those of the records whose seal is not of their key, as far as the keys tell."""
    return [each for each in live(records) if _is_sealed(each, keys) is False]


def _is_sealed(record: MasterKeyRecord, keys: MasterKeys) -> bool | None:
    """None if its key is not known."""
    key = keys.known(record.key_check)
    return None if key is None else rules.is_sealed(key, _binding_in(record), record.seal)


def _binding_in(record: MasterKeyRecord) -> RowBinding:
    try:
        return RowBinding(record.row_binding)
    except ValueError:
        return RowBinding.OFF


async def _first_key(session: AsyncSession, keys: MasterKeys) -> bytes | None:
    """Nothing is recorded of a key yet: which one opens what was encrypted.

    :raises MasterKeyRefused: none does
    """
    pair = await repository.encrypted_master_key_pair(session)
    activation = await repository.encrypted_activation(session)
    if keys.current is None:
        if pair or activation or await repository.other_encrypted_secrets_exist(session):
            raise REGISTRY.refused("is not set, but the database holds encrypted secrets")
        return None
    found = fitting(keys, lambda key: _opens(RecordCipher(MasterKeys(key)), pair, activation))
    if found is None:
        raise REGISTRY.refused("does not open the keys in the database")
    return found


def _opens(cipher: RecordCipher, pair: MasterKeyPair | None, activation: Activation | None) -> bool:
    try:
        fits = activation is None or _is_pair(
            read_server_key(cipher, activation), activation.server_public_key_base64
        )
        if pair is not None:
            parts = master_key_parts(pair.application_id, pair.id)
            stored = cipher.decrypt(pair.master_key_private_encryption, parts, pair.master_key_private_base64)
            fits = fits and _is_pair(_KEYS.read(stored), pair.master_key_public_base64)
    except (CoreError, KeyFormatError):
        return False
    return fits


def _is_pair(private: ServerKey, public: str) -> bool:
    return b64encode(_KEYS.public(private)) == public


async def _binding_and_seal(key: bytes, session: AsyncSession) -> dict[str, Any]:
    records = await REGISTRY.all(session)
    # The newest record is never a retired one, which may say what was so when it was retired.
    binding = _binding_in(records[-1]) if records else await found_binding(session)
    return {"row_binding": binding.value, "seal": rules.seal(key, binding)}


async def _count(database: Database) -> Mapping[str, Counter[str]]:
    return await key_rotation.count(database, KEYED_COLUMNS)


REGISTRY = KeyRegistry("CORE_", MasterKeyRecord, _binding_and_seal, _first_key, _count)


@dataclass(slots=True)
class Bound:
    """What was done with the rows of one table.

    :ivar rows: how many were given a MAC
    :ivar changed: names of those that had none although all must have one, or a wrong one
    :ivar unjudged: names of those whose MAC is of a key that was not given
    """

    rows: int = 0
    changed: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)


async def bind_rows(database: Database, keys: MasterKeys) -> dict[str, Bound]:
    """Give every row of a database that is not bound yet its MAC, and demand one from now on; by table.

    Of a database that is bound already a row without a MAC is counted as changed and left as it is. Running
    cores bind what they insert meanwhile.
    """
    binding = await _fill(database, keys)
    macs = RowMacs(keys, binding, required=binding is RowBinding.COMPLETE)
    done: dict[str, Bound] = {}
    for table in BOUND_TABLES:
        bound = done[table_of(table)] = Bound()
        async for row in _rows(database, table):
            if row.row_mac is None and not macs.required:
                give_mac(macs, row)
                bound.rows += 1
            else:
                _fits(macs, row, bound)
    await _set_binding(database, keys, RowBinding.COMPLETE)
    return done


async def accept_rows(database: Database, keys: MasterKeys) -> dict[str, Bound]:
    """Give every row whose MAC is missing, wrong, or of a key that was not given a right one as it is: an
    operator has looked at them.
    """
    await _set_binding(database, keys, RowBinding.COMPLETE)
    macs = RowMacs(keys, RowBinding.COMPLETE)
    done: dict[str, Bound] = {}
    for table in BOUND_TABLES:
        bound = done[table_of(table)] = Bound()
        async for row in _rows(database, table):
            if not _fits(macs, row, bound):
                give_mac(macs, row)
                bound.rows += 1
    return done


def _fits(macs: RowMacs, row: BoundRow, bound: Bound) -> bool:
    content = row.bound_content()
    try:
        if macs.fits(table_of(row), content, row.row_mac):
            return True
        bound.changed.append(str(content[0]))
    except RowKeyUnknown:
        bound.unjudged.append(str(content[0]))
    return False


async def _fill(database: Database, keys: MasterKeys) -> RowBinding:
    """Let new rows be bound from now on, unless all are."""
    async with database.transaction() as session:
        records = live(await REGISTRY.lock(session))
        if any(record.row_binding == RowBinding.OFF for record in records):
            _store(records, keys, RowBinding.FILLING)
        return _binding_in(records[0])


async def _set_binding(database: Database, keys: MasterKeys, binding: RowBinding) -> None:
    async with database.transaction() as session:
        _store(live(await REGISTRY.lock(session)), keys, binding)


def _store(records: Sequence[MasterKeyRecord], keys: MasterKeys, binding: RowBinding) -> None:
    for record in records:
        key = keys.known(record.key_check)
        assert key is not None
        record.row_binding = binding.value
        record.seal = rules.seal(key, binding)


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
