"""What a browser hands to a page, as values and as the JSON that it makes of them (WebAuthn Level 3 §5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fido2 import cbor

from powerauth_protocol.common.encoding import b64url_encode


@dataclass(frozen=True, slots=True)
class RegistrationResponse:
    """The answer to a registration.

    :ivar attachment: as the browser claims it, unsigned
    """

    credential_id: bytes
    client_data_json: bytes
    attestation_object: bytes
    transports: tuple[str, ...] = ("internal",)
    attachment: str = "platform"
    resident: bool = True

    def json(self) -> dict[str, Any]:
        """RegistrationResponseJSON."""
        response = {
            "clientDataJSON": b64url_encode(self.client_data_json),
            "attestationObject": b64url_encode(self.attestation_object),
            "transports": list(self.transports),
        }
        results = {"credProps": {"rk": self.resident}}
        return _public_key_credential(self.credential_id, self.attachment, response, results)


@dataclass(frozen=True, slots=True)
class AssertionResponse:
    """The answer to a sign-in.

    :ivar signature: DER for ECDSA
    :ivar user_handle: None where the credential was asked for by its id
    """

    credential_id: bytes
    client_data_json: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None = None
    attachment: str = "platform"

    def json(self) -> dict[str, Any]:
        """AuthenticationResponseJSON."""
        response = {
            "clientDataJSON": b64url_encode(self.client_data_json),
            "authenticatorData": b64url_encode(self.authenticator_data),
            "signature": b64url_encode(self.signature),
        }
        if self.user_handle is not None:
            response["userHandle"] = b64url_encode(self.user_handle)
        return _public_key_credential(self.credential_id, self.attachment, response, {})


Response = TypeVar("Response", RegistrationResponse, AssertionResponse)


def corrupt(response: Response, field: str, at: int = 0) -> Response:
    """The same answer with one bit of it wrong.

    :param field: a field of the response, or of what is inside an attestation object: ``authData``, or a
        member of the statement, of ``x5c`` the leaf
    :param at: which byte of it; from the end if negative
    """
    if field in {"credential_id", "client_data_json", "authenticator_data", "signature"}:
        broken: dict[str, Any] = {field: _flipped(getattr(response, field), at)}
        return replace(response, **broken)
    assert isinstance(response, RegistrationResponse)
    members: Any = cbor.decode(response.attestation_object)
    if field == "authData":
        changed = {**members, field: _flipped(members[field], at)}
    else:
        changed = {**members, "attStmt": _statement(members["attStmt"], field, at)}
    return replace(response, attestation_object=cbor.encode(changed))


def _statement(statement: Mapping[str, Any], field: str, at: int) -> dict[str, Any]:
    value = statement[field]
    if isinstance(value, bytes):
        return {**statement, field: _flipped(value, at)}
    return {**statement, field: [_flipped(value[0], at), *value[1:]]}


def _flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def _public_key_credential(
    credential_id: bytes, attachment: str, response: dict[str, Any], results: dict[str, Any]
) -> dict[str, Any]:
    encoded = b64url_encode(credential_id)
    return {
        "id": encoded,
        "rawId": encoded,
        "type": "public-key",
        "authenticatorAttachment": attachment,
        "response": response,
        "clientExtensionResults": results,
    }
