"""Activation codes, their checksum, signature and QR text (spec/protocol-v3.md §1.8, §3.1 to §3.4)."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass

from powerauth_protocol.common.encoding import b64decode, b64encode, require_length, utf8
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3 import ecdsa
from powerauth_protocol.v3.keys import PrivateKey, PublicKey

RANDOM_LENGTH = 10
CODE_LENGTH = 23

_CODE = re.compile(r"[A-Z2-7]{5}(-[A-Z2-7]{5}){3}", re.ASCII)
_CANONICAL_LAST = ("A", "Q")
_RECOVERY_MARKER = "R:"
_TYPED = str.maketrans("01", "OI")


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16_arc(data: bytes) -> int:
    """Return the CRC-16/ARC of `data` (spec/protocol-v3.md §1.8)."""
    crc = 0
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def generate(random10: bytes | None = None) -> str:
    """Make an activation or recovery code.

    :param random10: 10 bytes, random by default
    :raises EncodingError: not 10 bytes
    """
    data = os.urandom(RANDOM_LENGTH) if random10 is None else require_length(random10, RANDOM_LENGTH)
    text = base64.b32encode(data + crc16_arc(data).to_bytes(2, "big")).decode("ascii")
    return "-".join((text[0:5], text[5:10], text[10:15], text[15:20]))


def has_valid_checksum(text: str | None) -> bool:
    """Check form and checksum, rules 1 to 3 of spec/protocol-v3.md §3.1: all that clients check."""
    if text is None or not _CODE.fullmatch(text):
        return False
    raw = base64.b32decode(text.replace("-", "") + "====")
    return crc16_arc(raw[:RANDOM_LENGTH]) == int.from_bytes(raw[RANDOM_LENGTH:], "big")


def validate(text: str | None) -> bool:
    """Check a code in full (spec/protocol-v3.md §3.1).

    The last character carries one bit, so only one of 16 spellings is ever issued; the others are refused.
    """
    return text is not None and has_valid_checksum(text) and text.endswith(_CANONICAL_LAST)


def normalise_typed(text: str) -> str:
    """Return what a person meant: upper case, ``O`` for zero, ``I`` for one, dashes after five characters."""
    letters = text.strip().upper().translate(_TYPED).replace("-", "").replace(" ", "")
    return "-".join(letters[start : start + 5] for start in range(0, len(letters), 5))


def sign(code: str, master_private_key: PrivateKey) -> bytes:
    """Sign a code with its dashes (spec/protocol-v3.md §3.2); returns DER."""
    return ecdsa.sign(master_private_key, utf8(code))


def verify_signature(code: str, signature: bytes, master_public_key: PublicKey) -> bool:
    """Check the DER signature of a code."""
    return ecdsa.verify(master_public_key, utf8(code), signature)


@dataclass(frozen=True, slots=True)
class ActivationQr:
    """Content of an activation or recovery QR code.

    :ivar signature: DER, or None if the text carries none
    """

    code: str
    signature: bytes | None = None
    is_recovery: bool = False


def build_qr(code: str, signature: bytes | None = None) -> str:
    """Return the text of an activation QR code (spec/protocol-v3.md §3.3)."""
    return code if signature is None else f"{code}#{b64encode(signature)}"


def build_recovery_qr(code: str) -> str:
    """Return the text of a recovery QR code."""
    return _RECOVERY_MARKER + code


def parse_qr(text: str) -> ActivationQr:
    """Parse the text of an activation or recovery QR code (spec/protocol-v3.md §3.3).

    :raises EncodingError: a wrong code, an empty or malformed signature, or a signed recovery code
    """
    is_recovery = text.startswith(_RECOVERY_MARKER)
    code, separator, signature = text.removeprefix(_RECOVERY_MARKER).partition("#")
    if separator and (is_recovery or not signature):
        raise EncodingError("unexpected or empty signature")
    if not validate(code):
        raise EncodingError("not an activation code")
    return ActivationQr(code, b64decode(signature) if separator else None, is_recovery)
