"""One signed request at the dmz door: check and action in one transaction (D1, D9, D11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.headers import ReceivedSignature
from powerauth_contracts.dmz.models import SealedRequest, SignedRequest, VerifyAnswer, VerifyRequest
from powerauth_contracts.dmz.purposes import Purpose
from powerauth_contracts.dmz.table import RESERVED_URI_IDS
from powerauth_core.activations.models import Activation
from powerauth_core.dmz.ports import Ports
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.operations.rules import Actor
from powerauth_core.verification.engine import Verifier
from powerauth_core.verification.jobs import (
    NO_LOCK,
    Decision,
    LockedActivation,
    PlannedAction,
    SignedAction,
    VerificationJob,
    Verified,
)
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import EncodingError, EnvelopeFormatError
from powerauth_protocol.common.json_text import JsonError, read_json, read_json_object
from powerauth_protocol.common.request_data import signature_base
from powerauth_protocol.generation import generation_of
from powerauth_protocol.groups import Envelope
from powerauth_protocol.v3.signature import SignatureType


class DoorAction:
    """`SignedAction` that does nothing; actions override what they need."""

    lock_key = NO_LOCK

    async def prepare(self, session: AsyncSession, activation: LockedActivation) -> Sequence[tuple[str, str]]:
        """Nothing happens before the check."""
        return ()

    async def accepted(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> Any:
        """The signature alone was asked for."""
        return None

    async def refused(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> Any:
        """A wrong signature does nothing."""
        return None


def read_body(request: SignedRequest | SealedRequest) -> bytes:
    """The bytes of the phone's request, as it sent them.

    :raises InvalidRequest: not Base64
    """
    return body_bytes(request.body)


def body_bytes(text: str) -> bytes:
    """The same of the member `body` alone."""
    try:
        return b64decode(text)
    except EncodingError:
        raise InvalidRequest("requestObject.body - must be Base64") from None


def parse(plaintext: bytes) -> Any:
    """JSON of a device.

    :raises InvalidRequest: it is none
    """
    try:
        return read_json(plaintext)
    except JsonError:
        raise InvalidRequest() from None


def parse_members(plaintext: bytes) -> dict[str, Any]:
    """A JSON object of a device; nothing at all is an empty one.

    :raises InvalidRequest: it is something else
    """
    found = parse(plaintext) if plaintext else {}
    if not isinstance(found, dict):
        raise InvalidRequest()
    return found


async def check(
    verifier: Verifier,
    header: ReceivedSignature | None,
    body: bytes,
    purpose: Purpose,
    action: SignedAction | PlannedAction | None = None,
    *,
    force_hash_counter: bool = False,
) -> Verified | None:
    """Verify that the header signs this body for this purpose, and run the action.

    :param header: None if it was malformed
    :return: None if nothing was checked and nothing counted: malformed header, type not allowed, no such
        activation, or an activation or version whose signatures cannot be checked
    :raises ServiceError: the action failed; the counter has moved all the same
    """
    if header is None or not purpose.may_sign(header):
        return None
    nonce = b64decode(header.nonce)
    verified = await verifier.run(
        VerificationJob(
            activation_id=header.activation_id,
            signed_data=(signature_base(purpose.method, purpose.uri_id, nonce, body),),
            signature=header.signature,
            types=(header.kind,),
            version=generation_of(header.version).version,
            application_key=header.application_key,
            action=action,
            force_hash_counter=force_hash_counter,
            address=header.client_network,
        )
    )
    return None if verified.refusal is not None else verified


async def verify(ports: Ports, request: VerifyRequest) -> VerifyAnswer:
    """``signed/verify``: a signature that no action of the core belongs to.

    :raises InvalidRequest: the resource id belongs to an action, or an unknown signature type is allowed
    """
    if request.uri_id in RESERVED_URI_IDS:
        raise InvalidRequest("requestObject.uriId - belongs to an action of its own")
    try:
        types = frozenset([SignatureType(name) for name in request.allowed_signature_types])
    except ValueError:
        raise InvalidRequest("requestObject.allowedSignatureTypes - unknown signature type") from None
    purpose = Purpose(request.uri_id, types, request.method.upper())
    verified = await check(ports.verifier, request.header.header(), read_body(request), purpose)
    if verified is None or not verified.valid or verified.activation is None or verified.decision is None:
        return VerifyAnswer(authenticated=False)
    activation, decision = verified.activation, verified.decision
    return VerifyAnswer(
        authenticated=True,
        activation_id=activation.activation_id,
        user_id=activation.user_id,
        application_id=activation.application_id,
        signature_type=decision.signature_type.value,
        activation_flags=list(activation.flags),
        application_roles=list(activation.application_roles),
        remaining_attempts=decision.remaining_attempts,
    )


def actor_of(activation: LockedActivation) -> Actor:
    """The activation as the operation rules see it."""
    return Actor(activation.activation_id, activation.user_id, activation.application_id, activation.flags)


def read_envelope(body: bytes, version: str) -> Envelope:
    """The envelope that the body is.

    :param version: of a header
    :raises InvalidRequest: the body is not an envelope of this version
    """
    try:
        return generation_of(version).envelopes.read(read_json_object(body))
    except (EncodingError, EnvelopeFormatError):
        raise InvalidRequest() from None


async def entity_of(session: AsyncSession, activation: LockedActivation) -> Activation:
    """The locked activation as an entity of this session, with what the check has stored."""
    return await session.get_one(Activation, activation.activation_id, populate_existing=True)
