"""Secrets of database rows, encrypted and bound to their row (D5, spec/protocol-v3.md §14.4)."""

from __future__ import annotations

from collections.abc import Sequence

from powerauth_protocol.common.errors import (
    EncodingError,
    RecordDecryptionFailed,
    RecordKeyMissing,
    RecordModeUnknown,
    RecordTooShort,
)
from powerauth_protocol.common.record_encryption import EncryptionMode, decrypt_record, encrypt_record
from servicekit.master_keys import MasterKeys

_FAULTS = (EncodingError, RecordDecryptionFailed, RecordKeyMissing, RecordModeUnknown, RecordTooShort)


class SecretUnreadable(Exception):
    """A stored secret is damaged, of another row, or of another master key."""


class SecretCipher:
    """Encrypts with the master key, or stores in clear without one; reads both, and what is of other keys.

    Whether a secret may stand in clear beside a master key, the MAC of its row tells, which covers the mode.

    :ivar keys: the master keys, as values of the database name them
    """

    def __init__(self, keys: MasterKeys) -> None:
        self.keys = keys

    def encrypt(self, parts: Sequence[str], secret: bytes) -> tuple[int, bytes]:
        """Mode number and what to store.

        :param parts: what names the row
        """
        if self.keys.current is None:
            return EncryptionMode.NO_ENCRYPTION.value, secret
        mode, text = encrypt_record(self.keys.current, parts, secret)
        return mode.value, (self.keys.prefix + text).encode("ascii")

    def decrypt(self, mode: int, parts: Sequence[str], stored: bytes) -> bytes:
        """
        :raises SecretUnreadable: it cannot be read
        """
        if mode == EncryptionMode.NO_ENCRYPTION.value:
            return stored
        key, text = self.keys.opening(stored.decode("ascii", "replace"))
        try:
            return decrypt_record(key, mode, parts, text)
        except _FAULTS as error:
            raise SecretUnreadable(type(error).__name__) from None
