"""The activation fingerprint that both sides show before commit (spec/protocol-v3.md §3.6)."""

from __future__ import annotations

import hashlib

from powerauth_protocol.common.encoding import utf8
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3.keys import PublicKey

_DIGITS = 8


def activation_fingerprint(
    device_public_key: PublicKey, server_public_key: PublicKey, activation_id: str
) -> str:
    """Return the 8 digits for an activation of version 3.

    :raises EncodingError: the activation id is missing or not Unicode
    """
    if not activation_id:
        raise EncodingError("the activation id is missing")
    return _decimal(_x(device_public_key) + utf8(activation_id) + _x(server_public_key))


def device_fingerprint(device_public_key: PublicKey) -> str:
    """Return the 8 digits for an activation of version 2, found in adopted databases only."""
    return _decimal(_x(device_public_key))


def _x(public_key: PublicKey) -> bytes:
    """The X coordinate without leading zero bytes."""
    x = public_key.public_numbers().x
    return x.to_bytes((x.bit_length() + 7) // 8, "big")


def _decimal(data: bytes) -> str:
    value = int.from_bytes(hashlib.sha256(data).digest()[28:], "big") & 0x7FFFFFFF
    return f"{value % 10**_DIGITS:0{_DIGITS}d}"
