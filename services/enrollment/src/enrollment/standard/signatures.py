"""Plain verification of a signature over a request (spec/enrollment-api.md §4.2, §6.11)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import SignatureInvalid
from enrollment.pipeline.incoming import Incoming, signature_header
from powerauth_contracts.dmz.purposes import PB, PK, PKB, P, SignatureTypes
from powerauth_contracts.texts import CoreRefused
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.request_data import canonical_query

SIGNATURE_VALIDATE = "/pa/signature/validate"
TYPES: SignatureTypes = frozenset({P, PK, PB, PKB})


async def validate_signature(door: CoreDoor, incoming: Incoming, method: str, query: str) -> None:
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
    header = signature_header(incoming, TYPES)
    try:
        signed = await door.is_signed(header, method, SIGNATURE_VALIDATE, TYPES, body)
    except CoreRefused:
        raise SignatureInvalid from None
    if not signed:
        raise SignatureInvalid
