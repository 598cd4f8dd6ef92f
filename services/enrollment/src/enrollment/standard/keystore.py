"""Temporary keys: the device's request passes through as it is (spec/enrollment-api.md §6.2)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import TemporaryKeyFailed
from enrollment.limits import Limits
from enrollment.pipeline import calls
from enrollment.pipeline.incoming import Incoming
from enrollment.wire import JsonObject, request_object, text_member
from powerauth_contracts.dmz.table import KEYSTORE_CREATE
from powerauth_protocol.common.errors import TokenFormatError
from powerauth_protocol.generation import read_key_request

LONGEST_JWT = 8192


async def create_temporary_key(door: CoreDoor, limits: Limits, incoming: Incoming) -> JsonObject:
    """Forward a key request and return the core's signed answer.

    What an activation got counts on it, after its MAC; what strangers ask in its name, on their address.

    :raises TemporaryKeyFailed: for any unusable request and any refusal of the core.
    :raises TooManyRequests: when too many requests for the activation wait.
    """
    jwt = text_member(request_object(incoming.body), "jwt")
    if jwt is None or len(jwt) > LONGEST_JWT:
        raise TemporaryKeyFailed
    activation_id = named_activation(jwt)
    if activation_id is None:
        return await _forward(door, jwt)
    turn = limits.turn(limits.keystore_per_activation, activation_id, incoming.network, incoming.disconnected)
    async with turn:
        answer = await _forward(door, jwt)
    await limits.keystore_per_activation.count(activation_id)
    limits.prove(incoming.network)
    return answer


async def _forward(door: CoreDoor, jwt: str) -> JsonObject:
    answer = await calls.called(door, KEYSTORE_CREATE, TemporaryKeyFailed, jwt=jwt)
    return {"jwt": answer.jwt}


def named_activation(jwt: str) -> str | None:
    """Return the activation that a request names; None in application scope, and for what is no request."""
    try:
        activation_id = read_key_request(jwt).activation_id
    except TokenFormatError:
        return None
    return None if activation_id is None else activation_id.lower()
