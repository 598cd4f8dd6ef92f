"""The encrypted status of an activation (spec/protocol-v3.md §9)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from enum import IntEnum

from powerauth_protocol.common.aes import decrypt_cbc_unpadded, encrypt_cbc_unpadded
from powerauth_protocol.common.encoding import require_length
from powerauth_protocol.common.errors import DecryptionError, EncodingError
from powerauth_protocol.common.kdf import ZERO_IV, kdf_internal
from powerauth_protocol.v3.keys import TransportKey, transport_iv_key

BLOB_LENGTH = 32
CHALLENGE_LENGTH = 16
NONCE_LENGTH = 16
MAX_LOOK_AHEAD = 64

_MAGIC = bytes.fromhex("dec0ded1")
_RESERVED_LENGTH = 5
_HASH_LENGTH = 16
_VERSION = 3


class ActivationStatus(IntEnum):
    """State of an activation as the byte in the blob (spec/protocol-v3.md §4.8)."""

    CREATED = 1
    PENDING_COMMIT = 2
    ACTIVE = 3
    BLOCKED = 4
    REMOVED = 5


_STATUSES = frozenset(status.value for status in ActivationStatus)


def _random_reserved() -> bytes:
    return os.urandom(_RESERVED_LENGTH)


@dataclass(frozen=True, slots=True)
class StatusBlob:
    """The 32 bytes of a status, decrypted (spec/protocol-v3.md §9.1).

    :ivar activation_status: number of an `ActivationStatus`
    :ivar current_version: version of the activation, 3
    :ivar upgrade_version: version the server offers, 3
    :ivar ctr_byte: counter modulo 256
    :ivar failed_attempts: low byte of the count
    :ivar max_failed_attempts: low byte of the limit
    :ivar ctr_look_ahead: window of the server, 1 to 64
    :ivar ctr_data_hash: 16 bytes, see `counter.counter_hash`; zeros without counter
    :ivar reserved: 5 random bytes
    """

    activation_status: int
    failed_attempts: int
    max_failed_attempts: int
    ctr_byte: int
    ctr_look_ahead: int
    ctr_data_hash: bytes
    current_version: int = _VERSION
    upgrade_version: int = _VERSION
    reserved: bytes = field(default_factory=_random_reserved)

    def encode(self) -> bytes:
        """Return the 32 plain bytes.

        :raises EncodingError: a number does not fit a byte, or a field has a wrong length
        """
        require_length(self.reserved, _RESERVED_LENGTH)
        require_length(self.ctr_data_hash, _HASH_LENGTH)
        versions = (self.activation_status, self.current_version, self.upgrade_version)
        counters = (self.ctr_byte, self.failed_attempts, self.max_failed_attempts, self.ctr_look_ahead)
        try:
            return b"".join(
                (_MAGIC, bytes(versions), self.reserved, bytes(counters), self.ctr_data_hash),
            )
        except ValueError:
            raise EncodingError("a number does not fit a byte") from None

    def encrypt(
        self, transport_key: TransportKey, challenge: bytes | None = None, nonce: bytes | None = None
    ) -> bytes:
        """Encrypt the blob.

        :param challenge: 16 bytes of the client (3.1 and later), None in 3.0
        :param nonce: 16 random bytes of the server, exactly when there is a challenge
        :return: 32 bytes
        :raises EncodingError: challenge, nonce or a field has a wrong length
        """
        return self.encrypt_from(transport_key, status_iv(transport_key, challenge, nonce))

    def encrypt_from(self, transport_key: TransportKey, iv: bytes) -> bytes:
        """`encrypt` with the initialisation vector that `status_iv` or `keyed_iv` gives.

        :raises EncodingError: a field has a wrong length
        """
        return encrypt_cbc_unpadded(transport_key, iv, self.encode())

    def without_counter(self) -> StatusBlob:
        """Return the blob for a client of 3.0, which gets random bytes for counter, window and hash."""
        filler = os.urandom(2)
        return replace(
            self,
            ctr_byte=filler[0],
            ctr_look_ahead=filler[1],
            ctr_data_hash=os.urandom(_HASH_LENGTH),
        )

    @property
    def upgrade_available(self) -> bool:
        """The server offers a newer version than the activation has."""
        return self.upgrade_version > self.current_version


def decrypt(
    transport_key: TransportKey, encrypted: bytes, challenge: bytes | None = None, nonce: bytes | None = None
) -> StatusBlob:
    """Decrypt and check a status as a client does (spec/protocol-v3.md §9.3).

    Without challenge (3.0) the counter fields are random and not checked.

    :raises DecryptionError: wrong key, or state or window out of range
    :raises EncodingError: blob, challenge or nonce has a wrong length
    """
    blob = decrypt_fields(transport_key, encrypted, challenge, nonce)
    if blob.activation_status not in _STATUSES:
        raise DecryptionError
    if challenge is not None and not 1 <= blob.ctr_look_ahead <= MAX_LOOK_AHEAD:
        raise DecryptionError
    return blob


def decrypt_fields(
    transport_key: TransportKey, encrypted: bytes, challenge: bytes | None = None, nonce: bytes | None = None
) -> StatusBlob:
    """Decrypt a status and check its magic number only.

    :raises DecryptionError: the magic number is wrong
    :raises EncodingError: blob, challenge or nonce has a wrong length
    """
    iv = status_iv(transport_key, challenge, nonce)
    plain = decrypt_cbc_unpadded(transport_key, iv, require_length(encrypted, BLOB_LENGTH))
    # The low nibble of the last magic byte is the format of the blob, 1 or later.
    if plain[:3] != _MAGIC[:3] or plain[3] & 0xF0 != _MAGIC[3] & 0xF0 or not plain[3] & 0x0F:
        raise DecryptionError
    return StatusBlob(
        activation_status=plain[4],
        current_version=plain[5],
        upgrade_version=plain[6],
        reserved=plain[7:12],
        ctr_byte=plain[12],
        failed_attempts=plain[13],
        max_failed_attempts=plain[14],
        ctr_look_ahead=plain[15],
        ctr_data_hash=plain[16:32],
    )


def random_blob() -> bytes:
    """Return what an unknown activation answers: 32 random bytes (spec/protocol-v3.md §9.2)."""
    return os.urandom(BLOB_LENGTH)


def status_iv(transport_key: TransportKey, challenge: bytes | None, nonce: bytes | None) -> bytes:
    """Return the 16-byte initialisation vector of a status (spec/protocol-v3.md §9.1).

    :raises EncodingError: only one of challenge and nonce is given, or one is not 16 bytes
    """
    if challenge is None and nonce is None:
        return ZERO_IV
    if challenge is None or nonce is None:
        raise EncodingError("challenge and nonce belong together")
    return keyed_iv(transport_iv_key(transport_key), challenge, nonce)


def keyed_iv(iv_key: bytes, challenge: bytes, nonce: bytes) -> bytes:
    """`status_iv` of a challenge, with a key that was derived before.

    :raises EncodingError: challenge or nonce is not 16 bytes
    """
    index = require_length(challenge, CHALLENGE_LENGTH) + require_length(nonce, NONCE_LENGTH)
    return kdf_internal(iv_key, index)
