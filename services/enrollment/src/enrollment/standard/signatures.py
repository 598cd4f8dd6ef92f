"""Plain verification of a signature over a request (spec/enrollment-api.md §4.2, §6.11)."""

from __future__ import annotations

from enrollment.container import Enrollment
from enrollment.core_actions import SIGNATURE_VALIDATE_TYPES, SignatureTypes
from enrollment.core_answers import VerifyAnswer
from enrollment.core_client import CoreRefused
from enrollment.errors import SignatureInvalid
from enrollment.pipeline.incoming import Incoming, signature_header
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.request_data import canonical_query

SIGNATURE_VALIDATE = "/pa/signature/validate"


async def validate_signature(enrollment: Enrollment, incoming: Incoming, method: str, query: str) -> None:
    """Verify a signature over any request; a GET signs its canonical query, other methods their body.

    :param query: the query string as received, without the question mark; empty when there is none.
    :raises SignatureInvalid: when not authenticated.
    """
    body = incoming.body
    if method == "GET":
        try:
            body = (canonical_query(query) or "").encode()
        except EncodingError:
            raise SignatureInvalid from None
    header = signature_header(incoming, SIGNATURE_VALIDATE_TYPES)
    if header is None:
        raise SignatureInvalid
    try:
        signed = await enrollment.door.is_signed(
            header, method, SIGNATURE_VALIDATE, SIGNATURE_VALIDATE_TYPES, body
        )
    except CoreRefused:
        raise SignatureInvalid from None
    if not signed:
        raise SignatureInvalid


async def authenticate(
    enrollment: Enrollment,
    incoming: Incoming,
    method: str,
    uri_id: str,
    allowed: SignatureTypes,
    body: bytes,
) -> VerifyAnswer:
    """Return who signed `body`.

    :raises SignatureInvalid: when not authenticated, whatever the reason.
    """
    header = signature_header(incoming, allowed)
    if header is None:
        raise SignatureInvalid
    try:
        answer = await enrollment.door.verify(header, method, uri_id, allowed, body)
    except CoreRefused:
        raise SignatureInvalid from None
    if answer is None:
        raise SignatureInvalid
    return answer
