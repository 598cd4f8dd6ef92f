"""Postcard codes: derived so that a printing centre can derive them too (spec/core-api.md §8.3, §8.7)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus
from powerauth_contracts.rest.recovery import (
    CreatedPuk,
    CreateRecoveryCodeRequest,
    CreateRecoveryCodeResponse,
    RecoveryConfigRequest,
    RecoveryConfigResponse,
    UpdateRecoveryConfigRequest,
    UpdateRecoveryConfigResponse,
)
from powerauth_core.applications.cache import ApplicationCache, ApplicationIdentity
from powerauth_core.kernel.errors import (
    InvalidKeyFormat,
    InvalidRequest,
    RecoveryCodeExists,
    RecoveryConfigurationIncomplete,
)
from powerauth_core.kernel.records import RecordCipher, postcard_key_parts
from powerauth_core.recovery import lifecycle, repository
from powerauth_core.recovery.models import RecoveryConfig
from powerauth_core.recovery.ports import Ports
from powerauth_core.recovery.rules import masked
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
from servicekit.database import Database


async def create_code(ports: Ports, request: CreateRecoveryCodeRequest) -> CreateRecoveryCodeResponse:
    """``recovery/create``: a postcard code; hashing 100 PUKs takes seconds, so it happens before any lock.

    :raises InvalidRequest: unknown application, or recovery or postcards are switched off
    :raises RecoveryConfigurationIncomplete: the postcard key pair or the remote key is missing
    :raises RecoveryCodeExists: the user has a postcard and may not have a second one
    :raises RecoveryCodeNotGenerated: every generated code was taken
    """
    async with ports.database.read() as session:
        application = await _application(
            ports.application_cache, session, request.application_id, request.application_ids
        )
        config = await repository.find_config(session, application.rid)
        secret = _shared_secret(ports.cipher, application, _enabled(config))
        await _refuse_second_postcard(session, _enabled(config), request.user_id)
        generated = await lifecycle.generate_unused(
            ports.settings, session, application.rid, secret, request.puk_count
        )
    new = lifecycle.NewCode(
        generated, await lifecycle.hash_puks(ports.hashes, request.user_id, generated.puks)
    )
    async with ports.database.transaction() as session:
        # The lock lets two requests for one user take turns.
        locked = _enabled(await repository.lock_config(session, application.rid))
        await _refuse_second_postcard(session, locked, request.user_id)
        code = await lifecycle.store(
            ports.settings,
            ports.cipher,
            session,
            new,
            application_rid=application.rid,
            user_id=request.user_id,
            activation_id=None,
            status=RecoveryCodeStatus.CREATED,
        )
    return CreateRecoveryCodeResponse(
        nonce=b64encode(generated.nonce),
        user_id=code.user_id,
        recovery_code_id=code.id,
        recovery_code_masked=masked(code.recovery_code),
        status=code.status,
        puks=[
            CreatedPuk(puk_index=number, puk_derivation_index=index, status=RecoveryPukStatus.VALID)
            for number, index in generated.puk_derivation_indexes.items()
        ],
    )


async def get_config(
    database: Database, application_cache: ApplicationCache, request: RecoveryConfigRequest
) -> RecoveryConfigResponse:
    """``recovery/config/detail``: the configuration; a missing one is created with everything off.

    :raises InvalidRequest: unknown application
    """
    async with database.transaction() as session:
        application = await _application(
            application_cache, session, request.application_id, request.application_ids
        )
        config = await _config(session, application)
    return RecoveryConfigResponse(
        application_id=application.application_id,
        activation_recovery_enabled=config.activation_recovery_enabled,
        recovery_postcard_enabled=config.recovery_postcard_enabled,
        allow_multiple_recovery_codes=config.allow_multiple_recovery_codes,
        postcard_public_key=config.postcard_public_key_base64,
        remote_postcard_public_key=config.remote_public_key_base64,
    )


async def update_config(ports: Ports, request: UpdateRecoveryConfigRequest) -> UpdateRecoveryConfigResponse:
    """``recovery/config/update``: the postcard key pair is made when postcards are first switched on.

    :raises InvalidRequest: unknown application
    :raises InvalidKeyFormat: the remote key is not a public key
    """
    if request.remote_postcard_public_key:
        _remote_key(request.remote_postcard_public_key)
    async with ports.database.transaction() as session:
        application = await _application(
            ports.application_cache, session, request.application_id, request.application_ids
        )
        config = await _config(session, application)
        config.activation_recovery_enabled = request.activation_recovery_enabled
        config.recovery_postcard_enabled = request.recovery_postcard_enabled
        config.allow_multiple_recovery_codes = request.allow_multiple_recovery_codes
        if request.remote_postcard_public_key is not None:
            config.remote_public_key_base64 = request.remote_postcard_public_key or None
        if request.recovery_postcard_enabled and config.postcard_private_key_base64 is None:
            _make_key_pair(ports.cipher, application, config)
    return UpdateRecoveryConfigResponse(updated=True)


async def _application(
    application_cache: ApplicationCache,
    session: AsyncSession,
    application_id: str,
    application_ids: list[str] | None,
) -> ApplicationIdentity:
    application = await application_cache.by_id(session, application_id)
    if application is None or (application_ids is not None and application_id not in application_ids):
        raise InvalidRequest()
    return application


async def _config(session: AsyncSession, application: ApplicationIdentity) -> RecoveryConfig:
    """The configuration under its lock, inserted if it is missing."""
    found = await repository.lock_config(session, application.rid)
    if found is None:
        await repository.add_config(session, application.rid)
        found = await repository.lock_config(session, application.rid)
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
        postcard_key_parts(application.rid),
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
    mode, stored = cipher.encrypt(postcard_key_parts(application.rid), export_private_key(pair.private))
    config.postcard_private_key_base64 = stored
    config.postcard_priv_key_encryption = mode
    config.postcard_public_key_base64 = b64encode(export_public_key(pair.public))
