"""Removing a token (spec/enrollment-api.md §6.9); creating one is a sealed action."""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import RequestInvalid, TokenFailed
from enrollment.pipeline import calls
from enrollment.pipeline.incoming import Incoming
from enrollment.wire import JsonObject, request_object, text_member
from powerauth_contracts.dmz.table import TOKEN_REMOVE
from powerauth_contracts.texts import CoreRefused
from servicekit.errors import ServiceError


async def remove_token(door: CoreDoor, incoming: Incoming) -> JsonObject:
    """Remove a token of the activation that signed; an unknown or foreign one is answered alike.

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the request names no token.
    :raises TokenFailed: when the core refuses.
    """

    def refused(_refusal: CoreRefused) -> ServiceError:
        named = text_member(request_object(incoming.body), "tokenId") is not None
        return TokenFailed() if named else RequestInvalid()

    answer = await calls.signed(door, TOKEN_REMOVE, incoming, refused)
    if answer.refusal is not None or answer.token_id is None:
        raise RequestInvalid
    return {"tokenId": answer.token_id}
