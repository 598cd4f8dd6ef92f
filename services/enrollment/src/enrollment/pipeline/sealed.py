"""What passes closed, both ways: bodies of activation scope, for ``sealed/`` actions of the core (D1
rule 4).
"""

from __future__ import annotations

from enrollment.core_client import told_members
from enrollment.errors import SignatureInvalid
from enrollment.pipeline.incoming import Incoming
from enrollment.wire import EnvelopeMembers
from powerauth_contracts.dmz.models import SealedAnswer
from powerauth_protocol.common.errors import HeaderError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.generation import read_authorization, read_encryption
from powerauth_protocol.v3.http_headers import (
    EncryptionHeader,
    SignatureHeader,
    parse_fields,
)
from servicekit.errors import ServiceError


def sender_of(incoming: Incoming) -> SignatureHeader | EncryptionHeader | None:
    """Return the header that says whom the envelope is from: a signature header goes before an encryption
    header (spec/enrollment-api.md §4.4). None when that one is malformed or there is neither.
    """
    try:
        if incoming.authorization is not None:
            return read_authorization(parse_fields(incoming.authorization))
        return read_encryption(parse_fields(incoming.encryption), Scope.ACTIVATION)
    except HeaderError:
        return None


def envelope_of(answer: SealedAnswer | None, refused: type[ServiceError]) -> EnvelopeMembers:
    """Return the sealed answer for the device.

    :param refused: what it means that the core does not act on what it opened.
    :raises SignatureInvalid: when not authenticated.
    """
    if answer is None:
        raise SignatureInvalid
    if answer.refusal is not None:
        raise refused
    return told_members(answer.envelope)
