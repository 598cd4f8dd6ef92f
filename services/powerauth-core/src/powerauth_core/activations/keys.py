"""Keys of activations: as stored, and decoded once for computations (spec/core-api.md §24)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from powerauth_core.kernel.errors import IncorrectActivationState, InvalidKeyFormat
from powerauth_core.kernel.records import RecordCipher, server_private_key_parts
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.generation import generation_of_activation
from powerauth_protocol.groups import Secrets, ServerKey
from servicekit.caching import Cache


class StoredKeys(Protocol):
    """The columns that an activation's keys are read from, whoever has read them.

    :ivar sound: the row is as this core left it
    """

    @property
    def activation_id(self) -> str: ...

    @property
    def user_id(self) -> str: ...

    @property
    def server_private_key_base64(self) -> str: ...

    @property
    def server_private_key_encryption(self) -> int: ...

    @property
    def device_public_key_base64(self) -> str | None: ...

    @property
    def version(self) -> int | None: ...

    @property
    def sound(self) -> bool: ...


class ExchangedKeys(StoredKeys, Protocol):
    """With the public key that the device was told."""

    @property
    def server_public_key_base64(self) -> str: ...


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class StoredKeyPair:
    """A server key pair as its columns hold it.

    :ivar private_key: Base64, encrypted at rest according to `encryption`
    :ivar encryption: number of the encryption mode
    :ivar public_key: Base64
    """

    private_key: str = field(repr=False)
    encryption: int
    public_key: str


class ActivationKeyCache:
    """Decoded keys of the activations used last; holds nothing that ever changes.

    The stored texts are part of the key, so a record that did change is decoded anew. For one thread.

    :param capacity: number of activations to keep
    """

    def __init__(self, cipher: RecordCipher, capacity: int) -> None:
        self._cipher = cipher
        self._entries: Cache[tuple[str, str, str], Secrets] = Cache(capacity)
        self._fingerprints: Cache[tuple[str, str, str], str] = Cache(capacity)

    def __len__(self) -> int:
        """Number of activations whose keys are kept."""
        return len(self._entries)

    def keys_of(self, activation: StoredKeys) -> Secrets:
        """The keys of an activation that has exchanged them.

        :raises IncorrectActivationState: the row is unsound, so its keys may be anybody's
        :raises InvalidKeyFormat: there is no device key, or a stored key cannot be read
        :raises MasterDbKeyMissing: the private key is encrypted and no master key is configured
        :raises UnsupportedEncryptionMode: the record's encryption mode is unknown
        """
        if not activation.sound:
            raise IncorrectActivationState()
        device_public = activation.device_public_key_base64
        if device_public is None:
            raise InvalidKeyFormat()
        name = (activation.activation_id, activation.server_private_key_base64, device_public)
        decoded = self._entries.get(name)
        if decoded is None:
            decoded = self._decode(activation, device_public)
            self._entries.put(name, decoded)
        return decoded

    def server_key(self, activation: StoredKeys) -> ServerKey:
        """The server private key; there is one also before the key exchange.

        :raises IncorrectActivationState: the row is unsound, so its keys may be anybody's
        :raises InvalidKeyFormat: the stored key cannot be read
        :raises MasterDbKeyMissing: it is encrypted and no master key is configured
        :raises UnsupportedEncryptionMode: the record's encryption mode is unknown
        """
        if activation.device_public_key_base64 is not None or not activation.sound:
            return self.keys_of(activation).server_private
        return read_server_key(self._cipher, activation)

    def fingerprint(self, activation: ExchangedKeys) -> str:
        """What both sides show of the public keys of an activation that has exchanged them.

        :raises InvalidKeyFormat: there is no device key, or a stored key cannot be read
        """
        device_public = activation.device_public_key_base64
        if device_public is None:
            raise InvalidKeyFormat()
        name = (activation.activation_id, activation.server_public_key_base64, device_public)
        known = self._fingerprints.get(name)
        if known is None:
            known = _fingerprint(activation, device_public)
            self._fingerprints.put(name, known)
        return known

    def _decode(self, activation: StoredKeys, device_public: str) -> Secrets:
        secrets = generation_of_activation(activation.version).secrets
        try:
            return secrets.read(_server_key(self._cipher, activation), b64decode(device_public))
        except (EncodingError, KeyFormatError):
            raise InvalidKeyFormat() from None


def _fingerprint(activation: ExchangedKeys, device_public: str) -> str:
    secrets = generation_of_activation(activation.version).secrets
    server_public = b64decode(activation.server_public_key_base64)
    try:
        return secrets.fingerprint(b64decode(device_public), server_public, activation.activation_id)
    except (EncodingError, KeyFormatError):
        raise InvalidKeyFormat() from None


def encrypt_server_key(
    cipher: RecordCipher, private: bytes, public: bytes, user_id: str, activation_id: str
) -> StoredKeyPair:
    """What to store of a server key pair; the private key is bound to user and activation at rest."""
    mode, encrypted = cipher.encrypt(server_private_key_parts(user_id, activation_id), private)
    return StoredKeyPair(encrypted, mode, b64encode(public))


def read_server_key(cipher: RecordCipher, activation: StoredKeys) -> ServerKey:
    """Read the stored server private key.

    :raises InvalidKeyFormat: it cannot be read
    :raises MasterDbKeyMissing: it is encrypted and no master key is configured
    :raises UnsupportedEncryptionMode: the record's encryption mode is unknown
    """
    server_keys = generation_of_activation(activation.version).server_keys
    try:
        return server_keys.read(_server_key(cipher, activation))
    except KeyFormatError:
        raise InvalidKeyFormat() from None


def _server_key(cipher: RecordCipher, activation: StoredKeys) -> bytes:
    return cipher.decrypt(
        activation.server_private_key_encryption,
        server_private_key_parts(activation.user_id, activation.activation_id),
        activation.server_private_key_base64,
    )
