"""Who may open the vault and what for (spec/core-api.md §10)."""

from __future__ import annotations

import re

from powerauth_core.kernel.errors import InvalidInputFormat, InvalidSignature
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import read_json_object
from powerauth_protocol.v3.signature import SignatureType

REASON_NOT_SPECIFIED = "NOT_SPECIFIED"
_REASON = re.compile(r"[A-Za-z0-9_\-.]{3,255}", re.ASCII)


class UnreadablePayload(Exception):
    """The decrypted request is not a JSON object; the call answers like an invalid signature."""


def check_type(signature_type: SignatureType, *, biometry_allowed: bool) -> None:
    """Two factors, with knowledge unless biometry is allowed.

    :raises InvalidSignature: the type does not open the vault
    """
    if signature_type is SignatureType.POSSESSION_KNOWLEDGE:
        return
    if signature_type is SignatureType.POSSESSION_BIOMETRY and biometry_allowed:
        return
    raise InvalidSignature()


def reason_of(plaintext: bytes) -> str:
    """The reason in a decrypted request.

    :raises UnreadablePayload: the request is not a JSON object
    :raises InvalidInputFormat: the reason is not a text of the allowed form
    """
    try:
        reason = read_json_object(plaintext).get("reason")
    except EncodingError:
        raise UnreadablePayload from None
    if reason is None:
        return REASON_NOT_SPECIFIED
    if not isinstance(reason, str) or not _REASON.fullmatch(reason):
        raise InvalidInputFormat()
    return reason
