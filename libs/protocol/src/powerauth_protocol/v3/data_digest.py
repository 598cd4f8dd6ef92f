"""Numeric authorisation codes over data, as text messages carry them (spec/protocol-v3.md §14.2)."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence

from powerauth_protocol.common.encoding import utf8
from powerauth_protocol.common.errors import EncodingError

KEY_LENGTH = 16
DEFAULT_DIGITS = 8


def data_digest(items: Sequence[str], key: bytes, digits: int = DEFAULT_DIGITS) -> str:
    """Return the digits for a list of texts.

    :param items: at least one
    :param key: 16 bytes
    :param digits: 4 to 9
    :raises EncodingError: no items, wrong length of the key, or digits out of range
    """
    if not items or len(key) != KEY_LENGTH or not 4 <= digits <= 9:
        raise EncodingError("data digest parameter out of range")
    digest = hmac.digest(key, utf8("&".join(items)), "sha256")
    return f"{int.from_bytes(digest, 'big', signed=True) % 10**digits:0{digits}d}"


def generate_data_digest(items: Sequence[str], digits: int = DEFAULT_DIGITS) -> tuple[str, bytes] | None:
    """Return digits and a new key, or None for an empty list.

    :raises EncodingError: digits out of range
    """
    if not items:
        return None
    key = os.urandom(KEY_LENGTH)
    return data_digest(items, key, digits), key
