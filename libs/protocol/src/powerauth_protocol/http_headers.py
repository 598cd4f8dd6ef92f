"""The three PowerAuth HTTP headers: syntax and validation (spec/protocol-v3.md §7.1, §7.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from powerauth_protocol.encoding import b64decode
from powerauth_protocol.errors import EncodingError, HeaderError
from powerauth_protocol.scope import Scope
from powerauth_protocol.signature import SignatureType
from powerauth_protocol.versions import ProtocolVersion

AUTHORIZATION_HEADER = "X-PowerAuth-Authorization"
ENCRYPTION_HEADER = "X-PowerAuth-Encryption"
TOKEN_HEADER = "X-PowerAuth-Token"  # noqa: S105 - a header name

AUTHORIZATION_FIELDS = (
    "pa_activation_id",
    "pa_application_key",
    "pa_nonce",
    "pa_signature_type",
    "pa_signature",
    "pa_version",
)
ENCRYPTION_FIELDS = ("application_key", "activation_id", "version")
TOKEN_FIELDS = ("token_id", "token_digest", "nonce", "timestamp", "version")

_PREFIX = "PowerAuth "
_TRIMMED = "".join(map(chr, range(0x21)))
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s"]\S*))', re.ASCII)
_UNSAFE_VALUE = re.compile(r'["\x00-\x1f\x7f]')
_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
_DECIMAL_CODE = re.compile(r"[0-9]{8}(-[0-9]{8}){0,2}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{9,15}", re.ASCII)
_DECIMAL_CODE_LENGTHS = frozenset((8, 17, 26))
_BASE64_CODE_LENGTHS = frozenset((24, 44, 64))
_SIGNATURE_TYPES = frozenset(kind.value for kind in SignatureType)
_VERSIONS = frozenset(version.value for version in ProtocolVersion)


@dataclass(frozen=True, slots=True)
class SignatureHeader:
    """``X-PowerAuth-Authorization``, every field as transmitted."""

    activation_id: str
    application_key: str
    nonce: str
    signature_type: str
    signature: str
    version: str

    def build(self) -> str:
        """Return the header value.

        :raises EncodingError: a value holds a quote or a control character
        """
        values = (
            self.activation_id,
            self.application_key,
            self.nonce,
            self.signature_type,
            self.signature,
            self.version,
        )
        return _build(AUTHORIZATION_FIELDS, values)


@dataclass(frozen=True, slots=True)
class EncryptionHeader:
    """``X-PowerAuth-Encryption``; `activation_id` only in activation scope."""

    application_key: str
    activation_id: str | None
    version: str

    def build(self) -> str:
        """Return the header value.

        :raises EncodingError: a value holds a quote or a control character
        """
        return _build(ENCRYPTION_FIELDS, (self.application_key, self.activation_id, self.version))


@dataclass(frozen=True, slots=True)
class TokenHeader:
    """``X-PowerAuth-Token``; `timestamp` is milliseconds as decimal text."""

    token_id: str
    token_digest: str
    nonce: str
    timestamp: str
    version: str

    def build(self) -> str:
        """Return the header value.

        :raises EncodingError: a value holds a quote or a control character
        """
        values = (self.token_id, self.token_digest, self.nonce, self.timestamp, self.version)
        return _build(TOKEN_FIELDS, values)


def parse_fields(text: str | None) -> dict[str, str]:
    """Return the attributes of a header value without judging them.

    Without the prefix, or without pairs, there are none. The last duplicate wins.
    """
    stripped = (text or "").strip(_TRIMMED)
    if not stripped.startswith(_PREFIX):
        return {}
    return {name: quoted or plain for name, quoted, plain in _PAIR.findall(stripped[len(_PREFIX) :])}


def parse_signature_header(text: str | None) -> SignatureHeader:
    """Parse and validate ``X-PowerAuth-Authorization``; the first failed check stops.

    :raises HeaderError: with the name of the failed check
    """
    get = _Reader(parse_fields(text))
    activation_id = get("pa_activation_id", "POWER_AUTH_ACTIVATION_ID", is_uuid)
    nonce = get("pa_nonce", "POWER_AUTH_NONCE", _is_base64_16)
    signature_type = get("pa_signature_type", "POWER_AUTH_SIGNATURE_TYPE", _is_signature_type)
    signature = get("pa_signature", "POWER_AUTH_SIGNATURE", _is_signature)
    application_key = get("pa_application_key", "POWER_AUTH_APPLICATION", _is_base64_16)
    version = get("pa_version", "POWER_AUTH_SIGNATURE_VERSION", _is_version)
    return SignatureHeader(activation_id, application_key, nonce, signature_type, signature, version)


def parse_encryption_header(text: str | None, scope: Scope) -> EncryptionHeader:
    """Parse and validate ``X-PowerAuth-Encryption`` for a scope; the first failed check stops.

    :raises HeaderError: with the name of the failed check
    """
    fields = parse_fields(text)
    get = _Reader(fields)
    application_key = get("application_key", "POWER_AUTH_ENCRYPTION_APPLICATION_KEY", _is_base64_16)
    activation_id: str | None = None
    if scope == Scope.ACTIVATION:
        activation_id = get(
            "activation_id", "POWER_AUTH_ENCRYPTION_ACTIVATION_ID", is_uuid, missing="MISSING"
        )
    elif "activation_id" in fields:
        raise HeaderError("activation_id", "POWER_AUTH_ENCRYPTION_ACTIVATION_ID_NOT_EXPECTED")
    version = get("version", "POWER_AUTH_ENCRYPTION_VERSION", _is_version)
    return EncryptionHeader(application_key, activation_id, version)


def parse_token_header(text: str | None) -> TokenHeader:
    """Parse and validate ``X-PowerAuth-Token``; the first failed check stops.

    :raises HeaderError: with the name of the failed check
    """
    get = _Reader(parse_fields(text))
    return TokenHeader(
        token_id=get("token_id", "POWER_AUTH_TOKEN_ID", is_uuid),
        token_digest=get("token_digest", "POWER_AUTH_TOKEN_DIGEST", _is_base64_32),
        nonce=get("nonce", "POWER_AUTH_TOKEN_NONCE", _is_base64_16),
        timestamp=get("timestamp", "POWER_AUTH_TOKEN_TIMESTAMP", _is_timestamp),
        version=get("version", "POWER_AUTH_TOKEN_VERSION", _is_version),
    )


def is_uuid(text: str) -> bool:
    """True for a UUID of version 1 to 5 in any case, as identifiers in headers must be."""
    return _UUID.fullmatch(text) is not None


class _Reader:
    """Reads one field after the other and names the check that failed."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def __call__(self, name: str, code: str, valid: Callable[[str], bool], *, missing: str = "EMPTY") -> str:
        value = self._fields.get(name)
        if value is None:
            raise HeaderError(name, f"{code}_{missing}")
        if not valid(value):
            raise HeaderError(name, f"{code}_INVALID")
        return value


def _build(names: tuple[str, ...], values: tuple[str | None, ...]) -> str:
    pairs = []
    for name, value in zip(names, values, strict=True):
        if value is None:
            continue
        if _UNSAFE_VALUE.search(value):
            raise EncodingError(f"{name} cannot stand in a header")
        pairs.append(f'{name}="{value}"')
    return _PREFIX + ", ".join(pairs)


def _is_base64(text: str, length: int) -> bool:
    try:
        b64decode(text, length)
    except EncodingError:
        return False
    return True


def _is_base64_16(text: str) -> bool:
    return _is_base64(text, 16)


def _is_base64_32(text: str) -> bool:
    return _is_base64(text, 32)


def _is_signature_type(text: str) -> bool:
    return text.isascii() and text.lower() in _SIGNATURE_TYPES


def _is_signature(text: str) -> bool:
    if len(text) in _DECIMAL_CODE_LENGTHS:
        return _DECIMAL_CODE.fullmatch(text) is not None
    return len(text) in _BASE64_CODE_LENGTHS and _is_base64(text, len(text) // 4 * 3 - text[-2:].count("="))


def _is_timestamp(text: str) -> bool:
    return _TIMESTAMP.fullmatch(text) is not None


def _is_version(text: str) -> bool:
    return text in _VERSIONS
