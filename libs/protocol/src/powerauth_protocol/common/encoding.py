"""Bytes and texts: strict Base64 and length-prefixed concatenation (spec/protocol-v3.md §0, §1.5)."""

from __future__ import annotations

import binascii
from struct import Struct

from powerauth_protocol.common.errors import EncodingError

_size = Struct(">I").pack
_NO_SIZE = _size(0)


def b64encode(data: bytes) -> str:
    """Return standard Base64 with padding."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def b64decode(text: str, length: int | None = None) -> bytes:
    """Decode canonical padded standard Base64.

    :param length: required number of decoded bytes, any if None
    :raises EncodingError: not canonical Base64 (padding, alphabet, trailing bits), or another length
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (ValueError, TypeError):
        raise EncodingError("not Base64") from None
    # The decoder ignores trailing bits; two texts for one value would slip past comparisons of texts.
    if binascii.b2a_base64(data, newline=False).decode("ascii") != text:
        raise EncodingError("not canonical Base64")
    return require_length(data, length) if length is not None else data


def b64url_encode(data: bytes) -> str:
    """Return base64url without padding, as JSON Web Tokens use it."""
    return binascii.b2a_base64(data, newline=False).translate(_STANDARD_TO_URL).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Decode canonical base64url without padding.

    :raises EncodingError: padding, another alphabet, or non-zero trailing bits
    """
    if not text.isascii():
        raise EncodingError("not base64url")
    try:
        data = binascii.a2b_base64(
            text.translate(_URL_TO_STANDARD) + "=" * (-len(text) % 4), strict_mode=True
        )
    except binascii.Error:
        raise EncodingError("not base64url") from None
    if b64url_encode(data) != text:
        raise EncodingError("not canonical base64url")
    return data


_STANDARD_TO_URL = bytes.maketrans(b"+/", b"-_")
_URL_TO_STANDARD = str.maketrans("-_+/=", "+/***")


def require_length(data: bytes, length: int) -> bytes:
    """Return `data` if it has `length` bytes.

    :raises EncodingError: another length
    """
    if len(data) != length:
        raise EncodingError(f"expected {length} bytes")
    return data


def utf8(text: str) -> bytes:
    """Encode a text.

    :raises EncodingError: the text holds a lone surrogate
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise EncodingError("text is not Unicode") from None


def concat(*items: bytes | None) -> bytes:
    """Join byte strings; None and empty add nothing (spec/protocol-v3.md §1.5)."""
    return b"".join(item for item in items if item)


def concat_with_sizes(*items: bytes | None) -> bytes:
    """Join byte strings, each after its 4-byte big-endian length; None counts as empty."""
    return b"".join([_size(len(item)) + item if item else _NO_SIZE for item in items])


def concat_strings(*texts: str) -> bytes:
    """`concat_with_sizes` over the UTF-8 bytes of the texts."""
    return concat_with_sizes(*[utf8(text) for text in texts])
