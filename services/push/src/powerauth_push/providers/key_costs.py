"""How much work a key file makes, told before any of it is done (spec/push-api.md §17, D28).

Whoever writes the file chooses how often a password is hashed and how long a number is; reading it would hold
up all that the process does.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator

MOST_ITERATIONS = 600_000
"""Of deriving keys from passwords, in a file; files of today's tools have thousands."""
MOST_RSA_BITS = 4096
_PEM_BLOCK = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----([^-]*)-----END ")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]")
_INTEGER, _OCTET_STRING = 0x02, 0x04
_CONSTRUCTED = 0x20
_DEEPEST = 24


def is_costly(file: bytes) -> bool:
    """Whether a file, DER or PEM, wants more than is done for anybody.

    What is encrypted in it cannot be looked at.
    """
    blocks = [_decoded(block) for block in _PEM_BLOCK.findall(file)]
    return sum(_work(block, _DEEPEST) for block in blocks or [file]) > MOST_ITERATIONS


def _decoded(block: bytes) -> bytes:
    try:
        return b64decode(_NOT_BASE64.sub(b"", block))
    except ValueError:
        return b""


def _work(data: bytes, deeper: int) -> int:
    """The sum of iterations: numbers behind a salt, other measures of work too (RFC 8018, RFC 7914)."""
    work, salted = 0, False
    for tag, content in _elements(data):
        if tag == _INTEGER:
            if len(content) > MOST_RSA_BITS // 8 + 1:
                return MOST_ITERATIONS + 1
            work += int.from_bytes(content) if salted else 0
        salted = salted or tag == _OCTET_STRING
        if deeper and (tag & _CONSTRUCTED or tag == _OCTET_STRING):
            work += _work(content, deeper - 1)
    return work


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents; none behind what is no DER."""
    at = 0
    while at + 2 <= len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(data[at : at + width])
            at += width
        if at + size > len(data):
            return
        yield tag, data[at : at + size]
        at += size
