"""Database values encrypted at rest (spec/protocol-v3.md §14.4, spec/core-api.md §24)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum, IntEnum

from powerauth_protocol.common.aes import decrypt_cbc, encrypt_cbc
from powerauth_protocol.common.encoding import b64decode, b64encode, utf8
from powerauth_protocol.common.errors import (
    DecryptionError,
    EncodingError,
    KeyFormatError,
    RecordDecryptionFailed,
    RecordKeyMissing,
    RecordModeUnknown,
    RecordTooShort,
)
from powerauth_protocol.common.kdf import kdf_internal

_IV_LENGTH = 16


class EncryptionMode(IntEnum):
    """How a value is stored: the number in integer columns, the name in text columns."""

    NO_ENCRYPTION = 0
    AES_HMAC = 1

    @classmethod
    def from_name(cls, name: str | None) -> EncryptionMode:
        """Return the mode of a text column.

        :raises RecordModeUnknown: missing or unknown
        """
        mode = cls.__members__.get(name or "")
        if mode is None:
            raise RecordModeUnknown("unknown encryption mode")
        return mode


class ValueKind(Enum):
    """What an unencrypted column holds: Base64 of bytes (keys), or the text itself."""

    BINARY = "binary"
    TEXT = "text"


def derive_record_key(master_key: bytes, parts: Sequence[str]) -> bytes:
    """Return the 16-byte key of one record, bound to its row by `parts`.

    :raises KeyFormatError: the master key is not 16 bytes
    """
    if len(master_key) != 16:
        raise KeyFormatError("expected a 16-byte master key")
    return kdf_internal(master_key, utf8("&".join(parts)))


def encrypt_record(
    master_key: bytes | None,
    parts: Sequence[str],
    plaintext: bytes,
    kind: ValueKind = ValueKind.BINARY,
    *,
    iv: bytes | None = None,
) -> tuple[EncryptionMode, str]:
    """Return mode and text to store.

    :param master_key: 16 bytes; None or empty stores unencrypted
    :param parts: the derivation parts of spec/core-api.md §24
    :param plaintext: raw bytes; for `ValueKind.TEXT` its UTF-8 bytes
    :param iv: 16 bytes, random by default
    :raises KeyFormatError: the master key is not 16 bytes
    :raises EncodingError: a text value is not UTF-8, or the vector is not 16 bytes
    """
    if not master_key:
        return EncryptionMode.NO_ENCRYPTION, _plain_text(plaintext, kind)
    vector = os.urandom(_IV_LENGTH) if iv is None else iv
    ciphertext = encrypt_cbc(derive_record_key(master_key, parts), vector, plaintext)
    return EncryptionMode.AES_HMAC, b64encode(vector + ciphertext)


def decrypt_record(
    master_key: bytes | None,
    mode: int | None,
    parts: Sequence[str],
    stored: str,
    kind: ValueKind = ValueKind.BINARY,
) -> bytes:
    """Return the raw bytes of a stored value; of a text value its UTF-8 bytes.

    :raises RecordModeUnknown: missing or unknown mode (``ERR0021``)
    :raises RecordKeyMissing: encrypted, and no master key is configured (``ERR0020``)
    :raises RecordTooShort: shorter than an initialisation vector (``ERR0010``)
    :raises RecordDecryptionFailed: wrong key or context, or damaged (``ERR0022``)
    :raises EncodingError: not Base64
    :raises KeyFormatError: the master key is not 16 bytes
    """
    if mode == EncryptionMode.NO_ENCRYPTION:
        return b64decode(stored) if kind is ValueKind.BINARY else utf8(stored)
    if mode != EncryptionMode.AES_HMAC:
        raise RecordModeUnknown("unknown encryption mode")
    if not master_key:
        raise RecordKeyMissing("no master key for an encrypted record")
    data = b64decode(stored)
    if len(data) < _IV_LENGTH:
        raise RecordTooShort("the record is too short")
    try:
        return decrypt_cbc(derive_record_key(master_key, parts), data[:_IV_LENGTH], data[_IV_LENGTH:])
    except DecryptionError:
        raise RecordDecryptionFailed("the record cannot be decrypted") from None


def _plain_text(plaintext: bytes, kind: ValueKind) -> str:
    if kind is ValueKind.BINARY:
        return b64encode(plaintext)
    try:
        return plaintext.decode("utf-8")
    except UnicodeDecodeError:
        raise EncodingError("not UTF-8") from None
