"""Everything about one activation (spec/core-api.md §7.6, spec/protocol-v3.md §9.2)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationOtpValidation, ActivationProtocol, CommitPhase
from powerauth_contracts.rest.activations import ActivationStatusRequest, ActivationStatusResponse
from powerauth_core.activations import repository
from powerauth_core.activations.expiry import expire_if_overdue, overdue
from powerauth_core.activations.initialisation import sign_code
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.activations.models import Activation
from powerauth_core.activations.ports import Ports
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import CREATED, REMOVED
from powerauth_core.applications.cache import ApplicationIdentity
from powerauth_core.kernel.errors import (
    CryptographyFailed,
    IncorrectActivationState,
    InvalidKeyFormat,
    InvalidRequest,
)
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.common.values import SealedStatus, StatusFacts
from powerauth_protocol.generation import generation_of_activation, makes_codes

_UNKNOWN = "unknown"
_EPOCH = datetime(1970, 1, 1)
_UNKNOWN_GENERATION = generation_of_activation(None)


async def get_status(ports: Ports, request: ActivationStatusRequest) -> ActivationStatusResponse:
    """``activation/status``; an activation whose time is up is removed first.

    :raises InvalidRequest: the challenge is not Base64 of 16 bytes; the same for known and unknown ids
    :raises IncorrectActivationState: keys were exchanged in a protocol version other than 3
    :raises CoreError: stored keys cannot be read, or there is no master key pair to sign the code with
    """
    challenge = read_challenge(request.challenge)
    return await status(ports, request.activation_id, challenge, application_ids=request.application_ids)


async def status(
    ports: Ports,
    activation_id: str,
    challenge: bytes | None,
    *,
    application_ids: ApplicationIds = None,
) -> ActivationStatusResponse:
    """What `get_status` answers. Only an activation that has to be expired is locked, and written.

    :param challenge: 16 bytes, see `read_challenge`
    """
    async with ports.database.read() as session:
        activation = await repository.find(session, activation_id, application_ids)
        if activation is None or not overdue(activation):
            return await describe(ports, session, activation_id, activation, challenge)
    async with ports.database.transaction() as session:
        activation = await repository.lock(session, activation_id, application_ids)
        if activation is not None:
            await expire_if_overdue(ports.changes, session, activation)
        return await describe(ports, session, activation_id, activation, challenge)


def read_challenge(text: str | None) -> bytes | None:
    """The bytes of a challenge, checked before any record is looked up.

    :raises InvalidRequest: not Base64 of 16 bytes
    """
    if text is None:
        return None
    try:
        return b64decode(text, _UNKNOWN_GENERATION.status.challenge_length)
    except EncodingError:
        raise InvalidRequest() from None


async def describe(
    ports: Ports,
    session: AsyncSession,
    activation_id: str,
    activation: Activation | None,
    challenge: bytes | None,
) -> ActivationStatusResponse:
    """The answer for an activation as it is; None answers like a removed one (spec/core-api.md §7.6)."""
    if activation is None:
        return _unknown(ports.settings, activation_id, challenge)
    application = await ports.application_cache.by_rid(session, activation.application_id)
    if application is None:
        raise LookupError("an activation without application")
    created = activation.activation_status is CREATED
    encrypted = _encrypted_status(ports.settings, ports.activation_keys, activation, challenge)
    return ActivationStatusResponse(
        activation_id=activation.activation_id,
        activation_status=activation.activation_status,
        activation_otp_validation=activation.activation_otp_validation,
        commit_phase=activation.commit_phase or CommitPhase.ON_COMMIT,
        blocked_reason=activation.blocked_reason,
        activation_name=activation.activation_name,
        user_id=activation.user_id,
        extras=activation.extras,
        protocol=ActivationProtocol(activation.protocol),
        external_id=activation.external_id,
        platform=activation.platform,
        device_info=activation.device_info,
        application_id=application.application_id,
        failed_attempts=activation.failed_attempts,
        max_failed_attempts=activation.max_failed_attempts,
        timestamp_created=activation.timestamp_created,
        timestamp_last_used=activation.timestamp_last_used,
        timestamp_last_change=activation.timestamp_last_change,
        encrypted_status_blob=b64encode(encrypted.blob),
        encrypted_status_blob_nonce=_text(encrypted.nonce),
        activation_code=activation.activation_code if created else None,
        activation_signature=_code_signature(application, activation) if created else None,
        device_public_key_fingerprint=_fingerprint(activation),
        version=activation.version or 0,
        activation_flags=list(activation.flags or ()),
        application_roles=list(application.roles),
        additional_data=activation.additional_data,
        parent_activation_id=activation.parent_activation_id,
        transfer_type=activation.transfer_type,
    )


def _unknown(settings: CoreSettings, activation_id: str, challenge: bytes | None) -> ActivationStatusResponse:
    encrypted = _random_status(challenge)
    return ActivationStatusResponse(
        activation_id=activation_id,
        activation_status=REMOVED,
        activation_otp_validation=ActivationOtpValidation.NONE,
        commit_phase=CommitPhase.ON_COMMIT,
        activation_name=_UNKNOWN,
        user_id=_UNKNOWN,
        failed_attempts=0,
        max_failed_attempts=settings.signature_max_failed_attempts,
        timestamp_created=_EPOCH,
        timestamp_last_used=_EPOCH,
        encrypted_status_blob=b64encode(encrypted.blob),
        encrypted_status_blob_nonce=_text(encrypted.nonce),
        version=0,
    )


def _encrypted_status(
    settings: CoreSettings,
    activation_keys: ActivationKeyCache,
    activation: Activation,
    challenge: bytes | None,
) -> SealedStatus:
    if _device_key(activation) is None:
        return _random_status(challenge)
    if not makes_codes(activation.version):
        raise IncorrectActivationState()
    secrets = activation_keys.keys_of(activation)
    try:
        facts = StatusFacts(
            state=activation.activation_status.code,
            failed_attempts=activation.failed_attempts,
            max_failed_attempts=activation.max_failed_attempts,
            counter=activation.counter,
            ctr_data=None if activation.ctr_data is None else b64decode(activation.ctr_data),
            look_ahead=settings.signature_validation_lookahead,
        )
        return generation_of_activation(activation.version).status.seal(facts, secrets, challenge)
    except EncodingError:
        raise CryptographyFailed() from None


def _random_status(challenge: bytes | None) -> SealedStatus:
    """What nobody can decrypt, with a nonce exactly where a real status has one."""
    return _UNKNOWN_GENERATION.status.random(challenged=challenge is not None)


def _code_signature(application: ApplicationIdentity, activation: Activation) -> str:
    return sign_code(application.master_key(), activation)


def _device_key(activation: Activation) -> str | None:
    """The stored device key, once keys were exchanged and as long as it is known to be the device's."""
    exchanged = activation.activation_status is not CREATED and activation.sound
    return activation.device_public_key_base64 if exchanged else None


def _fingerprint(activation: Activation) -> str | None:
    device_key = _device_key(activation)
    if device_key is None:
        return None
    secrets = generation_of_activation(activation.version).secrets
    try:
        return secrets.fingerprint(
            b64decode(device_key), b64decode(activation.server_public_key_base64), activation.activation_id
        )
    except (EncodingError, KeyFormatError):
        raise InvalidKeyFormat() from None


def _text(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data)
