"""Argon2 hashes of PUKs and activation one-time passwords (spec/protocol-v3.md §14.1)."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from powerauth_protocol.common.encoding import utf8
from powerauth_protocol.common.errors import EncodingError

_ITERATIONS = 3
_MEMORY_KIB = 32_768
_LANES = 16
_SALT_LENGTH = 16
_HASH_LENGTH = 32
_VERSION = 19

# Bounds for parameters read from storage, so that a damaged row cannot exhaust the machine.
_MAX_ITERATIONS = 64
_MAX_MEMORY_KIB = 1 << 20
_MAX_LANES = 64

_TYPES = {"i": Type.I, "d": Type.D, "id": Type.ID}
_STORED = re.compile(
    r"\$argon2(?P<type>id|i|d)(?:\$v=(?P<version>16|19))?"
    r"\$m=(?P<memory>[0-9]{1,9}),t=(?P<iterations>[0-9]{1,9}),p=(?P<lanes>[0-9]{1,9})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<hash>[A-Za-z0-9+/]{16,172})",
    re.ASCII,
)


def hash_password(text: str, *, salt: bytes | None = None) -> str:
    """Hash with Argon2i in modular crypt format; takes tens of milliseconds and 32 MiB.

    :param salt: 16 bytes, random by default
    :raises EncodingError: the text is not Unicode, or the salt has a wrong length
    """
    used_salt = os.urandom(_SALT_LENGTH) if salt is None else salt
    if len(used_salt) != _SALT_LENGTH:
        raise EncodingError("expected a 16-byte salt")
    digest = hash_secret_raw(
        utf8(text), used_salt, _ITERATIONS, _MEMORY_KIB, _LANES, _HASH_LENGTH, Type.I, _VERSION
    )
    parameters = f"m={_MEMORY_KIB},t={_ITERATIONS},p={_LANES}"
    return f"$argon2i$v={_VERSION}${parameters}${_unpadded(used_salt)}${_unpadded(digest)}"


def verify_password(text: str, stored: str) -> bool:
    """Compare with a stored hash in constant time; all parameters come from the stored text.

    :raises EncodingError: the stored text is malformed, or its parameters are out of bounds
    """
    match = _STORED.fullmatch(stored)
    if match is None:
        raise EncodingError("malformed password hash")
    memory, iterations, lanes = int(match["memory"]), int(match["iterations"]), int(match["lanes"])
    if (
        not 1 <= iterations <= _MAX_ITERATIONS
        or not 1 <= lanes <= _MAX_LANES
        or not 8 * lanes <= memory <= _MAX_MEMORY_KIB
    ):
        raise EncodingError("password hash parameters out of bounds")
    salt, expected = _decoded(match["salt"]), _decoded(match["hash"])
    try:
        digest = hash_secret_raw(
            utf8(text),
            salt,
            iterations,
            memory,
            lanes,
            len(expected),
            _TYPES[match["type"]],
            int(match["version"] or 16),
        )
    except HashingError:
        raise EncodingError("malformed password hash") from None
    return hmac.compare_digest(digest, expected)


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise EncodingError("malformed password hash") from None
