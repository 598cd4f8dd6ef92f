"""Wire models of the signature calls (spec/core-api.md §9)."""

from __future__ import annotations

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import ActivationStatus, EcdsaSignatureFormat, SignatureType
from powerauth_contracts.fields import HeaderValue, Switch
from powerauth_contracts.wire import CoreDateTime, LongText, Open, RequestModel, WireModel


class VerifySignatureRequest(RequestModel):
    """``signature/verify``: `data` is the normalised request data without the application secret."""

    activation_id: str
    application_key: HeaderValue
    data: LongText
    signature: HeaderValue
    signature_type: SignatureType
    signature_version: HeaderValue
    forced_signature_version: int | None = None
    application_ids: list[str] | None = None


class VerifySignatureResponse(WireModel):
    """Answer of online and offline verification (§9.1)."""

    signature_valid: bool
    activation_status: Open[ActivationStatus]
    blocked_reason: str | None = None
    activation_id: str
    user_id: str | None = None
    application_id: str | None = None
    signature_type: Open[SignatureType] | None = None
    remaining_attempts: int | None = None
    application_roles: list[str] = Field(default_factory=list)
    activation_flags: list[str] = Field(default_factory=list)


class OfflineProximityCheck(RequestModel):
    """Proximity OTP of an offline payload: Base64 seed, step in seconds."""

    seed: str = ""
    step_length: int = Field(ge=1, le=86_400)


class CreatePersonalizedPayloadRequest(RequestModel):
    """``signature/offline/personalized/create``; `nonce` is Base64 of 16 bytes."""

    activation_id: str
    data: LongText
    nonce: str | None = None
    proximity_check: OfflineProximityCheck | None = None
    application_ids: list[str] | None = None


class CreateNonPersonalizedPayloadRequest(RequestModel):
    """``signature/offline/non-personalized/create``."""

    application_id: str
    data: LongText
    application_ids: list[str] | None = None


class OfflinePayloadResponse(WireModel):
    """Text for the QR code and the nonce in it (Base64)."""

    offline_data: str
    nonce: str


class OfflineProximityVerification(RequestModel):
    """Proximity OTP of an offline verification: the current and `step_count` past steps are accepted."""

    seed: str
    step_length: int = Field(ge=1, le=86_400)
    step_count: int = Field(ge=0, le=100)


class VerifyOfflineSignatureRequest(RequestModel):
    """``signature/offline/verify``; `signature` is decimal, components joined by ``-``."""

    activation_id: str
    data: LongText
    signature: HeaderValue
    component_length: int | None = Field(default=None, ge=4, le=8)
    allow_biometry: Switch = False
    proximity_check: OfflineProximityVerification | None = None
    application_ids: list[str] | None = None


class VerifyEcdsaRequest(RequestModel):
    """``signature/ecdsa/verify``: Base64 data and signature of the device key."""

    activation_id: str
    data: LongText
    signature: HeaderValue
    signature_format: EcdsaSignatureFormat | None = None
    application_ids: list[str] | None = None


class VerifyEcdsaResponse(WireModel):
    """Answer of ``signature/ecdsa/verify``."""

    signature_valid: bool


class SignEcdsaRequest(RequestModel):
    """``signature/ecdsa/sign``: Base64 data to sign with the server key of the activation."""

    activation_id: str
    data: LongText
    application_ids: list[str] | None = None


class SignEcdsaResponse(WireModel):
    """Base64 of the DER signature."""

    signature: str


class ListSignaturesRequest(RequestModel):
    """``signature/list``: inclusive range of time; a missing end is unbounded."""

    user_id: str
    application_id: str | None = None
    timestamp_from: CoreDateTime | None = None
    timestamp_to: CoreDateTime | None = None
    application_ids: list[str] | None = None


class KeyValue(WireModel):
    """One additional fact of an audit record."""

    key: str
    value: str


class SignatureAuditItem(WireModel):
    """One row of the signature audit (§9.7)."""

    id: int
    user_id: str
    application_id: str
    activation_id: str
    activation_counter: int
    activation_ctr_data: str | None
    activation_status: Open[ActivationStatus] | None
    additional_info: list[KeyValue]
    data_base64: str | None
    signature_version: str | None
    signature_type: str
    signature: str
    note: str | None
    valid: bool | None
    version: int | None
    timestamp_created: CoreDateTime


class ListSignaturesResponse(WireModel):
    """Audit rows, newest first."""

    items: list[SignatureAuditItem]


VERIFY = Call(
    "/rest/v3/signature/verify",
    VerifySignatureRequest,
    VerifySignatureResponse,
    "Check an online signature.",
    fast=True,
)
OFFLINE_PERSONALIZED_CREATE = Call(
    "/rest/v3/signature/offline/personalized/create",
    CreatePersonalizedPayloadRequest,
    OfflinePayloadResponse,
    "Payload for a QR code that one activation can read.",
)
OFFLINE_NON_PERSONALIZED_CREATE = Call(
    "/rest/v3/signature/offline/non-personalized/create",
    CreateNonPersonalizedPayloadRequest,
    OfflinePayloadResponse,
    "Payload for a QR code that every activation of an application can read.",
)
OFFLINE_VERIFY = Call(
    "/rest/v3/signature/offline/verify",
    VerifyOfflineSignatureRequest,
    VerifySignatureResponse,
    "Check a code that a user typed in.",
)
ECDSA_VERIFY = Call(
    "/rest/v3/signature/ecdsa/verify",
    VerifyEcdsaRequest,
    VerifyEcdsaResponse,
    "Check a signature of the device's private key.",
)
ECDSA_SIGN = Call(
    "/rest/v3/signature/ecdsa/sign",
    SignEcdsaRequest,
    SignEcdsaResponse,
    "Sign with the activation's server key.",
)
LIST = Call(
    "/rest/v3/signature/list", ListSignaturesRequest, ListSignaturesResponse, "Signature audit of a user."
)
