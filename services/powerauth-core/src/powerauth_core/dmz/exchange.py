"""``sealed/exchange``: echoes that compatibility tests of clients ask for (spec/enrollment-api.md §18); their
routes are there outside production only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.models import REQUEST_INVALID, SealedAnswer, SealedRequest
from powerauth_contracts.dmz.table import (
    EXCHANGE_GENERICS,
    EXCHANGE_RAW,
    EXCHANGE_SIGNED,
    EXCHANGE_STRING,
    SignedCall,
)
from powerauth_contracts.wire import json_bytes
from powerauth_core.dmz import sealed, signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.sealed import PlaintextAction, Received
from powerauth_core.kernel.errors import InvalidRequest

_NO_DATA = "''"


Answers = Callable[[bytes, str], bytes]
"""The answer to a plaintext and the signer's user id; raises `InvalidRequest` if the plaintext is not of the
kind that the resource echoes.
"""


def _signed(plaintext: bytes, user_id: str) -> bytes:
    return json_bytes({"data": _sentence(_data(signed.parse_members(plaintext)), user_id)})


def _string(plaintext: bytes, user_id: str) -> bytes:
    text = signed.parse(plaintext)
    if not isinstance(text, str):
        raise InvalidRequest()
    return json_bytes(_sentence(text, user_id))


def _raw(plaintext: bytes, _user_id: str) -> bytes:
    return plaintext


def _generics(plaintext: bytes, _user_id: str) -> bytes:
    inner = signed.parse_members(plaintext).get("requestObject")
    if not isinstance(inner, dict):
        raise InvalidRequest()
    return json_bytes({"status": "OK", "responseObject": {"data": inner.get("data")}})


async def echo(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/exchange/activation``: an envelope without a signature.

    :raises InvalidRequest: no usable header, no envelope, one that was accepted before, or the plaintext is
        not a JSON object
    :raises CoreError: the envelope does not open
    """
    received = await sealed.open_once(ports, sealed.sender_of(request), signed.read_body(request))
    data = _data(signed.parse_members(received.plaintext))
    text = f"Server successfully decrypted signed data: {data}, scope: ACTIVATION_SCOPE"
    return SealedAnswer(authenticated=True, envelope=received.seal(json_bytes({"data": text})))


def _echo_signed(
    call: SignedCall[SealedRequest, SealedAnswer], answers: Answers
) -> Callable[[Ports, SealedRequest], Awaitable[SealedAnswer]]:
    async def echoed(ports: Ports, request: SealedRequest) -> SealedAnswer:
        """``sealed/exchange/signed`` and its like; raises as `sealed.check_plaintext`."""
        checked = await sealed.check_plaintext(ports, request, call.purpose, _nothing_more)
        if checked is None:
            return SealedAnswer(authenticated=False)
        received, _ = checked
        try:
            plaintext = answers(received.plaintext, received.activation.user_id)
        except InvalidRequest:
            return SealedAnswer(authenticated=True, refusal=REQUEST_INVALID)
        return SealedAnswer(authenticated=True, envelope=received.seal(plaintext))

    return echoed


async def _nothing_more(received: Received) -> PlaintextAction:
    return PlaintextAction(received)


ECHOES: dict[Call[Any, Any], Callable[[Ports, SealedRequest], Awaitable[SealedAnswer]]] = {
    call: _echo_signed(call, answers)
    for call, answers in (
        (EXCHANGE_SIGNED, _signed),
        (EXCHANGE_STRING, _string),
        (EXCHANGE_RAW, _raw),
        (EXCHANGE_GENERICS, _generics),
    )
}
"""Signed resources by their calls."""


def _sentence(data: str, user_id: str) -> str:
    return (
        f"Server successfully decrypted data and verified signature, request data: {data}, user ID: {user_id}"
    )


def _data(members: dict[str, Any]) -> str:
    data = members.get("data")
    return data if isinstance(data, str) else _NO_DATA
