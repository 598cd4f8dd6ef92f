"""``clientDataJSON``: what the browser says it was asked, by whom (spec/device-trust.md §4.3)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason, Malformed
from powerauth_protocol.common.encoding import b64url_decode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import read_json

LIMIT: Final = 16_384
"""Bytes; the challenge of an operation holds its data."""


@dataclass(frozen=True, slots=True)
class ClientData:
    """What was collected by the client.

    :ivar type: ``webauthn.create`` or ``webauthn.get``, or anything else that was sent
    :ivar challenge: its bytes
    :ivar hash: SHA-256 of the JSON text, 32 bytes
    """

    type: str
    challenge: bytes
    origin: str
    top_origin: str | None
    cross_origin: bool
    hash: bytes

    def check(
        self, type_: str, challenge: bytes | None, origins: Collection[str], top_origins: Collection[str]
    ) -> None:
        """Compare with what was asked; origins exactly, as text.

        :param challenge: None: the caller has looked the challenge up by what is in here
        :raises CeremonyFailed: TYPE, CHALLENGE, ORIGIN, TOP_ORIGIN
        """
        if self.type != type_:
            raise CeremonyFailed(CeremonyReason.TYPE)
        if challenge is not None and not hmac.compare_digest(challenge, self.challenge):
            raise CeremonyFailed(CeremonyReason.CHALLENGE)
        if self.origin not in origins:
            raise CeremonyFailed(CeremonyReason.ORIGIN)
        embedded = self.cross_origin or self.top_origin is not None
        if embedded and self.top_origin not in top_origins:
            raise CeremonyFailed(CeremonyReason.TOP_ORIGIN)


def parse(text: bytes) -> ClientData:
    """Read the JSON text as it came.

    :raises Malformed: too long, no UTF-8, no JSON object, a member twice, missing or of another type
    """
    members = _members(text)
    type_, challenge, origin = (_string(members, name) for name in ("type", "challenge", "origin"))
    top_origin = members.get("topOrigin")
    cross_origin = members.get("crossOrigin")
    if not isinstance(top_origin, str | None) or not isinstance(cross_origin, bool | None):
        raise Malformed("clientDataJSON: topOrigin or crossOrigin")
    digest = hashlib.sha256(text).digest()
    return ClientData(type_, _decoded(challenge), origin, top_origin, bool(cross_origin), digest)


def _members(text: bytes) -> dict[str, Any]:
    if len(text) > LIMIT:
        raise Malformed("clientDataJSON: too long")
    try:
        members = read_json(text)
    except EncodingError:
        raise Malformed("clientDataJSON: no JSON") from None
    if not isinstance(members, dict):
        raise Malformed("clientDataJSON: no object")
    return members


def _string(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise Malformed(f"clientDataJSON: {name}")
    return value


def _decoded(challenge: str) -> bytes:
    try:
        return b64url_decode(challenge)
    except EncodingError:
        raise Malformed("clientDataJSON: challenge") from None
