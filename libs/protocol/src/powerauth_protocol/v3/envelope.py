"""The ECIES objects on the wire and their formal check (spec/protocol-v3.md §5.6, §5.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, EnvelopeFormatError
from powerauth_protocol.v3.versions import ProtocolVersion

_MAX_TIMESTAMP = (1 << 63) - 1

_REQUEST_FIELDS = frozenset(
    ("temporaryKeyId", "ephemeralPublicKey", "encryptedData", "mac", "nonce", "timestamp")
)
_RESPONSE_FIELDS = frozenset(("encryptedData", "mac", "nonce", "timestamp"))


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class EciesRequest:
    """An encrypted request.

    :ivar temporary_key_id: id of the temporary key (3.3), else None
    :ivar ephemeral_public_key: encoded point exactly as transmitted, 33 or 65 bytes
    :ivar encrypted_data: ciphertext, whole AES blocks
    :ivar mac: 32 bytes
    :ivar nonce: 16 bytes (3.1 and later), else None
    :ivar timestamp: ms since the epoch (3.2 and later), else None
    """

    temporary_key_id: str | None
    ephemeral_public_key: bytes
    encrypted_data: bytes
    mac: bytes
    nonce: bytes | None
    timestamp: int | None

    def to_json_dict(self) -> dict[str, Any]:
        """Return the JSON members; absent ones are left out."""
        members = {
            "temporaryKeyId": self.temporary_key_id,
            "ephemeralPublicKey": b64encode(self.ephemeral_public_key),
            "encryptedData": b64encode(self.encrypted_data),
            "mac": b64encode(self.mac),
            "nonce": _b64_or_none(self.nonce),
            "timestamp": self.timestamp,
        }
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def from_json_dict(cls, members: Mapping[str, Any], version: ProtocolVersion) -> EciesRequest:
        """Read the JSON members strictly; null equals absent, unknown members are refused.

        :raises EnvelopeFormatError: a member is missing, unexpected in this version, unknown or malformed
        """
        _refuse_unknown(members, _REQUEST_FIELDS)
        request = cls(
            temporary_key_id=_text(members, "temporaryKeyId"),
            ephemeral_public_key=_required_bytes(members, "ephemeralPublicKey"),
            encrypted_data=_required_bytes(members, "encryptedData"),
            mac=_required_bytes(members, "mac"),
            nonce=_bytes(members, "nonce"),
            timestamp=_timestamp(members),
        )
        request.check(version)
        return request

    def check(self, version: ProtocolVersion) -> None:
        """Check that exactly the fields of this version are present.

        :raises EnvelopeFormatError: one is missing or not allowed
        """
        _presence("temporaryKeyId", self.temporary_key_id, version.facts.temporary_keys)
        _presence("nonce", self.nonce, version.facts.request_nonce)
        _presence("timestamp", self.timestamp, version.facts.timestamp)


# Not frozen either.
@dataclass(slots=True)
class EciesResponse:
    """An encrypted response.

    :ivar encrypted_data: ciphertext, whole AES blocks
    :ivar mac: 32 bytes
    :ivar nonce: 16 bytes (3.2 and later), else None
    :ivar timestamp: ms since the epoch (3.2 and later), else None
    """

    encrypted_data: bytes
    mac: bytes
    nonce: bytes | None
    timestamp: int | None

    def to_json_dict(self) -> dict[str, Any]:
        """Return the JSON members; absent ones are left out."""
        members = {
            "encryptedData": b64encode(self.encrypted_data),
            "mac": b64encode(self.mac),
            "nonce": _b64_or_none(self.nonce),
            "timestamp": self.timestamp,
        }
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def from_json_dict(cls, members: Mapping[str, Any], version: ProtocolVersion) -> EciesResponse:
        """Read the JSON members strictly; null equals absent, unknown members are refused.

        :raises EnvelopeFormatError: a member is missing, unexpected in this version, unknown or malformed
        """
        _refuse_unknown(members, _RESPONSE_FIELDS)
        response = cls(
            encrypted_data=_required_bytes(members, "encryptedData"),
            mac=_required_bytes(members, "mac"),
            nonce=_bytes(members, "nonce"),
            timestamp=_timestamp(members),
        )
        response.check(version)
        return response

    def check(self, version: ProtocolVersion) -> None:
        """Check that exactly the fields of this version are present.

        :raises EnvelopeFormatError: one is missing or not allowed
        """
        _presence("nonce", self.nonce, version.facts.response_nonce)
        _presence("timestamp", self.timestamp, version.facts.timestamp)


def _presence(name: str, value: object, expected: bool) -> None:
    if (value is not None) != expected:
        raise EnvelopeFormatError(f"{name} is {'missing' if expected else 'not allowed'}")


def _refuse_unknown(members: Mapping[str, Any], known: frozenset[str]) -> None:
    if not isinstance(members, Mapping):
        raise EnvelopeFormatError("not an object")
    if not known.issuperset(members):
        raise EnvelopeFormatError("unknown member")


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise EnvelopeFormatError(f"{name} is not a text")
    return value


def _bytes(members: Mapping[str, Any], name: str) -> bytes | None:
    text = members.get(name)
    if text is None:
        return None
    try:
        return b64decode(text)
    except EncodingError:
        raise EnvelopeFormatError(f"{name} is not Base64") from None


def _required_bytes(members: Mapping[str, Any], name: str) -> bytes:
    value = _bytes(members, name)
    if value is None:
        raise EnvelopeFormatError(f"{name} is missing")
    return value


def _timestamp(members: Mapping[str, Any]) -> int | None:
    value = members.get("timestamp")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_TIMESTAMP:
        raise EnvelopeFormatError("timestamp is not a number of milliseconds")
    return value


def _b64_or_none(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data)
