"""Every column that holds secrets, and what binds a value to its row (D5, D13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.activations.models import Activation
from powerauth_core.applications import repository as applications
from powerauth_core.applications.models import ApplicationConfig, ApplicationVersion, MasterKeyPair
from powerauth_core.audit.chain.models import AuditChainKey
from powerauth_core.binding_tickets.models import BindingTicket
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.integrations.models import Integration
from powerauth_core.jwt.models import JwtKey, JwtSession, OidcClient
from powerauth_core.kernel import records
from powerauth_core.kernel.base import Base
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.operations.models import Operation
from powerauth_core.recovery.models import RecoveryCode, RecoveryConfig, RecoveryPuk
from powerauth_core.statements.models import StatementKey
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_core.tokens.models import Token
from powerauth_protocol.common.record_encryption import EncryptionMode
from servicekit.key_rotation import KeyedColumn, mac_column
from servicekit.row_macs import BoundRow

BOUND_TABLES: Sequence[type[BoundRow]] = (
    Activation,
    ApplicationConfig,
    BindingTicket,
    CallbackUrl,
    Integration,
    JwtKey,
    JwtSession,
    OidcClient,
)
"""Every table whose rows carry a MAC."""


GIVEN_UP = ""
"""Stands where a secret was that nobody could read: of no key, and still no secret that anybody can use."""


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

    @property
    def is_named(self) -> bool:
        """Whether the mode stands as its name, not its number."""
        return self.mode.key == "encryption_mode"

    def is_encrypted_in(self, row: Base) -> bool:
        """Whether a row holds a secret, encrypted, that was not given up."""
        mode = EncryptionMode.AES_HMAC
        stored = getattr(row, self.mode.key) == (mode.name if self.is_named else mode.value)
        return stored and getattr(row, self.value.key) not in (None, GIVEN_UP)

    def opened(self, cipher: RecordCipher, row: Base, context: Context) -> bytes:
        """The secret of a row; of a text its UTF-8 bytes.

        :raises CoreError: it cannot be read (`RecordCipher.decrypt`)
        """
        mode, parts = getattr(row, self.mode.key), self.parts(row, context)
        stored: str = getattr(row, self.value.key)
        if self.text:
            return cipher.decrypt_text(mode, parts, stored).encode()
        return cipher.decrypt(mode, parts, stored)

    def store(self, cipher: RecordCipher, row: Base, context: Context, secret: bytes) -> None:
        """Write the secret of a row, encrypted."""
        parts = self.parts(row, context)
        if self.text:
            mode, stored = cipher.encrypt_text(parts, secret.decode())
        else:
            number, stored = cipher.encrypt(parts, secret)
            mode = EncryptionMode(number)
        setattr(row, self.mode.key, mode.name if self.is_named else mode.value)
        setattr(row, self.value.key, stored)

    def give_up(self, row: Base) -> None:
        """Empty an encrypted secret. It stays as unreadable as it is, also in clear."""
        setattr(row, self.value.key, GIVEN_UP)

    @property
    def keyed(self) -> KeyedColumn:
        """The values that are encrypted."""
        mode = EncryptionMode.AES_HMAC
        encrypted = self.mode == (mode.name if self.is_named else mode.value)
        return KeyedColumn(self.value, and_(encrypted, self.value.is_not(None), self.value != GIVEN_UP))


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
    SecretColumn(
        JwtKey.id,
        JwtKey.private_key,
        JwtKey.private_key_encryption,
        False,
        lambda row, _context: records.jwt_key_parts(row.kid, row.application_id),
    ),
    SecretColumn(
        OidcClient.client_id,
        OidcClient.secret_hash,
        OidcClient.secret_hash_encryption,
        True,
        lambda row, _context: records.oidc_secret_parts(row.client_id),
    ),
    SecretColumn(
        JwtSession.session_id,
        JwtSession.refresh_secret,
        JwtSession.refresh_secret_encryption,
        False,
        lambda row, _context: records.jwt_session_parts(row.session_id),
    ),
    SecretColumn(
        AuditChainKey.key_id,
        AuditChainKey.chain_key,
        AuditChainKey.chain_key_encryption,
        False,
        lambda row, _context: records.chain_key_parts(row.key_id),
    ),
)


KEYED_COLUMNS: tuple[KeyedColumn, ...] = (
    *[column.keyed for column in SECRET_COLUMNS],
    *[mac_column(table) for table in BOUND_TABLES],
)
"""What is of a master key, where there is one."""


async def context_of(session: AsyncSession, rows: Sequence[Base]) -> Context:
    """What binds values of these rows beside themselves."""
    rids = {row.application_id for row in rows if isinstance(row, ApplicationConfig | CallbackUrl)}
    code_rids = {row.recovery_code_id for row in rows if isinstance(row, RecoveryPuk)}
    names = await applications.names_of(session, rids) if rids else {}
    if not code_rids:
        return Context(names, {})
    codes = await session.execute(select(RecoveryCode).where(RecoveryCode.id.in_(code_rids)))
    return Context(names, {code.id: code for code in codes.scalars()})
