"""Activations: key exchange, status, removal, detail, renaming (spec/enrollment-api.md §6.3-6.7, §7)."""

from __future__ import annotations

from enrollment.core_client import CallUnknown, CoreDoor, told_members
from enrollment.errors import (
    ActivationFailed,
    EncryptionFailed,
    RecoveryCodeInvalid,
    RequestInvalid,
)
from enrollment.limits import Limits
from enrollment.pipeline import calls
from enrollment.pipeline.envelopes import EnvelopeRefused, open_application
from enrollment.pipeline.incoming import Incoming, signature_header, token_header
from enrollment.pipeline.sealed import sender_of
from enrollment.wire import EnvelopeMembers, JsonObject, request_object, text_member
from powerauth_contracts.dmz.table import (
    ACTIVATION_CREATE,
    ACTIVATION_CREATE_SEALED,
    ACTIVATION_DETAIL,
    ACTIVATION_REMOVE,
    ACTIVATION_RENAME,
    ACTIVATION_STATUS,
)
from powerauth_contracts.texts import CoreRefused
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import HeaderError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.generation import generation_of_activation, read_encryption
from powerauth_protocol.v3.http_headers import is_uuid, parse_fields

ACTIVATION_TYPES = frozenset({"CODE", "CUSTOM", "DIRECT", "RECOVERY"})

RECOVERY_PUK_MISMATCH = "ERR_RECOVERY"
"""The core's code for a wrong PUK while another try is left."""


async def create_activation(door: CoreDoor, limits: Limits, incoming: Incoming) -> bytes:
    """Hand the closed request to the core, which does the key exchange and seals the answer.

    :return: the sealed answer, JSON.
    :raises ActivationFailed: for every failure, of encryption too.
    :raises RecoveryCodeInvalid: when the core names the PUK that is due.
    """
    try:
        header = read_encryption(parse_fields(incoming.encryption), Scope.APPLICATION)
    except HeaderError:
        raise ActivationFailed from None
    try:
        answer = await calls.called(
            door,
            ACTIVATION_CREATE_SEALED,
            _creation_failure,
            application_key=header.application_key,
            protocol_version=header.version,
            body=b64encode(incoming.body),
        )
        sealed = json_bytes(told_members(answer.envelope))
    except CallUnknown:
        sealed = await _create_in_two_calls(door, incoming)
    limits.prove(incoming.network)
    return sealed


async def _create_in_two_calls(door: CoreDoor, incoming: Incoming) -> bytes:
    """The same at a core of the release before: the outer layer is opened and sealed here."""
    try:
        envelope = await open_application(door, incoming)
        layer1 = check_layer1(envelope.plaintext_object())
    except EnvelopeRefused:
        raise ActivationFailed from None
    answer = await calls.called(
        door,
        ACTIVATION_CREATE,
        _creation_failure,
        application_key=envelope.application_key,
        protocol_version=envelope.version,
        **layer1,
    )
    members: JsonObject = {
        "activationData": answer.activation_data,
        "customAttributes": answer.custom_attributes,
        "userInfo": answer.user_info,
    }
    return envelope.seal(json_bytes(members))


def check_layer1(plaintext: JsonObject) -> JsonObject:
    """Return the members of the outer layer that go to the core; the inner envelope is not looked at.

    :raises ActivationFailed: when one is missing.
    """
    activation_type = plaintext.get("type")
    identity = plaintext.get("identityAttributes")
    custom = plaintext.get("customAttributes")
    inner = plaintext.get("activationData")
    if not isinstance(activation_type, str) or activation_type not in ACTIVATION_TYPES:
        raise ActivationFailed
    if not isinstance(identity, dict) or not identity or not isinstance(custom, dict | None):
        raise ActivationFailed
    if not isinstance(inner, dict):
        raise ActivationFailed
    return {
        "type": activation_type,
        "identityAttributes": identity,
        "customAttributes": custom or {},
        "activationData": inner,
    }


def _creation_failure(refusal: CoreRefused) -> ActivationFailed | RecoveryCodeInvalid:
    index = refusal.details.get("currentRecoveryPukIndex")
    if refusal.code == RECOVERY_PUK_MISMATCH and isinstance(index, int):
        return RecoveryCodeInvalid(extra={"currentRecoveryPukIndex": index})
    return ActivationFailed()


async def activation_status(door: CoreDoor, limits: Limits, incoming: Incoming) -> JsonObject:
    """Return the encrypted status; an id that cannot exist is answered like one that does not.

    :raises ActivationFailed: when the request names no activation or the core refuses.
    :raises TooManyRequests: when too many of this address wait for the status of this activation.
    """
    request = request_object(incoming.body)
    activation_id = text_member(request, "activationId")
    challenge = request.get("challenge") if request is not None else None
    if activation_id is None or not isinstance(challenge, str | None):
        raise ActivationFailed
    if not is_uuid(activation_id):
        return _random_status(activation_id, challenge)
    key = f"{activation_id.lower()} {incoming.network}"
    turn = limits.turn(limits.status_per_activation, key, incoming.network, incoming.disconnected)
    async with turn:
        await limits.status_per_activation.count(key)
        answer = await calls.called(
            door, ACTIVATION_STATUS, ActivationFailed, activation_id=activation_id, challenge=challenge
        )
    members = {
        "activationId": answer.activation_id,
        "encryptedStatusBlob": answer.encrypted_status_blob,
        "nonce": answer.encrypted_status_blob_nonce,
        "customObject": answer.custom_object,
    }
    return {name: value for name, value in members.items() if value is not None}


def _random_status(activation_id: str, challenge: str | None) -> JsonObject:
    """What the core answers for an unknown activation: bytes that look like an encrypted status."""
    sealed = generation_of_activation(None).status.random(challenged=challenge is not None)
    status: JsonObject = {"activationId": activation_id, "encryptedStatusBlob": b64encode(sealed.blob)}
    if sealed.nonce is not None:
        status["nonce"] = b64encode(sealed.nonce)
    return status


async def remove_activation(door: CoreDoor, incoming: Incoming) -> JsonObject:
    """Remove the activation that signed.

    :raises SignatureInvalid: when not authenticated.
    :raises ActivationFailed: when the core refuses afterwards.
    """
    answer = await calls.signed(door, ACTIVATION_REMOVE, incoming, ActivationFailed)
    return {"activationId": answer.activation_id}


async def activation_detail(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Return the name of the token's activation, sealed for the same activation.

    A request without a usable header for its envelope goes to the core all the same: the token is judged
    first.

    :raises SignatureInvalid: when not authenticated, or when the envelope is of another activation.
    :raises EncryptionFailed: when the core cannot open the envelope.
    """
    token, sender = token_header(incoming), sender_of(incoming)
    headers = [token] if sender is None else [token, sender]
    return await calls.sealed(
        door, ACTIVATION_DETAIL, incoming.body, headers, EncryptionFailed, EncryptionFailed
    )


async def rename_activation(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Rename the activation that signed what the envelope holds.

    :raises SignatureInvalid: when not authenticated; also when the core cannot open the envelope, since then
        there is nothing that the signature could cover (spec/enrollment-api.md §4.5).
    :raises RequestInvalid: when the name is missing.
    :raises ActivationFailed: when the core refuses.
    """
    header = signature_header(incoming, ACTIVATION_RENAME.purpose.types)
    return await calls.sealed(
        door, ACTIVATION_RENAME, incoming.body, [header], ActivationFailed, RequestInvalid
    )
