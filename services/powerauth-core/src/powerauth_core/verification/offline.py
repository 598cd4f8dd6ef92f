"""Offline signatures: payloads for QR codes and their verification (spec/core-api.md §9.4, §9.5)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations import repository as activations
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.kernel.errors import ActivationNotFound, InvalidApplication, InvalidRequest
from powerauth_core.settings import CoreSettings
from powerauth_core.verification.engine import Verifier
from powerauth_core.verification.jobs import VerificationJob, Verified
from powerauth_core.verification.ports import Ports
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.common.totp import totp
from powerauth_protocol.generation import generation_of_activation, generation_of_application
from powerauth_protocol.v3.signature import SignatureType
from servicekit import clock
from servicekit.database import Database

NONCE_BYTES = 16
_KNOWLEDGE = SignatureType.POSSESSION_KNOWLEDGE
_BIOMETRY = SignatureType.POSSESSION_BIOMETRY


@dataclass(frozen=True, slots=True)
class OfflinePayload:
    """Text for a QR code, and the nonce in it."""

    text: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Proximity:
    """OTP that shows that a device is near.

    :ivar seed: Base64
    :ivar step_length: s
    :ivar step_count: past steps that are accepted besides the current one
    """

    seed: str = field(repr=False)
    step_length: int
    step_count: int = 0


async def create_personalized(
    ports: Ports,
    *,
    activation_id: str,
    data: str,
    nonce: str | None,
    proximity: Proximity | None,
    scope: ApplicationIds,
) -> OfflinePayload:
    """Payload for one activation, signed with its server key; the activation's state is not looked at.

    :param nonce: Base64 of 16 bytes; a new one if there is none
    :raises ActivationNotFound: no such activation in the caller's scope
    :raises InvalidRequest: a FIDO2 activation, or a malformed nonce or seed
    """
    otp = _payload_otp(ports.settings, proximity)
    used_nonce = _nonce(nonce)
    async with ports.database.read() as session:
        activation = await activations.find(session, activation_id, scope)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    server_key = ports.activation_keys.server_key(activation)
    signatures = generation_of_activation(activation.version).data_signatures
    payload = signatures.offline_payload(data, used_nonce, server_key, otp)
    return OfflinePayload(payload, used_nonce)


async def create_non_personalized(
    database: Database,
    application_cache: ApplicationCache,
    *,
    application_id: str,
    data: str,
    scope: ApplicationIds,
) -> OfflinePayload:
    """Payload for any activation of an application, signed with its newest master key.

    :raises InvalidApplication: no such application in the caller's scope
    :raises NoMasterKeyPair: the application has no key pair
    :raises MasterKeyFormat: its key cannot be read
    """
    if scope is not None and application_id not in scope:
        raise InvalidApplication()
    async with database.read() as session:
        application = await application_cache.by_id(session, application_id)
    if application is None:
        raise InvalidApplication()
    nonce = os.urandom(NONCE_BYTES)
    signatures = generation_of_application().data_signatures
    payload = signatures.shared_offline_payload(data, nonce, application.master_key().private)
    return OfflinePayload(payload, nonce)


async def verify(
    settings: CoreSettings,
    verifier: Verifier,
    *,
    activation_id: str,
    data: str,
    signature: str,
    component_length: int | None,
    biometry: bool,
    proximity: Proximity | None,
    scope: ApplicationIds,
) -> Verified:
    """Check an offline code; all candidates of a proximity check together count as one attempt.

    :param signature: decimal, components joined by ``-``
    :param component_length: digits; None for the configured number
    :param biometry: it may stand for knowledge
    :raises InvalidRequest: a FIDO2 activation, a malformed seed, or data whose body cannot take the OTP
    :raises IncorrectActivationState: an activation of protocol version 2
    """
    verified = await verifier.run(
        VerificationJob(
            activation_id=activation_id,
            signed_data=_candidates(settings, data, proximity),
            signature=signature,
            types=(_KNOWLEDGE, _BIOMETRY) if biometry else (_KNOWLEDGE,),
            version=None,
            component_length=component_length or settings.offline_signature_component_length,
            failure_info=(("BIOMETRY_ALLOWED", "TRUE"),) if biometry else (),
            application_ids=None if scope is None else frozenset(scope),
        )
    )
    return verified.checked()


def _nonce(text: str | None) -> bytes:
    if text is None or not text.strip():
        return os.urandom(NONCE_BYTES)
    try:
        return b64decode(text, NONCE_BYTES)
    except ProtocolError:
        raise InvalidRequest("requestObject.nonce - must be Base64 of 16 bytes") from None


def _payload_otp(settings: CoreSettings, proximity: Proximity | None) -> str | None:
    if proximity is None or not proximity.seed.strip():
        return None
    return _otp(settings, proximity, clock.now_ms() // 1000)


def _candidates(settings: CoreSettings, data: str, proximity: Proximity | None) -> tuple[str, ...]:
    """Signed data to try: with a proximity check once per accepted step, the newest first."""
    if proximity is None:
        return (data,)
    now = clock.now_ms() // 1000
    moments = [now - step * proximity.step_length for step in range(proximity.step_count + 1)]
    return tuple([_with_otp(data, _otp(settings, proximity, moment)) for moment in moments if moment >= 0])


def _otp(settings: CoreSettings, proximity: Proximity, moment: int) -> str:
    try:
        seed = b64decode(proximity.seed)
        return totp(seed, moment, proximity.step_length, settings.proximity_check_otp_length)
    except ProtocolError:
        raise InvalidRequest("requestObject.proximityCheck.seed - must be Base64") from None


def _with_otp(data: str, otp: str) -> str:
    """Append the OTP to the body, the last element of the data (spec/protocol-v3.md §8.8 step 5)."""
    head, separator, body = data.rpartition("&")
    try:
        extended = b64decode(body) + b"&" + otp.encode("ascii")
    except ProtocolError:
        raise InvalidRequest("requestObject.data - must end with the Base64 of the body") from None
    return f"{head}{separator}{b64encode(extended)}"
