"""Wire models of recovery codes and postcards (spec/core-api.md §8)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus
from powerauth_contracts.envelopes import EnvelopeFields, SealedFields
from powerauth_contracts.fields import MANY, RequiredText, Switch
from powerauth_contracts.rest.activations import UserId
from powerauth_contracts.wire import Open, RequestModel, WireModel

RecoveryCodeId = Annotated[int, Field(ge=0)]


class CreateRecoveryCodeRequest(RequestModel):
    """Request of ``recovery/create``: a postcard code with 1 to 100 PUKs."""

    application_id: RequiredText
    user_id: UserId
    puk_count: Annotated[int, Field(ge=1, le=100)]
    application_ids: list[str] | None = None


class CreatedPuk(WireModel):
    """One PUK of a postcard, as the printing centre derives it."""

    puk_index: int
    puk_derivation_index: int
    status: Open[RecoveryPukStatus]


class CreateRecoveryCodeResponse(WireModel):
    """A postcard code; nonce (Base64, 32 bytes) and derivation indexes are given out here only."""

    nonce: str = Field(repr=False)
    user_id: str
    recovery_code_id: int
    recovery_code_masked: str
    status: Open[RecoveryCodeStatus]
    puks: list[CreatedPuk] = Field(repr=False)


class ConfirmRecoveryCodeRequest(EnvelopeFields):
    """Request of ``recovery/confirm``."""

    activation_id: RequiredText
    application_key: RequiredText
    protocol_version: RequiredText
    application_ids: list[str] | None = None


class ConfirmRecoveryCodeResponse(SealedFields):
    """Encrypted ``{"alreadyConfirmed": …}``."""

    activation_id: str
    user_id: str


class LookupRecoveryCodesRequest(RequestModel):
    """Request of ``recovery/lookup``: at least a user or an activation."""

    user_id: str | None = None
    activation_id: str | None = None
    application_id: str | None = None
    recovery_code_status: RecoveryCodeStatus | None = None
    recovery_puk_status: RecoveryPukStatus | None = None
    application_ids: list[str] | None = None


class FoundPuk(WireModel):
    """One PUK of a code that was looked up; the derivation index is not stored."""

    puk_index: int
    puk_derivation_index: int = 0
    status: Open[RecoveryPukStatus]


class FoundRecoveryCode(WireModel):
    """One code that was looked up."""

    recovery_code_id: int
    recovery_code_masked: str
    user_id: str
    application_id: str
    activation_id: str | None
    status: Open[RecoveryCodeStatus]
    puks: list[FoundPuk]


class LookupRecoveryCodesResponse(WireModel):
    """Codes that match, newest first."""

    recovery_codes: list[FoundRecoveryCode]


class RevokeRecoveryCodesRequest(RequestModel):
    """Request of ``recovery/revoke``."""

    recovery_code_ids: Annotated[list[RecoveryCodeId], Field(min_length=1, max_length=MANY)]
    application_ids: list[str] | None = None


class RevokeRecoveryCodesResponse(WireModel):
    """Whether at least one code changed."""

    revoked: bool


class RecoveryConfigRequest(RequestModel):
    """Request of ``recovery/config/detail``."""

    application_id: RequiredText
    application_ids: list[str] | None = None


class RecoveryConfigResponse(WireModel):
    """How an application offers recovery; public keys in Base64."""

    application_id: str
    activation_recovery_enabled: bool
    recovery_postcard_enabled: bool
    allow_multiple_recovery_codes: bool
    postcard_public_key: str | None
    remote_postcard_public_key: str | None


class UpdateRecoveryConfigRequest(RequestModel):
    """Request of ``recovery/config/update``; remote key: null keeps it, empty clears it."""

    application_id: RequiredText
    activation_recovery_enabled: Switch = False
    recovery_postcard_enabled: Switch = False
    allow_multiple_recovery_codes: Switch = False
    remote_postcard_public_key: str | None = None
    application_ids: list[str] | None = None


class UpdateRecoveryConfigResponse(WireModel):
    """The configuration is stored."""

    updated: bool


CREATE = Call(
    "/rest/v3/recovery/create", CreateRecoveryCodeRequest, CreateRecoveryCodeResponse, "Make a postcard code."
)
CONFIRM = Call(
    "/rest/v3/recovery/confirm",
    ConfirmRecoveryCodeRequest,
    ConfirmRecoveryCodeResponse,
    "Make a received code usable.",
)
LOOKUP = Call(
    "/rest/v3/recovery/lookup",
    LookupRecoveryCodesRequest,
    LookupRecoveryCodesResponse,
    "Codes of a user or of an activation.",
)
REVOKE = Call(
    "/rest/v3/recovery/revoke", RevokeRecoveryCodesRequest, RevokeRecoveryCodesResponse, "Revoke codes."
)
CONFIG_DETAIL = Call(
    "/rest/v3/recovery/config/detail",
    RecoveryConfigRequest,
    RecoveryConfigResponse,
    "How an application offers recovery.",
)
CONFIG_UPDATE = Call(
    "/rest/v3/recovery/config/update",
    UpdateRecoveryConfigRequest,
    UpdateRecoveryConfigResponse,
    "Change how an application offers recovery.",
)
