"""Wire models of verification (spec/cloud-api.md §7)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import HeaderText, LongText, RequestModel, WireModel
from powerauth_protocol.common.json_text import characters

MAX_DATA = 262_144


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _several(value: object) -> object:
    value = characters(value)
    return [value] if isinstance(value, str) else value


QueryValues = Annotated[list[str], BeforeValidator(_several, json_schema_input_type=str | list[str])]
HttpMethod = Annotated[Literal["GET", "POST", "PUT", "DELETE"], BeforeValidator(_upper)]
SignatureTypeName = Literal[
    "POSSESSION",
    "KNOWLEDGE",
    "BIOMETRY",
    "POSSESSION_KNOWLEDGE",
    "POSSESSION_BIOMETRY",
    "POSSESSION_KNOWLEDGE_BIOMETRY",
]
RegistrationId = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z-]{0,36}$")]


class VerifySignature(RequestModel):
    """``POST /v2/signature/verify``."""

    method: HttpMethod
    uri_id: str
    auth_header: HeaderText
    request_body: LongText | None = None
    query_params: dict[str, QueryValues] | None = None
    allowed_signature_types: list[SignatureTypeName] | None = None


class Verified(WireModel):
    """What is told about the registration behind a verification; the short form has no ``userId``."""

    user_id: str | None = None
    registration_id: str | None = None
    registration_status: str | None = None
    blocked_reason: str | None = None
    signature_type: str | None = None
    application_id: str | None = None
    flags: list[str] | None = None
    application_roles: list[str] | None = None


class SignatureVerified(Verified):
    signature_valid: bool
    remaining_attempts: int | None = None
    version: str | None = None


class OtpVerified(Verified):
    otp_valid: bool
    remaining_attempts: int | None = None


class VerifyToken(RequestModel):
    """``POST /v2/token/verify``."""

    auth_header: HeaderText


class TokenVerified(Verified):
    token_valid: bool


class CreateOfflinePayload(RequestModel):
    """``POST /v2/signature/offline/payload``: for one registration, or for any of an application."""

    registration_id: RegistrationId | None = None
    app_id: str | None = None
    data: str = Field(min_length=1, max_length=MAX_DATA)


class OfflinePayload(WireModel):
    qr_code_data: str
    nonce: str


class VerifyOfflineSignature(RequestModel):
    """``POST /v2/signature/offline/verify``."""

    registration_id: RegistrationId
    uri_id: str = "/operation/authorize/offline"
    data: str = Field(max_length=MAX_DATA)
    nonce: str
    otp: str
    allow_biometry: bool = False


class VerifyEcdsaSignature(RequestModel):
    """``POST /v2/signature/ecdsa/verify``."""

    registration_id: RegistrationId
    data: LongText
    signature: str
    signature_format: Literal["DER", "JOSE"] = "DER"


class EcdsaVerified(WireModel):
    signature_valid: bool
    registration_id: str
    user_id: str | None = None
    registration_status: str | None = None


VERIFY_SIGNATURE_V2 = Endpoint(
    "verifySignatureV2", "POST", "/v2/signature/verify", VerifySignature, SignatureVerified, fast=True
)
VERIFY_TOKEN_V2 = Endpoint("verifyTokenV2", "POST", "/v2/token/verify", VerifyToken, TokenVerified, fast=True)
CREATE_OFFLINE_PAYLOAD = Endpoint(
    "createOfflinePayload", "POST", "/v2/signature/offline/payload", CreateOfflinePayload, OfflinePayload
)
VERIFY_OFFLINE_SIGNATURE = Endpoint(
    "verifyOfflineSignature", "POST", "/v2/signature/offline/verify", VerifyOfflineSignature, OtpVerified
)
VERIFY_ECDSA_SIGNATURE = Endpoint(
    "verifyEcdsaSignature", "POST", "/v2/signature/ecdsa/verify", VerifyEcdsaSignature, EcdsaVerified
)
