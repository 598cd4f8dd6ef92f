"""Secrets of database rows, encrypted and bound to their row (spec/core-api.md §24, D5, D13)."""

from collections.abc import Sequence

from powerauth_core.kernel.errors import (
    CoreError,
    InvalidKeyFormat,
    MasterDbKeyMissing,
    UnsupportedEncryptionMode,
)
from powerauth_protocol.common.errors import (
    EncodingError,
    RecordDecryptionFailed,
    RecordKeyMissing,
    RecordModeUnknown,
    RecordTooShort,
)
from powerauth_protocol.common.record_encryption import (
    EncryptionMode,
    ValueKind,
    decrypt_record,
    encrypt_record,
)
from servicekit.master_keys import MasterKeys

_ERRORS: dict[type[Exception], type[CoreError]] = {
    RecordKeyMissing: MasterDbKeyMissing,
    RecordModeUnknown: UnsupportedEncryptionMode,
    RecordTooShort: InvalidKeyFormat,
    RecordDecryptionFailed: InvalidKeyFormat,
    EncodingError: InvalidKeyFormat,
}


class RecordCipher:
    """Encrypts with the master key, or stores in clear without one; reads both, and what is of other keys.

    :ivar keys: the master keys
    """

    def __init__(self, keys: MasterKeys, *, reads_clear: bool = True) -> None:
        """
        :param keys: new records are of the current one; without, they are stored unencrypted
        :param reads_clear: take secrets in clear although there is a master key; anybody who can write to the
            database can have put them there
        """
        self.keys = keys
        self._reads_clear = reads_clear or keys.current is None

    @property
    def encrypts(self) -> bool:
        """Whether new records are encrypted."""
        return self.keys.current is not None

    def encrypt(self, parts: Sequence[str], plaintext: bytes) -> tuple[int, str]:
        """Mode number and column text of a binary secret (unencrypted: its Base64)."""
        mode, stored = self._encrypt(parts, plaintext, ValueKind.BINARY)
        return int(mode), stored

    def decrypt(self, mode: int | None, parts: Sequence[str], stored: str) -> bytes:
        """The raw bytes of a binary secret.

        :raises MasterDbKeyMissing: the record is encrypted with a key that is not configured
        :raises UnsupportedEncryptionMode: the mode is missing or unknown
        :raises InvalidKeyFormat: the stored text is damaged or belongs to another row
        """
        return self._decrypt(mode, parts, stored, ValueKind.BINARY)

    def encrypt_text(self, parts: Sequence[str], text: str) -> tuple[EncryptionMode, str]:
        """Mode and column text of a text value (unencrypted: the text itself).

        Integer mode columns take ``mode.value``, text columns ``mode.name``.
        """
        return self._encrypt(parts, text.encode(), ValueKind.TEXT)

    def decrypt_text(self, mode: int | str | None, parts: Sequence[str], stored: str) -> str:
        """A text value by its mode as stored, number or name. Raises as `decrypt`."""
        if isinstance(mode, str):
            try:
                mode = EncryptionMode[mode].value
            except KeyError:
                raise UnsupportedEncryptionMode from None
        try:
            return self._decrypt(mode, parts, stored, ValueKind.TEXT).decode()
        except UnicodeDecodeError:  # of a wrong row or damaged, and the padding fits by chance
            raise InvalidKeyFormat from None

    def _encrypt(self, parts: Sequence[str], plain: bytes, kind: ValueKind) -> tuple[EncryptionMode, str]:
        mode, stored = encrypt_record(self.keys.current, parts, plain, kind)
        return mode, stored if mode is EncryptionMode.NO_ENCRYPTION else self.keys.prefix + stored

    def _decrypt(self, mode: int | None, parts: Sequence[str], stored: str, kind: ValueKind) -> bytes:
        if mode == EncryptionMode.NO_ENCRYPTION.value and not self._reads_clear:
            raise UnsupportedEncryptionMode
        key = None
        if mode == EncryptionMode.AES_HMAC:
            key, stored = self.keys.opening(stored)
        try:
            return decrypt_record(key, mode, parts, stored, kind)
        except tuple(_ERRORS) as error:
            raise _ERRORS[type(error)] from None


def master_key_parts(application_rid: int, key_rid: int) -> tuple[str, ...]:
    """Derivation parts of a master private key (D13)."""
    return "master", str(application_rid), str(key_rid)


def application_secret_parts(application_key: str) -> tuple[str, ...]:
    """Derivation parts of an application secret (D13)."""
    return "app-version", application_key


def token_secret_parts(token_id: str, activation_id: str) -> tuple[str, ...]:
    """Derivation parts of a token secret (D13)."""
    return "token", token_id, activation_id


def operation_number_parts(operation_id: str) -> tuple[str, ...]:
    """Derivation parts of the number that an operation is approved with (D13)."""
    return "operation-number", operation_id


def integration_secret_parts(integration_id: str) -> tuple[str, ...]:
    """Derivation parts of an integration's client secret (D13)."""
    return "integration", integration_id


def server_private_key_parts(user_id: str, activation_id: str) -> tuple[str, ...]:
    """Derivation parts of an activation's server private key (§24)."""
    return user_id, activation_id


def temporary_key_parts(key_id: str, application_key: str, activation_id: str | None) -> tuple[str, ...]:
    """Derivation parts of a temporary private key (§24)."""
    return (key_id, application_key) if activation_id is None else (key_id, application_key, activation_id)


def recovery_puk_parts(
    application_rid: int, user_id: str, recovery_code: str, puk_index: int
) -> tuple[str, ...]:
    """Derivation parts of a PUK hash (§24)."""
    return str(application_rid), user_id, recovery_code, str(puk_index)


def postcard_key_parts(application_rid: int) -> tuple[str, ...]:
    """Derivation parts of a postcard private key (§24)."""
    return (str(application_rid),)


def application_text_parts(application_id: str) -> tuple[str, ...]:
    """Derivation parts of configuration values and of a callback's authentication (§24)."""
    return (application_id,)


def chain_key_parts(key_id: str) -> tuple[str, ...]:
    """Derivation parts of the key of the audit's chains of an earlier master key (D34)."""
    return "audit-chain", key_id


def statement_key_parts(key_id: str) -> tuple[str, ...]:
    """Derivation parts of the private key that signs statements about devices (D1 rule 5)."""
    return "statement", key_id


def jwt_key_parts(kid: str, application_rid: int | None) -> tuple[str, ...]:
    """Derivation parts of a private key that signs tokens (spec/device-trust.md §2.6)."""
    return "jwt-key", kid, "" if application_rid is None else str(application_rid)


def oidc_secret_parts(client_id: str) -> tuple[str, ...]:
    """Derivation parts of the hash of an OpenID client's secret (spec/device-trust.md §2.5)."""
    return "oidc-client", client_id


def jwt_session_parts(session_id: str) -> tuple[str, ...]:
    """Derivation parts of what a session's refresh tokens are made of (spec/device-trust.md §2.5)."""
    return "jwt-session", session_id
