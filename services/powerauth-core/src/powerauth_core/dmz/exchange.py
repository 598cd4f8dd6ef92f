"""``sealed/exchange``: echoes that compatibility tests of clients ask for (spec/enrollment-api.md §18); their
routes are there outside production only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from powerauth_contracts.dmz.models import REQUEST_INVALID, SealedAnswer, SealedRequest
from powerauth_contracts.wire import json_bytes
from powerauth_core.dmz import actions, sealed, signed
from powerauth_core.dmz.actions import Purpose
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.sealed import PlaintextAction, Received
from powerauth_core.kernel.errors import InvalidRequest

_NO_DATA = "''"


@dataclass(frozen=True, slots=True)
class Echo:
    """A signed resource: its purpose, and its answer to a plaintext and the signer's user id.

    An answer raises `InvalidRequest` if the plaintext is not of the kind that the resource echoes.
    """

    purpose: Purpose
    answer: Callable[[bytes, str], bytes]


def _signed(plaintext: bytes, user_id: str) -> bytes:
    return json_bytes({"data": _sentence(_data(sealed.parse_members(plaintext)), user_id)})


def _string(plaintext: bytes, user_id: str) -> bytes:
    text = sealed.parse(plaintext)
    if not isinstance(text, str):
        raise InvalidRequest()
    return json_bytes(_sentence(text, user_id))


def _raw(plaintext: bytes, _user_id: str) -> bytes:
    return plaintext


def _generics(plaintext: bytes, _user_id: str) -> bytes:
    inner = sealed.parse_members(plaintext).get("requestObject")
    if not isinstance(inner, dict):
        raise InvalidRequest()
    return json_bytes({"status": "OK", "responseObject": {"data": inner.get("data")}})


ECHOES = {
    "signed": Echo(actions.EXCHANGE_SIGNED, _signed),
    "string": Echo(actions.EXCHANGE_STRING, _string),
    "raw": Echo(actions.EXCHANGE_RAW, _raw),
    "generics": Echo(actions.EXCHANGE_GENERICS, _generics),
}
"""By the last part of the path ``sealed/exchange/<name>``."""


async def echo(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/exchange/activation``: an envelope without a signature.

    :raises InvalidRequest: no usable header, no envelope, one that was accepted before, or the plaintext is
        not a JSON object
    :raises CoreError: the envelope does not open
    """
    received = await sealed.open_once(ports, sealed.sender_of(request), signed.read_body(request))
    data = _data(sealed.parse_members(received.plaintext))
    text = f"Server successfully decrypted signed data: {data}, scope: ACTIVATION_SCOPE"
    return SealedAnswer(authenticated=True, envelope=received.opened.seal(json_bytes({"data": text})))


async def echo_signed(ports: Ports, request: SealedRequest, resource: Echo) -> SealedAnswer:
    """``sealed/exchange/signed`` and its like; raises as `sealed.check_plaintext`."""

    async def action(received: Received) -> PlaintextAction:
        return PlaintextAction(received)

    checked = await sealed.check_plaintext(ports, request, resource.purpose, action)
    if checked is None:
        return SealedAnswer(authenticated=False)
    received, _ = checked
    try:
        plaintext = resource.answer(received.plaintext, received.activation.user_id)
    except InvalidRequest:
        return SealedAnswer(authenticated=True, refusal=REQUEST_INVALID)
    return SealedAnswer(authenticated=True, envelope=received.opened.seal(plaintext))


def _sentence(data: str, user_id: str) -> str:
    return (
        f"Server successfully decrypted data and verified signature, request data: {data}, user ID: {user_id}"
    )


def _data(members: dict[str, Any]) -> str:
    data = members.get("data")
    return data if isinstance(data, str) else _NO_DATA
