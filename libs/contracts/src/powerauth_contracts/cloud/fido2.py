"""Wire models of ``/v2/fido2`` (spec/cloud-api.md §8).

Base64 is the standard one with padding. What authenticators and browsers answer goes to the core as it came.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.fields import FreeText, Name, RequiredText, Switch
from powerauth_contracts.wire import ObjectResponse, RequestModel, WireModel

CredentialId = Annotated[RequiredText, Field(max_length=1400)]
Encoded = Annotated[RequiredText, Field(max_length=1_000_000)]
Origins = Annotated[list[FreeText], Field(max_length=100)]
Transports = Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)]
Type = Annotated[RequiredText, Field(max_length=32)]
Attachment = Annotated[str, Field(max_length=32)]


class AuthenticatorsOfUser(RequestModel):
    """``registrations/list``; its members may stand in the query instead."""

    user_id: Name | None = None
    app_id: Name | None = None


class RegistrationChallengeRequest(RequestModel):
    """``registrations/challenge``."""

    user_id: Name
    app_id: Name


class Authenticator(WireModel):
    """A passkey."""

    user_id: str
    registration_id: str
    app_id: str
    registration_name: str | None = None
    credential_id: str
    registration_status: str
    extras: dict[str, Any]
    platform: str | None = None
    device_info: str | None = None
    blocked_reason: str | None = None
    failed_attempts: int
    max_failed_attempts: int
    application_roles: list[str]
    registration_flags: list[str]
    public_key_bytes: str


class Authenticators(WireModel):
    """Passkeys of a user that are ACTIVE or BLOCKED."""

    authenticators: list[Authenticator]


class Credential(WireModel):
    """A passkey that a browser is told of."""

    credential_id: str
    type: Literal["public-key"] = "public-key"
    transports: list[str]


class RegistrationChallenge(WireModel):
    """A passkey that is waited for; the challenge is the text's UTF-8."""

    registration_id: str
    app_id: str
    challenge: str
    user_id: str
    exclude_credentials: list[Credential]


class AttestationAnswer(RequestModel):
    """What an authenticator answered to a registration."""

    client_data_json: Encoded = Field(alias="clientDataJSON")
    attestation_object: Encoded
    transports: Transports | None = None


class AuthenticatorParameters(RequestModel):
    """A new passkey, and what it is held against."""

    credential_id: CredentialId
    type: Type
    authenticator_attachment: Attachment | None = None
    response: AttestationAnswer
    relying_party_id: Name
    allowed_origins: Origins
    allowed_top_origins: Origins | None = None
    requires_user_verification: Switch = False


class RegisterAuthenticator(RequestModel):
    """``registrations``."""

    app_id: Name
    registration_name: Name
    expected_challenge: RequiredText
    authenticator_parameters: AuthenticatorParameters


class AssertionChallengeRequest(RequestModel):
    """``assertions/challenge``; with ``operationId`` that operation is only read."""

    template_name: Name
    external_id: FreeText | None = None
    parameters: dict[str, str | None] | None = None
    user_id: Name | None = None
    operation_id: Name | None = None
    app_id: Name | None = None


class AssertionChallenge(WireModel):
    """An operation that waits for a passkey; the challenge is the text's UTF-8."""

    challenge: str
    user_id: str | None = None
    application_ids: list[str]
    operation_id: str
    allow_credentials: list[Credential] | None = None
    failed_attempts: int
    max_failed_attempts: int


class AssertionAnswer(RequestModel):
    """What an authenticator answered to a challenge."""

    client_data_json: Encoded = Field(alias="clientDataJSON")
    authenticator_data: Encoded
    signature: Encoded
    user_handle: FreeText | None = None


class VerifyAssertion(RequestModel):
    """``assertions``."""

    credential_id: CredentialId
    type: Type
    authenticator_attachment: Attachment | None = None
    response: AssertionAnswer
    application_id: Name
    relying_party_id: Name
    allowed_origins: Origins
    allowed_top_origins: Origins | None = None
    requires_user_verification: Switch = False
    expected_challenge: RequiredText | None = None


class VerifiedAssertion(WireModel):
    """An operation that was approved, and by what."""

    assertion_valid: bool
    user_id: str
    registration_id: str
    application_id: str
    registration_status: str
    blocked_reason: str | None = None
    remaining_attempts: int
    application_roles: list[str]
    registration_flags: list[str]


LIST_AUTHENTICATORS = Endpoint(
    "listAuthenticators",
    "POST",
    "/v2/fido2/registrations/list",
    AuthenticatorsOfUser,
    ObjectResponse[Authenticators],
)
REGISTRATION_CHALLENGE = Endpoint(
    "registrationChallenge",
    "POST",
    "/v2/fido2/registrations/challenge",
    RegistrationChallengeRequest,
    RegistrationChallenge,
)
REGISTER_AUTHENTICATOR = Endpoint(
    "registerAuthenticator", "POST", "/v2/fido2/registrations", RegisterAuthenticator, Authenticator
)
ASSERTION_CHALLENGE = Endpoint(
    "assertionChallenge",
    "POST",
    "/v2/fido2/assertions/challenge",
    AssertionChallengeRequest,
    AssertionChallenge,
)
VERIFY_ASSERTION = Endpoint(
    "verifyAssertion", "POST", "/v2/fido2/assertions", VerifyAssertion, VerifiedAssertion
)
