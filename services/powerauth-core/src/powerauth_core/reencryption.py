"""Encrypting what is stored in clear: an adopted database, or one that ran without a master key (D5).

Calls go on meanwhile: every reader takes both forms, and a row is locked while it is rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.activations.models import Activation
from powerauth_core.applications import repository as applications
from powerauth_core.applications.models import ApplicationConfig, ApplicationVersion, MasterKeyPair
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.container import Core
from powerauth_core.integrations.models import Integration
from powerauth_core.kernel import records
from powerauth_core.kernel.base import Base
from powerauth_core.kernel.errors import CoreError, MasterDbKeyMissing
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.operations.models import Operation
from powerauth_core.recovery.models import RecoveryCode, RecoveryConfig, RecoveryPuk
from powerauth_core.statements.models import StatementKey
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_core.tokens.models import Token
from powerauth_protocol.common.record_encryption import EncryptionMode
from servicekit.database import Dialect, for_update
from servicekit.logs import get_logger

log = get_logger(__name__)

BATCH = 200


@dataclass(frozen=True, slots=True)
class Context:
    """What binds values beside their own row: public application ids and recovery codes, by row id."""

    names: Mapping[int, str]
    codes: Mapping[int, RecoveryCode]


@dataclass(frozen=True, slots=True)
class SecretColumn:
    """A column with secrets, its mode column, and what binds a value to its row.

    :ivar key: the row's id, by which rows are gone through
    :ivar text: the clear form is the text itself, not Base64 of bytes
    :ivar parts: derivation parts of a row
    :ivar only: rows that the column's secrets are limited to
    """

    key: InstrumentedAttribute[Any]
    value: InstrumentedAttribute[Any]
    mode: InstrumentedAttribute[Any]
    text: bool
    parts: Callable[[Any, Context], tuple[str, ...]]
    only: ColumnElement[bool] | None = None

    @property
    def name(self) -> str:
        """``table.column``."""
        return f"{self.value.class_.__tablename__}.{self.value.key}"


def _puk_parts(puk: RecoveryPuk, code: RecoveryCode) -> tuple[str, ...]:
    return records.recovery_puk_parts(code.application_id, code.user_id, code.recovery_code, puk.puk_index)


SECRET_COLUMNS = (
    SecretColumn(
        MasterKeyPair.id,
        MasterKeyPair.master_key_private_base64,
        MasterKeyPair.master_key_private_encryption,
        False,
        lambda row, _context: records.master_key_parts(row.application_id, row.id),
    ),
    SecretColumn(
        ApplicationVersion.id,
        ApplicationVersion.application_secret,
        ApplicationVersion.application_secret_encryption,
        False,
        lambda row, _context: records.application_secret_parts(row.application_key or ""),
        ApplicationVersion.application_key.is_not(None),
    ),
    SecretColumn(
        Token.token_id,
        Token.token_secret,
        Token.token_secret_encryption,
        False,
        lambda row, _context: records.token_secret_parts(row.token_id, row.activation_id),
    ),
    SecretColumn(
        Operation.id,
        Operation.number_secret,
        Operation.number_secret_encryption,
        True,
        lambda row, _context: records.operation_number_parts(row.id),
    ),
    SecretColumn(
        Integration.id,
        Integration.client_secret,
        Integration.client_secret_encryption,
        True,
        lambda row, _context: records.integration_secret_parts(row.id),
        Integration.kind == IntegrationKind.REST.value,
    ),
    SecretColumn(
        Activation.activation_id,
        Activation.server_private_key_base64,
        Activation.server_private_key_encryption,
        False,
        lambda row, _context: records.server_private_key_parts(row.user_id, row.activation_id),
    ),
    SecretColumn(
        TemporaryKey.id,
        TemporaryKey.private_key_base64,
        TemporaryKey.private_key_encryption,
        False,
        lambda row, _context: records.temporary_key_parts(row.id, row.application_key, row.activation_id),
    ),
    SecretColumn(
        RecoveryPuk.id,
        RecoveryPuk.puk,
        RecoveryPuk.puk_encryption,
        True,
        lambda row, context: _puk_parts(row, context.codes[row.recovery_code_id]),
    ),
    SecretColumn(
        RecoveryConfig.id,
        RecoveryConfig.postcard_private_key_base64,
        RecoveryConfig.postcard_priv_key_encryption,
        False,
        lambda row, _context: records.postcard_key_parts(row.application_id),
    ),
    SecretColumn(
        ApplicationConfig.id,
        ApplicationConfig.config_values,
        ApplicationConfig.encryption_mode,
        True,
        lambda row, context: records.application_text_parts(context.names[row.application_id]),
    ),
    SecretColumn(
        CallbackUrl.id,
        CallbackUrl.authentication,
        CallbackUrl.encryption_mode,
        True,
        lambda row, context: records.application_text_parts(context.names[row.application_id]),
    ),
    SecretColumn(
        StatementKey.id,
        StatementKey.private_key_base64,
        StatementKey.private_key_encryption,
        False,
        lambda row, _context: records.statement_key_parts(row.key_id),
    ),
)


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
            context = await _context(session, rows)
            for row in rows:
                _encrypt(core.cipher, column, row, column.parts(row, context), progress)
        if not rows:
            return progress
        after = getattr(rows[-1], column.key.key)


async def _clear_rows(
    session: AsyncSession, dialect: Dialect, column: SecretColumn, after: Any
) -> list[Base]:
    clear = EncryptionMode.NO_ENCRYPTION
    named = column.mode.key == "encryption_mode"
    statement = (
        select(column.value.class_)
        .where(column.mode == (clear.name if named else clear.value), column.value.is_not(None))
        .order_by(column.key)
        .limit(BATCH)
    )
    if after is not None:
        statement = statement.where(column.key > after)
    if column.only is not None:
        statement = statement.where(column.only)
    return list((await session.execute(for_update(statement, dialect))).scalars())


async def _context(session: AsyncSession, rows: list[Base]) -> Context:
    rids = {row.application_id for row in rows if isinstance(row, ApplicationConfig | CallbackUrl)}
    code_rids = {row.recovery_code_id for row in rows if isinstance(row, RecoveryPuk)}
    names = await applications.names_of(session, rids) if rids else {}
    if not code_rids:
        return Context(names, {})
    codes = await session.execute(select(RecoveryCode).where(RecoveryCode.id.in_(code_rids)))
    return Context(names, {code.id: code for code in codes.scalars()})


def _encrypt(
    cipher: RecordCipher, column: SecretColumn, row: Base, parts: tuple[str, ...], progress: Progress
) -> None:
    stored: str = getattr(row, column.value.key)
    clear = EncryptionMode.NO_ENCRYPTION
    if column.text:
        mode, text = cipher.encrypt_text(parts, stored)
        named = column.mode.key == "encryption_mode"
        setattr(row, column.mode.key, mode.name if named else mode.value)
        setattr(row, column.value.key, text)
        progress.encrypted += 1
        return
    try:
        plain = cipher.decrypt(clear.value, parts, stored)
    except CoreError:
        log.warning("secret unreadable", column=column.name, row=getattr(row, column.key.key))
        progress.unreadable += 1
        return
    number, text = cipher.encrypt(parts, plain)
    setattr(row, column.mode.key, number)
    setattr(row, column.value.key, text)
    progress.encrypted += 1
