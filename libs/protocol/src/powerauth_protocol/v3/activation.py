"""Plaintexts of the activation key exchange, layers 1 and 2 (spec/protocol-v3.md §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import characters, read_json_object, write_json
from powerauth_protocol.v3.envelope import EciesRequest, EciesResponse
from powerauth_protocol.v3.versions import ProtocolVersion

CTR_DATA_LENGTH = 16


class ActivationType(StrEnum):
    """How the user is identified; the JSON member is ``type``."""

    CODE = "CODE"
    CUSTOM = "CUSTOM"
    DIRECT = "DIRECT"
    RECOVERY = "RECOVERY"


@dataclass(frozen=True, slots=True)
class ActivationLayer1Request:
    """Layer 1 request, decrypted by the edge.

    :ivar activation_data: the still encrypted layer 2 request
    :ivar custom_attributes: empty if absent or null
    """

    type: ActivationType
    identity_attributes: Mapping[str, str] = field(repr=False)
    activation_data: EciesRequest
    custom_attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_json(self) -> bytes:
        """Write the plaintext."""
        members: dict[str, Any] = {
            "type": self.type.value,
            "identityAttributes": dict(self.identity_attributes),
            "activationData": self.activation_data.to_json_dict(),
        }
        if self.custom_attributes:
            members["customAttributes"] = dict(self.custom_attributes)
        return write_json(members)

    @classmethod
    def from_json(cls, data: bytes, version: ProtocolVersion) -> ActivationLayer1Request:
        """Read the plaintext; unknown members are ignored, except inside ``activationData``.

        :param version: of the HTTP header, which also rules layer 2
        :raises EncodingError: not JSON, or a member is missing or of a wrong type
        :raises EnvelopeFormatError: ``activationData`` does not fit the version
        """
        members = read_json_object(data)
        try:
            activation_type = ActivationType(_required_text(members, "type"))
        except ValueError:
            raise EncodingError("unknown activation type") from None
        identity = _object(members, "identityAttributes")
        if not identity or not all(isinstance(value, str) for value in identity.values()):
            raise EncodingError("identityAttributes must map texts to texts")
        return cls(
            type=activation_type,
            identity_attributes=identity,
            activation_data=EciesRequest.from_json_dict(_object(members, "activationData"), version),
            custom_attributes=_optional_object(members, "customAttributes") or {},
        )


@dataclass(frozen=True, slots=True)
class ActivationLayer1Response:
    """Layer 1 response.

    :ivar activation_data: the encrypted layer 2 response
    :ivar user_info: claims, or None
    """

    activation_data: EciesResponse
    custom_attributes: Mapping[str, Any] | None = field(default=None, repr=False)
    user_info: Mapping[str, Any] | None = field(default=None, repr=False)

    def to_json(self) -> bytes:
        """Write the plaintext; null members are written (D19)."""
        return write_json(
            {
                "activationData": self.activation_data.to_json_dict(),
                "customAttributes": _copied(self.custom_attributes),
                "userInfo": _copied(self.user_info),
            }
        )

    @classmethod
    def from_json(cls, data: bytes, version: ProtocolVersion) -> ActivationLayer1Response:
        """Read the plaintext; unknown members are ignored, except inside ``activationData``.

        :raises EncodingError: not JSON, or a member is missing or of a wrong type
        :raises EnvelopeFormatError: ``activationData`` does not fit the version
        """
        members = read_json_object(data)
        return cls(
            activation_data=EciesResponse.from_json_dict(_object(members, "activationData"), version),
            custom_attributes=_optional_object(members, "customAttributes"),
            user_info=_optional_object(members, "userInfo"),
        )


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class ActivationLayer2Request:
    """Layer 2 request, decrypted by the core.

    :ivar device_public_key: encoded point, 33 or 65 bytes, not yet validated
    :ivar activation_otp: activation OTP, meaningful with type CODE only
    """

    device_public_key: bytes
    activation_name: str | None = None
    activation_otp: str | None = field(default=None, repr=False)
    external_id: str | None = None
    extras: str | None = None
    platform: str | None = None
    device_info: str | None = None

    def to_json(self) -> bytes:
        """Write the plaintext; absent members are left out."""
        members = {
            "devicePublicKey": b64encode(self.device_public_key),
            "activationName": self.activation_name,
            "activationOtp": self.activation_otp,
            "externalId": self.external_id,
            "extras": self.extras,
            "platform": self.platform,
            "deviceInfo": self.device_info,
        }
        return write_json({name: value for name, value in members.items() if value is not None})

    @classmethod
    def from_json(cls, data: bytes) -> ActivationLayer2Request:
        """Read the plaintext; unknown members are ignored.

        An absent or blank device key gives empty bytes, so that the caller can tell it (``ERR0024``) from
        a malformed one (`DeviceKeyFormatError`, ``ERR0010``).

        Free texts may be numbers or booleans, which stand for their characters; key and OTP may not (D26).

        :raises DeviceKeyFormatError: ``devicePublicKey`` is not Base64
        :raises EncodingError: not JSON, or a member is of a wrong type
        """
        members = read_json_object(data)
        encoded = _optional_text(members, "devicePublicKey")
        return cls(
            device_public_key=_device_key(encoded) if encoded and encoded.strip() else b"",
            activation_name=_free_text(members, "activationName"),
            activation_otp=_optional_text(members, "activationOtp"),
            external_id=_free_text(members, "externalId"),
            extras=_free_text(members, "extras"),
            platform=_free_text(members, "platform"),
            device_info=_free_text(members, "deviceInfo"),
        )


@dataclass(frozen=True, slots=True)
class ActivationRecovery:
    """A recovery code and its PUK, issued with an activation."""

    recovery_code: str = field(repr=False)
    puk: str = field(repr=False)


# Not frozen either.
@dataclass(slots=True)
class ActivationLayer2Response:
    """Layer 2 response.

    :ivar server_public_key: uncompressed point, 65 bytes
    :ivar ctr_data: first counter value, 16 bytes
    """

    activation_id: str
    server_public_key: bytes
    ctr_data: bytes = field(repr=False)
    activation_recovery: ActivationRecovery | None = None

    def to_json(self) -> bytes:
        """Write the plaintext; a null ``activationRecovery`` is written (D19)."""
        recovery = self.activation_recovery
        return write_json(
            {
                "activationId": self.activation_id,
                "serverPublicKey": b64encode(self.server_public_key),
                "ctrData": b64encode(self.ctr_data),
                "activationRecovery": None
                if recovery is None
                else {"recoveryCode": recovery.recovery_code, "puk": recovery.puk},
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> ActivationLayer2Response:
        """Read the plaintext; unknown members are ignored.

        :raises EncodingError: not JSON, or a member is missing, of a wrong type or of a wrong length
        """
        members = read_json_object(data)
        recovery = _optional_object(members, "activationRecovery")
        return cls(
            activation_id=_required_text(members, "activationId"),
            server_public_key=b64decode(_required_text(members, "serverPublicKey")),
            ctr_data=b64decode(_required_text(members, "ctrData"), CTR_DATA_LENGTH),
            activation_recovery=None
            if recovery is None
            else ActivationRecovery(
                _required_text(recovery, "recoveryCode"), _required_text(recovery, "puk")
            ),
        )


class DeviceKeyFormatError(EncodingError):
    """``devicePublicKey`` is not Base64."""


def _device_key(encoded: str) -> bytes:
    try:
        return b64decode(encoded)
    except EncodingError:
        raise DeviceKeyFormatError("devicePublicKey is not Base64") from None


def _optional_text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise EncodingError(f"{name} is not a text")
    return value


def _free_text(members: Mapping[str, Any], name: str) -> str | None:
    """A text, or the characters of a number or boolean in its place (D26)."""
    return _optional_text({name: characters(members.get(name))}, name)


def _required_text(members: Mapping[str, Any], name: str) -> str:
    value = _optional_text(members, name)
    if value is None:
        raise EncodingError(f"{name} is missing")
    return value


def _optional_object(members: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = members.get(name)
    if value is not None and not isinstance(value, dict):
        raise EncodingError(f"{name} is not an object")
    return value


def _object(members: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = _optional_object(members, name)
    if value is None:
        raise EncodingError(f"{name} is missing")
    return value


def _copied(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)
