"""Postcard codes: derived so that a printing centre can derive them too (spec/core-api.md §8.3, §8.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import RecoveryCodeStatus
from powerauth_core.applications.cache import ApplicationCache, ApplicationIdentity
from powerauth_core.kernel.errors import (
    InvalidKeyFormat,
    InvalidRequest,
    RecoveryCodeExists,
    RecoveryConfigurationIncomplete,
)
from powerauth_core.kernel.records import RecordCipher, postcard_key_parts
from powerauth_core.recovery import lifecycle, repository
from powerauth_core.recovery.models import RecoveryCode, RecoveryConfig
from powerauth_core.recovery.ports import Ports
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.v3.keys import (
    PublicKey,
    ecdh,
    export_private_key,
    export_public_key,
    generate_key_pair,
    import_private_key,
    import_public_key,
)
from powerauth_protocol.v3.recovery import RecoveryCode as GeneratedCode
from servicekit.database import Database


@dataclass(frozen=True, slots=True)
class Postcard:
    """A postcard code as it is stored, and how a printing centre derives it."""

    code: RecoveryCode
    generated: GeneratedCode = field(repr=False)


async def create_code(
    ports: Ports, *, application_id: str, user_id: str, puk_count: int, scope: Sequence[str] | None
) -> Postcard:
    """``recovery/create``: a postcard code; hashing 100 PUKs takes seconds, so it happens before any lock.

    :raises InvalidRequest: unknown application, or recovery or postcards are switched off
    :raises RecoveryConfigurationIncomplete: the postcard key pair or the remote key is missing
    :raises RecoveryCodeExists: the user has a postcard and may not have a second one
    :raises RecoveryCodeNotGenerated: every generated code was taken
    """
    async with ports.database.read() as session:
        application = await _application(ports.application_cache, session, application_id, scope)
        config = await repository.find_config(session, application.application_rid)
        secret = _shared_secret(ports.cipher, application, _enabled(config))
        await _refuse_second_postcard(session, _enabled(config), user_id)
        generated = await lifecycle.generate_unused(
            ports.settings, session, application.application_rid, secret, puk_count
        )
    new = lifecycle.NewCode(generated, await lifecycle.hash_puks(ports.hashes, user_id, generated.puks))
    async with ports.database.transaction() as session:
        # The lock lets two requests for one user take turns.
        locked = _enabled(await repository.lock_config(session, application.application_rid))
        await _refuse_second_postcard(session, locked, user_id)
        code = await lifecycle.store(
            ports.settings,
            ports.cipher,
            session,
            new,
            application_rid=application.application_rid,
            user_id=user_id,
            activation_id=None,
            status=RecoveryCodeStatus.CREATED,
        )
    return Postcard(code, generated)


async def get_config(
    database: Database,
    application_cache: ApplicationCache,
    *,
    application_id: str,
    scope: Sequence[str] | None,
) -> RecoveryConfig:
    """``recovery/config/detail``: the configuration; a missing one is created with everything off.

    :raises InvalidRequest: unknown application
    """
    async with database.transaction() as session:
        application = await _application(application_cache, session, application_id, scope)
        return await _config(session, application)


async def update_config(
    ports: Ports,
    *,
    application_id: str,
    activation_recovery: bool,
    postcards: bool,
    multiple_codes: bool,
    remote_key: str | None,
    scope: Sequence[str] | None,
) -> None:
    """``recovery/config/update``: the postcard key pair is made when postcards are first switched on.

    :param remote_key: public key of the printing centre in Base64; None keeps the stored one, empty clears it
    :raises InvalidRequest: unknown application
    :raises InvalidKeyFormat: the remote key is not a public key
    """
    if remote_key:
        _remote_key(remote_key)
    async with ports.database.transaction() as session:
        application = await _application(ports.application_cache, session, application_id, scope)
        config = await _config(session, application)
        config.activation_recovery_enabled = activation_recovery
        config.recovery_postcard_enabled = postcards
        config.allow_multiple_recovery_codes = multiple_codes
        if remote_key is not None:
            config.remote_public_key_base64 = remote_key or None
        if postcards and config.postcard_private_key_base64 is None:
            _make_key_pair(ports.cipher, application, config)


async def _application(
    application_cache: ApplicationCache,
    session: AsyncSession,
    application_id: str,
    scope: Sequence[str] | None,
) -> ApplicationIdentity:
    application = await application_cache.by_id(session, application_id)
    if application is None or (scope is not None and application_id not in scope):
        raise InvalidRequest()
    return application


async def _config(session: AsyncSession, application: ApplicationIdentity) -> RecoveryConfig:
    """The configuration under its lock, inserted if it is missing."""
    found = await repository.lock_config(session, application.application_rid)
    if found is None:
        await repository.add_config(session, application.application_rid)
        found = await repository.lock_config(session, application.application_rid)
    if found is None:
        raise LookupError("the recovery configuration was deleted")
    return found


def _enabled(config: RecoveryConfig | None) -> RecoveryConfig:
    if config is None or not config.activation_recovery_enabled or not config.recovery_postcard_enabled:
        raise InvalidRequest()
    return config


async def _refuse_second_postcard(session: AsyncSession, config: RecoveryConfig, user_id: str) -> None:
    if not config.allow_multiple_recovery_codes and await repository.has_postcard(
        session, config.application_id, user_id
    ):
        raise RecoveryCodeExists()


def _shared_secret(cipher: RecordCipher, application: ApplicationIdentity, config: RecoveryConfig) -> bytes:
    """The 32-byte ECDH result that the printing centre shares."""
    if config.postcard_private_key_base64 is None or not config.remote_public_key_base64:
        raise RecoveryConfigurationIncomplete()
    plain = cipher.decrypt(
        config.postcard_priv_key_encryption,
        postcard_key_parts(application.application_rid),
        config.postcard_private_key_base64,
    )
    try:
        return ecdh(import_private_key(plain), _remote_key(config.remote_public_key_base64))
    except KeyFormatError:
        raise InvalidKeyFormat() from None


def _remote_key(text: str) -> PublicKey:
    try:
        return import_public_key(b64decode(text))
    except (EncodingError, KeyFormatError):
        raise InvalidKeyFormat() from None


def _make_key_pair(cipher: RecordCipher, application: ApplicationIdentity, config: RecoveryConfig) -> None:
    pair = generate_key_pair()
    mode, stored = cipher.encrypt(
        postcard_key_parts(application.application_rid), export_private_key(pair.private)
    )
    config.postcard_private_key_base64 = stored
    config.postcard_priv_key_encryption = mode
    config.postcard_public_key_base64 = b64encode(export_public_key(pair.public))
