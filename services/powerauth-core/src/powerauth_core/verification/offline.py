"""Offline signatures: payloads for QR codes and their verification (spec/core-api.md §9.4, §9.5)."""

from __future__ import annotations

import os

from powerauth_contracts.enums import ActivationProtocol
from powerauth_contracts.rest.verification import (
    CreateNonPersonalizedPayloadRequest,
    CreatePersonalizedPayloadRequest,
    OfflinePayloadResponse,
    OfflineProximityCheck,
    OfflineProximityVerification,
    VerifyOfflineSignatureRequest,
    VerifySignatureResponse,
)
from powerauth_core.activations import repository as activations
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.kernel.errors import ActivationNotFound, InvalidApplication, InvalidRequest
from powerauth_core.settings import CoreSettings
from powerauth_core.verification.engine import Verifier
from powerauth_core.verification.jobs import VerificationJob
from powerauth_core.verification.ports import Ports
from powerauth_core.verification.service import scope, verification_response
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


async def create_personalized(
    ports: Ports, request: CreatePersonalizedPayloadRequest
) -> OfflinePayloadResponse:
    """Payload for one activation, signed with its server key; the activation's state is not looked at.

    :raises ActivationNotFound: no such activation in the caller's scope
    :raises InvalidRequest: a FIDO2 activation, or a malformed nonce or seed
    """
    otp = _payload_otp(ports.settings, request.proximity_check)
    nonce = _nonce(request.nonce)
    async with ports.database.read() as session:
        activation = await activations.find(session, request.activation_id, request.application_ids)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    server_key = ports.activation_keys.server_key(activation)
    signatures = generation_of_activation(activation.version).data_signatures
    payload = signatures.offline_payload(request.data, nonce, server_key, otp)
    return OfflinePayloadResponse(offline_data=payload, nonce=b64encode(nonce))


async def create_non_personalized(
    database: Database, application_cache: ApplicationCache, request: CreateNonPersonalizedPayloadRequest
) -> OfflinePayloadResponse:
    """Payload for any activation of an application, signed with its newest master key.

    :raises InvalidApplication: no such application in the caller's scope
    :raises NoMasterKeyPair: the application has no key pair
    :raises MasterKeyFormat: its key cannot be read
    """
    allowed = scope(request.application_ids)
    if allowed is not None and request.application_id not in allowed:
        raise InvalidApplication()
    async with database.read() as session:
        application = await application_cache.by_id(session, request.application_id)
    if application is None:
        raise InvalidApplication()
    nonce = os.urandom(NONCE_BYTES)
    signatures = generation_of_application().data_signatures
    payload = signatures.shared_offline_payload(request.data, nonce, application.master_key().private)
    return OfflinePayloadResponse(offline_data=payload, nonce=b64encode(nonce))


async def verify(
    settings: CoreSettings, verifier: Verifier, request: VerifyOfflineSignatureRequest
) -> VerifySignatureResponse:
    """Check an offline code; all candidates of a proximity check together count as one attempt.

    :raises InvalidRequest: a FIDO2 activation, a malformed seed, or data whose body cannot take the OTP
    :raises IncorrectActivationState: an activation of protocol version 2
    """
    biometry = request.allow_biometry
    verified = await verifier.run(
        VerificationJob(
            activation_id=request.activation_id,
            signed_data=_candidates(settings, request.data, request.proximity_check),
            signature=request.signature,
            types=(_KNOWLEDGE, _BIOMETRY) if biometry else (_KNOWLEDGE,),
            version=None,
            component_length=request.component_length or settings.offline_signature_component_length,
            failure_info=(("BIOMETRY_ALLOWED", "TRUE"),) if biometry else (),
            application_ids=scope(request.application_ids),
        )
    )
    return verification_response(request.activation_id, verified)


def _nonce(text: str | None) -> bytes:
    if text is None or not text.strip():
        return os.urandom(NONCE_BYTES)
    try:
        return b64decode(text, NONCE_BYTES)
    except ProtocolError:
        raise InvalidRequest("requestObject.nonce - must be Base64 of 16 bytes") from None


def _payload_otp(settings: CoreSettings, check: OfflineProximityCheck | None) -> str | None:
    if check is None or not check.seed.strip():
        return None
    return _otp(settings, check.seed, check.step_length, clock.now_ms() // 1000)


def _candidates(
    settings: CoreSettings, data: str, check: OfflineProximityVerification | None
) -> tuple[str, ...]:
    """Signed data to try: with a proximity check once per accepted step, the newest first."""
    if check is None:
        return (data,)
    now = clock.now_ms() // 1000
    moments = [now - step * check.step_length for step in range(check.step_count + 1)]
    return tuple(
        [
            _with_otp(data, _otp(settings, check.seed, check.step_length, moment))
            for moment in moments
            if moment >= 0
        ]
    )


def _otp(settings: CoreSettings, seed: str, step_length: int, moment: int) -> str:
    try:
        return totp(b64decode(seed), moment, step_length, settings.proximity_check_otp_length)
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
