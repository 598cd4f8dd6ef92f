"""Queries about the master key's record, and about what it has encrypted."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection, Table, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.applications.models import ApplicationConfig, MasterKeyPair
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.integrations.models import Integration
from powerauth_core.master_key.models import MasterKeyRecord
from powerauth_core.secret_columns import BOUND_TABLES
from powerauth_core.statements.models import StatementKey
from powerauth_protocol.common.record_encryption import EncryptionMode
from servicekit.row_macs import RowBinding

_SAMPLE = 1_000
_CLEAR = EncryptionMode.NO_ENCRYPTION
_TABLE = cast(Table, MasterKeyRecord.__table__)
# The newest record is never a retired one, which may say what was so when it was retired.
_BINDING = select(_TABLE.c.row_binding).order_by(_TABLE.c.id.desc()).limit(1).with_for_update(read=True)


def binding_in(connection: Connection) -> RowBinding:
    """How far rows are bound; stays so until the end of the transaction."""
    found = connection.execute(_BINDING).scalar_one_or_none()
    return RowBinding.OFF if found is None else RowBinding(found)


async def rows_exist(session: AsyncSession, *, bound: bool) -> bool:
    """Whether any row has a MAC, or any has none."""
    any_table = or_(*(exists().where(table.row_mac.is_not(None) == bound) for table in BOUND_TABLES))
    return bool(await session.scalar(select(any_table)))


async def encrypted_master_key_pair(session: AsyncSession) -> MasterKeyPair | None:
    """The newest encrypted master key pair of any application."""
    statement = (
        select(MasterKeyPair)
        .where(MasterKeyPair.master_key_private_encryption != _CLEAR.value)
        .order_by(MasterKeyPair.id.desc())
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def encrypted_activation(session: AsyncSession) -> Activation | None:
    """An activation with an encrypted server key, among the first that the database gives."""
    # The column has no index: a database without encryption must not be read as a whole at every start.
    some = select(Activation.activation_id).limit(_SAMPLE).subquery()
    statement = (
        select(Activation)
        .join(some, some.c.activation_id == Activation.activation_id)
        .where(Activation.server_private_key_encryption != _CLEAR.value)
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def other_encrypted_secrets_exist(session: AsyncSession) -> bool:
    """Whether there are further secrets that only the master key opens; their tables are small."""
    encrypted = (
        select(Integration.id).where(Integration.client_secret_encryption != _CLEAR.value),
        select(StatementKey.id).where(StatementKey.private_key_encryption != _CLEAR.value),
        select(ApplicationConfig.id).where(ApplicationConfig.encryption_mode != _CLEAR.name),
        select(CallbackUrl.id).where(CallbackUrl.encryption_mode != _CLEAR.name),
    )
    for statement in encrypted:
        if (await session.execute(statement.limit(1))).first() is not None:
            return True
    return False
