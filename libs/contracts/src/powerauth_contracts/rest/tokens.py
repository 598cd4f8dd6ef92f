"""Wire models of the token calls (spec/core-api.md §11)."""

from __future__ import annotations

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import ActivationStatus, SignatureType
from powerauth_contracts.envelopes import EnvelopeFields, SealedFields
from powerauth_contracts.fields import HeaderValue
from powerauth_contracts.wire import Open, RequestModel, WireModel


class CreateTokenRequest(EnvelopeFields):
    """``token/create``; `signatureType` is the type of the signature that the caller verified."""

    activation_id: str
    application_key: str
    protocol_version: str
    signature_type: SignatureType
    application_ids: list[str] | None = None


class ValidateTokenRequest(RequestModel):
    """``token/validate``; `timestamp` in ms."""

    token_id: HeaderValue
    token_digest: HeaderValue
    nonce: HeaderValue
    protocol_version: HeaderValue
    timestamp: int
    application_ids: list[str] | None = None


class ValidateTokenResponse(WireModel):
    """Who the token stands for; everything but `tokenValid` is null for an unknown token."""

    token_valid: bool
    activation_id: str | None = None
    activation_status: Open[ActivationStatus] | None = None
    blocked_reason: str | None = None
    user_id: str | None = None
    application_id: str | None = None
    signature_type: Open[SignatureType] | None = None
    application_roles: list[str] = Field(default_factory=list)
    activation_flags: list[str] = Field(default_factory=list)


class RemoveTokenRequest(RequestModel):
    """``token/remove``."""

    token_id: str
    activation_id: str
    application_ids: list[str] | None = None


class RemoveTokenResponse(WireModel):
    """`removed` is false for an unknown token and for one of another activation."""

    removed: bool


CREATE = Call(
    "/rest/v3/token/create",
    CreateTokenRequest,
    SealedFields,
    "Issue a token to an activation whose signature the caller has verified.",
)
VALIDATE = Call(
    "/rest/v3/token/validate",
    ValidateTokenRequest,
    ValidateTokenResponse,
    "Check a token header; each is accepted once.",
    fast=True,
)
REMOVE = Call(
    "/rest/v3/token/remove", RemoveTokenRequest, RemoveTokenResponse, "Remove a token of an activation."
)
