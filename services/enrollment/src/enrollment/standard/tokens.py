"""Removing a token (spec/enrollment-api.md §6.9); creating one is a sealed action."""

from __future__ import annotations

from enrollment.core_client import CoreDoor, CoreRefused
from enrollment.errors import RequestInvalid, SignatureInvalid, TokenFailed
from enrollment.pipeline.incoming import Incoming, signature_header
from enrollment.wire import JsonObject, request_object, text_member
from powerauth_contracts.dmz.table import TOKEN_REMOVE


async def remove_token(door: CoreDoor, incoming: Incoming) -> JsonObject:
    """Remove a token of the activation that signed; an unknown or foreign one is answered alike.

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the request names no token.
    :raises TokenFailed: when the core refuses.
    """
    header = signature_header(incoming, TOKEN_REMOVE.purpose.types)
    if header is None:
        raise SignatureInvalid
    try:
        answer = await door.signed(TOKEN_REMOVE, header, incoming.body)
    except CoreRefused:
        named = text_member(request_object(incoming.body), "tokenId") is not None
        raise (TokenFailed if named else RequestInvalid) from None
    if answer is None:
        raise SignatureInvalid
    if answer.refusal is not None or answer.token_id is None:
        raise RequestInvalid
    return {"tokenId": answer.token_id}
