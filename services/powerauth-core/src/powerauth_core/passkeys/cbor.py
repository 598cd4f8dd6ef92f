"""CBOR as authenticators write it, read strictly.

The library's reader takes truncated strings, members that come twice and any depth, and copies what is left
for every item; this one is linear and bounded (spec/device-trust.md §4.14, FI-12).
"""

from __future__ import annotations

from typing import Any, Final

from powerauth_core.passkeys.refusals import Malformed

LIMIT: Final = 65_536
"""Bytes of the largest text that is read; a chain of six certificates has less than a fifth of it."""

_DEPTH = 8
_SIMPLE: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}


def decode(data: bytes) -> Any:
    """Read exactly one item: integer, bytes, text, boolean, null, array, or map by integers or text.

    :raises Malformed: something else, too long or deep, of indefinite length, a key twice, something follows
    """
    value, end = decode_at(data, 0)
    if end != len(data):
        raise Malformed("CBOR: bytes after the item")
    return value


def decode_at(data: bytes, start: int) -> tuple[Any, int]:
    """Read the item that begins at an offset.

    :return: it and the offset behind it
    :raises Malformed: as `decode`
    """
    if len(data) > LIMIT:
        raise Malformed("CBOR: too long")
    return _item(data, start, _DEPTH)


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if not depth or at >= len(data):
        raise Malformed("CBOR: too deep or cut off")
    major, additional = data[at] >> 5, data[at] & 31
    if major == 7:
        if additional not in _SIMPLE:
            raise Malformed("CBOR: simple value")
        return _SIMPLE[additional], at + 1
    number, at = _number(data, at + 1, additional)
    if major < 2:
        return (-1 - number if major else number), at
    if number > len(data) - at:
        raise Malformed("CBOR: cut off")
    match major:
        case 2:
            return data[at : at + number], at + number
        case 3:
            return _text(data[at : at + number]), at + number
        case 4:
            return _array(data, at, number, depth - 1)
        case 5:
            return _map(data, at, number, depth - 1)
    raise Malformed("CBOR: tag")


def _number(data: bytes, at: int, additional: int) -> tuple[int, int]:
    if additional < 24:
        return additional, at
    size = 1 << (additional - 24)
    if additional > 27 or at + size > len(data):
        raise Malformed("CBOR: indefinite length or cut off")
    return int.from_bytes(data[at : at + size], "big"), at + size


def _text(encoded: bytes) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        raise Malformed("CBOR: text is no UTF-8") from None


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    values = []
    for _ in range(count):
        value, at = _item(data, at, depth)
        values.append(value)
    return values, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[int | str, Any], int]:
    members: dict[int | str, Any] = {}
    for _ in range(count):
        key, at = _item(data, at, depth)
        if type(key) not in (int, str) or key in members:
            raise Malformed("CBOR: a key twice, or of another type")
        members[key], at = _item(data, at, depth)
    return members, at
