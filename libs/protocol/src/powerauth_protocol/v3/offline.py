"""Offline data: the QR text a server shows and a device signs (spec/protocol-v3.md §8.7)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum

from powerauth_protocol.common.encoding import b64decode, b64encode, require_length, utf8
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3 import ecdsa
from powerauth_protocol.v3.keys import PrivateKey, PublicKey

NONCE_LENGTH = 16

_MINIMUM_LINES = 7
_DATA_LINES = 5
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f]")
_ESCAPE = re.compile(r"\\([\\n])")
_ESCAPED = {"n": "\n", "\\": "\\"}


class KeyIndicator(StrEnum):
    """Which key signed: the application's master key, or the activation's server key."""

    MASTER = "0"
    SERVER = "1"


class OfflineFlag(StrEnum):
    """Letters of line 5."""

    BIOMETRY_ALLOWED = "B"
    FLIP_BUTTONS = "X"
    FRAUD_WARNING = "F"
    BLOCK_DURING_CALL = "C"


@dataclass(frozen=True, slots=True)
class OfflinePayload:
    """A parsed QR text.

    :ivar lines: all lines as transmitted
    :ivar operation_id: line 1
    :ivar title: line 2 with escapes resolved
    :ivar message: line 3 with escapes resolved
    :ivar operation_data: line 4
    :ivar flags: line 5
    :ivar totp: proximity password, or None
    :ivar nonce: 16 bytes
    :ivar key_indicator: which public key verifies
    :ivar signed_part: everything before the signature
    :ivar signature: DER
    """

    lines: tuple[str, ...]
    operation_id: str
    title: str
    message: str
    operation_data: str
    flags: str
    totp: str | None
    nonce: bytes
    key_indicator: KeyIndicator
    signed_part: str
    signature: bytes

    @property
    def personalized(self) -> bool:
        """The payload is for one activation and signed with its server key."""
        return self.key_indicator is KeyIndicator.SERVER

    @property
    def biometry_allowed(self) -> bool:
        """The user may sign with biometry instead of knowledge."""
        return OfflineFlag.BIOMETRY_ALLOWED.value in self.flags

    def verify(self, public_key: PublicKey) -> bool:
        """Check the signature.

        :param public_key: the one that `key_indicator` names
        """
        return ecdsa.verify(public_key, utf8(self.signed_part), self.signature)

    def body(self) -> bytes:
        """Return what the device signs as body."""
        return offline_body(self.operation_id, self.operation_data, self.totp)


def build_personalized(
    data: str, nonce: bytes | None, private_key: PrivateKey, totp: str | None = None
) -> str:
    """Return the QR text for one activation.

    :param data: the five lines of spec/protocol-v3.md §8.7
    :param nonce: 16 bytes, random if None
    :param private_key: the activation's server private key
    :param totp: one-time password of the proximity check
    :raises EncodingError: a part has a wrong form
    """
    return _build(data, nonce, private_key, totp, KeyIndicator.SERVER)


def build_non_personalized(data: str, nonce: bytes | None, master_private_key: PrivateKey) -> str:
    """Return the QR text for any activation of an application.

    :param data: the five lines of spec/protocol-v3.md §8.7
    :param nonce: 16 bytes, random if None
    :raises EncodingError: a part has a wrong form
    """
    return _build(data, nonce, master_private_key, None, KeyIndicator.MASTER)


def parse_offline_payload(text: str) -> OfflinePayload:
    """Parse a QR text without checking its signature; future lines before the last three are kept.

    :raises EncodingError: too few lines, or a line has a wrong form
    """
    lines = text.split("\n")
    if len(lines) < _MINIMUM_LINES:
        raise EncodingError("too few lines")
    last = lines[-1]
    try:
        indicator = KeyIndicator(last[:1])
    except ValueError:
        raise EncodingError("unknown key indicator") from None
    signature_text = last[1:]
    signature = b64decode(signature_text)
    if not signature:
        raise EncodingError("the signature is missing")
    utf8(text)
    proximity = lines[-3] if len(lines) > _MINIMUM_LINES and _DIGITS.fullmatch(lines[-3]) else None
    return OfflinePayload(
        lines=tuple(lines),
        operation_id=lines[0],
        title=_unescape(lines[1]),
        message=_unescape(lines[2]),
        operation_data=lines[3],
        flags=lines[4],
        totp=proximity,
        nonce=b64decode(lines[-2], NONCE_LENGTH),
        key_indicator=indicator,
        signed_part=text[: len(text) - len(signature_text)],
        signature=signature,
    )


def offline_body(operation_id: str, operation_data: str, totp: str | None = None) -> bytes:
    """Return the body of an offline code: ``operationId & operationData [& totp]``.

    :raises EncodingError: a text is not Unicode
    """
    parts = [operation_id, operation_data]
    if totp is not None:
        parts.append(totp)
    return utf8("&".join(parts))


def escape(text: str) -> str:
    """Write a title or message as one line: line feeds and backslashes escaped.

    :raises EncodingError: another control character
    """
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    if _CONTROL.search(escaped):
        raise EncodingError("control character in a text")
    return escaped


def _unescape(line: str) -> str:
    if _CONTROL.search(line):
        raise EncodingError("control character in a text")
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], line)


def _build(
    data: str, nonce: bytes | None, private_key: PrivateKey, totp: str | None, indicator: KeyIndicator
) -> str:
    if totp is not None and not _DIGITS.fullmatch(totp):
        raise EncodingError("the one-time password is not a number")
    used_nonce = os.urandom(NONCE_LENGTH) if nonce is None else require_length(nonce, NONCE_LENGTH)
    parts = [data, *([] if totp is None else [totp]), b64encode(used_nonce), indicator.value]
    signed = "\n".join(parts)
    return signed + b64encode(ecdsa.sign(private_key, utf8(signed)))
