"""Echoes of decrypted requests, signed and unsigned (spec/enrollment-api.md §18): of application scope here,
of activation scope in the core.
"""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import EncryptionFailed, SignatureInvalid
from enrollment.pipeline import calls
from enrollment.pipeline.envelopes import EnvelopeRefused, open_application
from enrollment.pipeline.incoming import Incoming, signature_header
from enrollment.pipeline.sealed import sender_of
from enrollment.wire import EnvelopeMembers
from powerauth_contracts.dmz.models import SealedAnswer, SealedRequest
from powerauth_contracts.dmz.table import EXCHANGE_ACTIVATION, SignedCall
from powerauth_contracts.wire import json_bytes

_NO_DATA = "''"


async def echo_in_application_scope(door: CoreDoor, incoming: Incoming) -> bytes:
    """Answer an encrypted request in its scope.

    :raises EncryptionFailed: when the envelope cannot be opened or is no object.
    """
    try:
        envelope = await open_application(door, incoming)
        data = envelope.plaintext_object().get("data")
    except EnvelopeRefused:
        raise EncryptionFailed from None
    shown = data if isinstance(data, str) else _NO_DATA
    text = f"Server successfully decrypted signed data: {shown}, scope: APPLICATION_SCOPE"
    return envelope.seal(json_bytes({"data": text}))


async def echo_in_activation_scope(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """The same for what only the core opens; raises likewise."""
    sender = sender_of(incoming)
    if sender is None:
        raise EncryptionFailed
    return await calls.sealed(
        door, EXCHANGE_ACTIVATION, incoming.body, [sender], EncryptionFailed, EncryptionFailed
    )


async def echo_signed(
    door: CoreDoor, incoming: Incoming, target: SignedCall[SealedRequest, SealedAnswer]
) -> EnvelopeMembers:
    """Answer a request that is signed, then encrypted.

    :raises SignatureInvalid: when not authenticated; also when the core cannot open the envelope, since then
        there is nothing that the signature could cover (spec/enrollment-api.md §4.5).
    :raises EncryptionFailed: when the plaintext is not of the kind that is echoed.
    """
    header = signature_header(incoming, target.purpose.types)
    return await calls.sealed(door, target, incoming.body, [header], SignatureInvalid, EncryptionFailed)
