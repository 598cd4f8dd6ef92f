"""Everything about one activation (spec/core-api.md §7.6, spec/protocol-v3.md §9.2)."""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_core.activations import reads, repository
from powerauth_core.activations.expiry import expire_if_overdue, overdue
from powerauth_core.activations.initialisation import sign_code
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.activations.models import OTHER_KEY
from powerauth_core.activations.ports import ReadingPorts
from powerauth_core.activations.reads import ApplicationIds
from powerauth_core.activations.rules import CREATED
from powerauth_core.activations.stored import ActivationRow
from powerauth_core.applications.cache import ApplicationIdentity
from powerauth_core.kernel.errors import (
    CryptographyFailed,
    IncorrectActivationState,
    InvalidRequest,
)
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.values import SealedStatus, StatusFacts
from powerauth_protocol.generation import generation_of_activation, makes_codes

_UNKNOWN_GENERATION = generation_of_activation(None)


@dataclass(frozen=True, slots=True)
class Known:
    """An activation that there is, as it is now."""

    activation: ActivationRow
    application: ApplicationIdentity


@dataclass(frozen=True, slots=True)
class FoundStatus:
    """What there is to say of an id.

    :ivar sealed: for the device
    :ivar known: None for an unknown one, which looks like a removed one (spec/core-api.md §7.6)
    """

    activation_id: str
    sealed: SealedStatus
    known: Known | None


async def find_status(
    ports: ReadingPorts, *, activation_id: str, challenge: str | None, scope: ApplicationIds = None
) -> FoundStatus:
    """``activation/status``; an activation whose time is up is removed first.

    Only one that has to be expired is locked, and written.

    :param challenge: Base64 of 16 bytes
    :raises InvalidRequest: the challenge is none; the same for known and unknown ids
    :raises IncorrectActivationState: keys were exchanged in a protocol version other than 3
    :raises CoreError: stored keys cannot be read
    """
    challenged = _challenge(challenge)
    activation = await reads.find(ports.database.fetch, ports.row_macs, activation_id)
    application = None if activation is None else await _application(ports, activation)
    if activation is None or application is None or not _is_in(scope, application):
        return FoundStatus(activation_id, _random_status(challenged), None)
    if overdue(activation):
        await _expire(ports, activation_id)
        activation = await reads.find(ports.database.fetch, ports.row_macs, activation_id) or activation
    return FoundStatus(
        activation_id,
        _sealed_status(ports.settings, ports.activation_keys, activation, challenged),
        Known(activation, application),
    )


def _is_in(scope: ApplicationIds, application: ApplicationIdentity) -> bool:
    return scope is None or application.application_id in scope


async def _expire(ports: ReadingPorts, activation_id: str) -> None:
    async with ports.database.transaction() as session:
        activation = await repository.lock(session, activation_id)
        if activation is not None:
            await expire_if_overdue(ports.changes, session, activation)


async def _application(ports: ReadingPorts, activation: ActivationRow) -> ApplicationIdentity:
    application = await ports.application_cache.of_row(ports.database, activation.application_id)
    if application is None:
        raise LookupError("an activation without application")
    return application


def _challenge(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return b64decode(text, _UNKNOWN_GENERATION.status.challenge_length)
    except EncodingError:
        raise InvalidRequest() from None


def code_signature(known: Known) -> str | None:
    """Base64 of the signature of a CREATED activation's code; None in any other state.

    :raises CoreError: there is no master key pair to sign it with
    """
    if known.activation.activation_status is not CREATED:
        return None
    return sign_code(known.application.master_key(), known.activation.activation_code)


def fingerprint(activation_keys: ActivationKeyCache, known: Known) -> str | None:
    """The fingerprint of both public keys, once they were exchanged.

    :raises CoreError: stored keys cannot be read
    """
    return None if _device_key(known.activation) is None else activation_keys.fingerprint(known.activation)


def _sealed_status(
    settings: CoreSettings,
    activation_keys: ActivationKeyCache,
    activation: ActivationRow,
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


def _device_key(activation: ActivationRow) -> str | None:
    """The stored device key, once keys were exchanged and as long as it is known to be the device's; None too
    for a passkey's key that no secret can be agreed with (device-trust §4.3).
    """
    exchanged = activation.activation_status is not CREATED and activation.sound
    key = activation.device_public_key_base64
    return key if exchanged and key is not None and not key.startswith(OTHER_KEY) else None
