"""Everything this library raises: one tree, so that a caller can refuse bad input with one `except`."""


class ProtocolError(Exception):
    """Base of every error of the protocol library."""


class VersionError(ProtocolError):
    """The protocol version is unknown."""


class EncodingError(ProtocolError):
    """A text or a byte string has the wrong form or length."""


class KeyFormatError(ProtocolError):
    """A key has a wrong length or encoding, or is not a point of the curve."""


class HeaderError(ProtocolError):
    """An HTTP header field is missing or malformed (spec/protocol-v3.md §7.2).

    :ivar field: wire name of the first field that failed
    :ivar code: name of the failed check, e.g. ``POWER_AUTH_NONCE_INVALID``
    """

    def __init__(self, field: str, code: str) -> None:
        super().__init__(code)
        self.field = field
        self.code = code


class EnvelopeFormatError(ProtocolError):
    """An ECIES object has missing, unexpected or malformed fields (spec/protocol-v3.md §5.6, §5.7)."""


class EnvelopeStateError(ProtocolError):
    """An envelope was used more than once, or a response came before its request."""


class DecryptionError(ProtocolError):
    """Opening failed. Key, MAC and padding failures look alike on purpose (spec/protocol-v3.md §15)."""

    def __init__(self, message: str = "decryption failed") -> None:
        super().__init__(message)


class SignatureError(ProtocolError):
    """A signature cannot be computed from these keys, counter or length (spec/protocol-v3.md §8.4)."""


class TokenFormatError(ProtocolError):
    """A JSON Web Token of the key store is malformed or not signed by the expected key."""


class RecordError(ProtocolError):
    """A database record cannot be read (spec/core-api.md §24)."""


class RecordKeyMissing(RecordError):
    """The record is encrypted and no master key is configured."""


class RecordModeUnknown(RecordError):
    """The record's encryption mode is missing or unknown."""


class RecordTooShort(RecordError):
    """The stored value is shorter than an initialisation vector."""


class RecordDecryptionFailed(RecordError):
    """The ciphertext does not decrypt under this key and context."""
