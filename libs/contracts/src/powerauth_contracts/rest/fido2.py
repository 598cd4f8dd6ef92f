"""Wire models of the passkey calls, directly below the core's root (spec/device-trust.md §4.2)."""

from typing import Annotated, Any, Literal

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.fields import FreeText, Name, RequiredText, Switch
from powerauth_contracts.wire import Open, RequestModel, WireModel

CredentialId = Annotated[RequiredText, Field(max_length=1400)]
"""Base64 of at most 1023 bytes."""

Origins = Annotated[list[FreeText], Field(max_length=100)]
"""Compared exactly with what the client data say."""

Transports = Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)]


class RegistrationsRequest(RequestModel):
    """``registrations/list`` and ``registrations/challenge``."""

    user_id: Name
    application_id: RequiredText


class Fido2Authenticator(WireModel):
    """A passkey."""

    user_id: str
    activation_id: str
    application_id: str
    activation_name: str | None
    credential_id: str = Field(description="Base64")
    activation_status: Open[ActivationStatus]
    extras: dict[str, Any] = Field(description="What is known of it (spec/device-trust.md §4.1)")
    platform: str | None
    device_info: str | None
    blocked_reason: str | None
    failed_attempts: int
    max_failed_attempts: int
    application_roles: list[str]
    activation_flags: list[str]
    public_key_bytes: str = Field(description="Base64 of the point of 65 bytes, or of a COSE key")


class RegistrationListResponse(WireModel):
    """Passkeys of a user that are ACTIVE or BLOCKED, newest first."""

    authenticators: list[Fido2Authenticator]


class Credential(WireModel):
    """A passkey that a browser is told of."""

    credential_id: str = Field(description="Base64")
    type: Literal["public-key"] = "public-key"
    transports: list[str]


class RegistrationChallengeResponse(WireModel):
    """A passkey that is waited for."""

    activation_id: str
    application_id: str
    challenge: str = Field(description="Text whose UTF-8 is the challenge")
    user_id: str
    exclude_credentials: list[Credential]


class AttestationResponse(RequestModel):
    """What an authenticator answered to a registration, Base64."""

    client_data_json: Annotated[str | None, Field(alias="clientDataJSON")] = None
    attestation_object: str | None = None
    transports: Transports | None = None


class AuthenticatorParameters(RequestModel):
    """A new passkey, and what it is held against."""

    credential_id: CredentialId
    type: Annotated[RequiredText, Field(max_length=32)]
    authenticator_attachment: Annotated[str, Field(max_length=32)] | None = None
    response: AttestationResponse
    relying_party_id: Name
    allowed_origins: Origins | None = None
    allowed_top_origins: Origins | None = None
    requires_user_verification: Switch = False


class RegistrationRequest(RequestModel):
    """``registrations``."""

    application_id: RequiredText
    activation_name: Name
    expected_challenge: str | None = None
    authenticator_parameters: AuthenticatorParameters


class AssertionChallengeRequest(RequestModel):
    """``assertions/challenge``; with ``operationId`` that operation is only read."""

    application_ids: Annotated[list[RequiredText], Field(min_length=1)]
    template_name: RequiredText
    user_id: Name | None = None
    external_id: FreeText | None = None
    operation_id: str | None = None
    parameters: dict[str, str | None] | None = None


class AssertionChallengeResponse(WireModel):
    """An operation that waits for a passkey."""

    application_ids: list[str]
    challenge: str = Field(description="Text whose UTF-8 is the challenge")
    user_id: str | None
    operation_id: str
    failed_attempts: int
    max_failed_attempts: int
    allow_credentials: list[Credential] | None


class AssertionResponse(RequestModel):
    """What an authenticator answered to a challenge, Base64."""

    client_data_json: Annotated[str | None, Field(alias="clientDataJSON")] = None
    authenticator_data: str | None = None
    signature: str | None = None
    user_handle: str | None = None


class AssertionRequest(RequestModel):
    """``assertions``."""

    credential_id: CredentialId
    type: Annotated[RequiredText, Field(max_length=32)]
    authenticator_attachment: Annotated[str, Field(max_length=32)] | None = None
    response: AssertionResponse
    application_id: str | None = None
    relying_party_id: Name
    allowed_origins: Origins | None = None
    allowed_top_origins: Origins | None = None
    requires_user_verification: Switch = False
    expected_challenge: str | None = None


class AssertionVerification(WireModel):
    """An operation that was approved, and by what."""

    assertion_valid: bool
    user_id: str
    activation_id: str
    application_id: str
    activation_status: Open[ActivationStatus]
    blocked_reason: str | None
    remaining_attempts: int
    application_roles: list[str]
    activation_flags: list[str]


LIST = Call(
    "/fido2/registrations/list", RegistrationsRequest, RegistrationListResponse, "Passkeys of a user."
)
REGISTRATION_CHALLENGE = Call(
    "/fido2/registrations/challenge",
    RegistrationsRequest,
    RegistrationChallengeResponse,
    "Start an activation that waits for a passkey.",
)
REGISTER = Call("/fido2/registrations", RegistrationRequest, Fido2Authenticator, "Take a passkey.")
ASSERTION_CHALLENGE = Call(
    "/fido2/assertions/challenge",
    AssertionChallengeRequest,
    AssertionChallengeResponse,
    "Make an operation that passkeys may approve, or read one.",
)
VERIFY = Call(
    "/fido2/assertions",
    AssertionRequest,
    AssertionVerification,
    "Approve an operation by a passkey.",
    fast=True,
)
