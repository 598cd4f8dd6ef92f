"""An active device opens an activation; its request passes through closed, both ways (D1
rule 4).
"""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import ActivationCodeFailed, EncryptionFailed, InvalidRequest, SignatureInvalid
from enrollment.pipeline.envelopes import is_envelope
from enrollment.pipeline.incoming import Incoming, signature_header
from enrollment.pipeline.sealed import envelope_of
from enrollment.wire import EnvelopeMembers
from powerauth_contracts.dmz.table import SPAWN
from powerauth_contracts.texts import CoreRefused
from powerauth_protocol.generation import generation_of

REQUEST_INVALID = "REQUEST_INVALID"


async def activation_code(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Return the sealed activation code.

    :raises SignatureInvalid: when not authenticated, before protocol 3.2 too; also when the core cannot open
        the envelope, since then there is nothing that the signature could cover
    :raises EncryptionFailed: when the body is no envelope of the version
    :raises InvalidRequest: when the signed request names no application, or no password of 16 characters
    :raises ActivationCodeFailed: when the destination is not allowed, or the core refuses
    """
    header = signature_header(incoming, SPAWN.purpose.types)
    if not generation_of(header.version).envelopes.bound_to_sender:
        raise SignatureInvalid
    if not is_envelope(incoming.body, header.version):
        raise EncryptionFailed
    try:
        answer = await door.sealed(SPAWN, incoming.body, [header])
    except CoreRefused:
        raise ActivationCodeFailed from None
    unusable = answer is not None and answer.refusal == REQUEST_INVALID
    return envelope_of(answer, InvalidRequest if unusable else ActivationCodeFailed)
