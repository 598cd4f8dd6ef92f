"""The three PowerAuth HTTP headers: syntax and validation (spec/protocol-v3.md §7.1, §7.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from powerauth_protocol.common.errors import EncodingError, HeaderError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion

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
# A word without a value is a match of its own: every character is passed over once.
_WORD = re.compile(r'(\w+)(=(?:"([^"]*)"|([^\s"]\S*)))?', re.ASCII)
MAX_LENGTH = 2_048
"""Most characters of a header; a longer one is malformed (D28)."""
_UNSAFE_VALUE = re.compile(r'["\x00-\x1f\x7f]')
_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
_LAST_OF_16 = "[A-Za-z0-9+/][AQgw]=="
_LAST_OF_32 = "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]="
_BASE64_16 = re.compile(rf"[A-Za-z0-9+/]{{20}}{_LAST_OF_16}")
_BASE64_32 = re.compile(rf"[A-Za-z0-9+/]{{40}}{_LAST_OF_32}")
# Canonical Base64: the bits that padding leaves over are zero, so one value has one text.
_SIGNATURE = re.compile(
    r"[0-9]{8}(?:-[0-9]{8}){0,2}"
    r"|(?=(?:.{24}|.{44}|.{64})\Z)"
    rf"(?:[A-Za-z0-9+/]{{4}})*(?:{_LAST_OF_16}|{_LAST_OF_32}|[A-Za-z0-9+/]{{4}})"
)
_SIGNATURE_TYPE = re.compile("|".join(kind.value for kind in SignatureType), re.ASCII | re.IGNORECASE)
_TIMESTAMP = re.compile(r"[0-9]{9,15}", re.ASCII)
_VERSIONS = frozenset(version.value for version in ProtocolVersion)

_Rule = tuple[str, str, Callable[[str], object]]
"""A field, the name of its check, and what is true of a valid value."""

_SIGNATURE_RULES: tuple[_Rule, ...] = (
    ("pa_activation_id", "POWER_AUTH_ACTIVATION_ID", _UUID.fullmatch),
    ("pa_nonce", "POWER_AUTH_NONCE", _BASE64_16.fullmatch),
    ("pa_signature_type", "POWER_AUTH_SIGNATURE_TYPE", _SIGNATURE_TYPE.fullmatch),
    ("pa_signature", "POWER_AUTH_SIGNATURE", _SIGNATURE.fullmatch),
    ("pa_application_key", "POWER_AUTH_APPLICATION", _BASE64_16.fullmatch),
    ("pa_version", "POWER_AUTH_SIGNATURE_VERSION", _VERSIONS.__contains__),
)
_TOKEN_RULES: tuple[_Rule, ...] = (
    ("token_id", "POWER_AUTH_TOKEN_ID", _UUID.fullmatch),
    ("token_digest", "POWER_AUTH_TOKEN_DIGEST", _BASE64_32.fullmatch),
    ("nonce", "POWER_AUTH_TOKEN_NONCE", _BASE64_16.fullmatch),
    ("timestamp", "POWER_AUTH_TOKEN_TIMESTAMP", _TIMESTAMP.fullmatch),
    ("version", "POWER_AUTH_TOKEN_VERSION", _VERSIONS.__contains__),
)
_APPLICATION_KEY: _Rule = (
    "application_key",
    "POWER_AUTH_ENCRYPTION_APPLICATION_KEY",
    _BASE64_16.fullmatch,
)
_ACTIVATION_ID: _Rule = ("activation_id", "POWER_AUTH_ENCRYPTION_ACTIVATION_ID", _UUID.fullmatch)
_VERSION: _Rule = ("version", "POWER_AUTH_ENCRYPTION_VERSION", _VERSIONS.__contains__)


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class SignatureHeader:
    """``X-PowerAuth-Authorization``, every field as transmitted."""

    activation_id: str
    application_key: str
    nonce: str
    signature_type: str
    signature: str
    version: str

    @classmethod
    def of(cls, fields: Mapping[str, str | None]) -> SignatureHeader:
        """The header with these fields, by wire name; the first failed check stops.

        :raises HeaderError: with the name of the failed check
        """
        activation_id, nonce, signature_type, signature, application_key, version = _read(
            fields, _SIGNATURE_RULES
        )
        return SignatureHeader(activation_id, application_key, nonce, signature_type, signature, version)

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

    @classmethod
    def of(cls, fields: Mapping[str, str | None], scope: Scope) -> EncryptionHeader:
        """The header of a scope with these fields, by wire name; the first failed check stops.

        :raises HeaderError: with the name of the failed check
        """
        (application_key,) = _read(fields, (_APPLICATION_KEY,))
        activation_id: str | None = None
        if scope == Scope.ACTIVATION:
            (activation_id,) = _read(fields, (_ACTIVATION_ID,), missing="MISSING")
        elif "activation_id" in fields:
            raise HeaderError("activation_id", "POWER_AUTH_ENCRYPTION_ACTIVATION_ID_NOT_EXPECTED")
        (version,) = _read(fields, (_VERSION,))
        return EncryptionHeader(application_key, activation_id, version)

    def build(self) -> str:
        """Return the header value.

        :raises EncodingError: a value holds a quote or a control character
        """
        return _build(ENCRYPTION_FIELDS, (self.application_key, self.activation_id, self.version))


@dataclass(slots=True)
class TokenHeader:
    """``X-PowerAuth-Token``; `timestamp` is milliseconds as decimal text."""

    token_id: str
    token_digest: str
    nonce: str
    timestamp: str
    version: str

    @classmethod
    def of(cls, fields: Mapping[str, str | None]) -> TokenHeader:
        """The header with these fields, by wire name; the first failed check stops.

        :raises HeaderError: with the name of the failed check
        """
        return TokenHeader(*_read(fields, _TOKEN_RULES))

    def build(self) -> str:
        """Return the header value.

        :raises EncodingError: a value holds a quote or a control character
        """
        values = (self.token_id, self.token_digest, self.nonce, self.timestamp, self.version)
        return _build(TOKEN_FIELDS, values)


def parse_fields(text: str | None) -> dict[str, str]:
    """Return the attributes of a header value without judging them.

    Without the prefix, without pairs, or with more than `MAX_LENGTH` characters, there are none. The last
    duplicate wins.
    """
    if text is None or len(text) > MAX_LENGTH:
        return {}
    stripped = text.strip(_TRIMMED)
    if not stripped.startswith(_PREFIX):
        return {}
    words = _WORD.findall(stripped, len(_PREFIX))
    return {name: quoted or plain for name, value, quoted, plain in words if value}


def is_uuid(text: str) -> bool:
    """True for a UUID of version 1 to 5 in any case, as identifiers in headers must be."""
    return _UUID.fullmatch(text) is not None


def _read(fields: Mapping[str, str | None], rules: tuple[_Rule, ...], *, missing: str = "EMPTY") -> list[str]:
    """Return the values of some fields in the order of their rules; the first failed check is named."""
    values = []
    for name, code, valid in rules:
        value = fields.get(name)
        if value is None:
            raise HeaderError(name, f"{code}_{missing}")
        if not valid(value):
            raise HeaderError(name, f"{code}_INVALID")
        values.append(value)
    return values


def _build(names: tuple[str, ...], values: tuple[str | None, ...]) -> str:
    pairs = []
    for name, value in zip(names, values, strict=True):
        if value is None:
            continue
        if _UNSAFE_VALUE.search(value):
            raise EncodingError(f"{name} cannot stand in a header")
        pairs.append(f'{name}="{value}"')
    return _PREFIX + ", ".join(pairs)
