"""Wire models of the activation life cycle: from init to commit (spec/core-api.md §7.1 to §7.6, §31.1)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import (
    ActivationOtpValidation,
    ActivationProtocol,
    ActivationStatus,
    CommitPhase,
)
from powerauth_contracts.fields import FreeText, MaxFailureCount, Name, RequiredText
from powerauth_contracts.wire import CoreDateTime, Open, RequestModel, WireModel

UserId = Name
Flag = RequiredText


class InitActivationRequest(RequestModel):
    """Request of ``activation/init``."""

    protocol: ActivationProtocol = ActivationProtocol.POWERAUTH
    user_id: UserId
    application_id: str
    timestamp_activation_expire: CoreDateTime | None = None
    max_failure_count: MaxFailureCount | None = None
    activation_otp_validation: ActivationOtpValidation | None = None
    commit_phase: CommitPhase | None = None
    activation_otp: str | None = Field(default=None, repr=False)
    flags: list[Flag] | None = None
    additional_data: dict[str, Any] | None = None
    application_ids: list[str] | None = None


class InitActivationResponse(WireModel):
    """The new activation; the signature is Base64 of a DER signature over the code."""

    activation_id: str
    activation_code: str = Field(repr=False)
    activation_signature: str
    user_id: str
    application_id: str


class CommitActivationRequest(RequestModel):
    """Request of ``activation/commit``."""

    activation_id: RequiredText
    external_user_id: FreeText | None = None
    activation_otp: str | None = Field(default=None, repr=False)
    application_ids: list[str] | None = None


class CommitActivationResponse(WireModel):
    """The activation is ACTIVE."""

    activation_id: str
    activated: bool


class UpdateOtpRequest(RequestModel):
    """Request of ``activation/otp/update``."""

    activation_id: RequiredText
    external_user_id: FreeText | None = None
    activation_otp: RequiredText = Field(repr=False)
    application_ids: list[str] | None = None


class UpdateOtpResponse(WireModel):
    """The OTP is replaced."""

    activation_id: str
    updated: bool


class ActivationStatusRequest(RequestModel):
    """Request of ``activation/status``; `challenge` is Base64 of 16 bytes."""

    activation_id: RequiredText
    challenge: str | None = None
    application_ids: list[str] | None = None


class ActivationStatusResponse(WireModel):
    """Everything about an activation; unknown ones look like removed ones (spec/core-api.md §7.6)."""

    activation_id: str
    activation_status: Open[ActivationStatus]
    activation_otp_validation: Open[ActivationOtpValidation]
    commit_phase: Open[CommitPhase]
    blocked_reason: str | None = None
    activation_name: str | None = None
    user_id: str
    extras: str | None = None
    protocol: Open[ActivationProtocol] | None = None
    external_id: str | None = None
    platform: str | None = None
    device_info: str | None = None
    application_id: str | None = None
    failed_attempts: int
    max_failed_attempts: int
    timestamp_created: CoreDateTime
    timestamp_last_used: CoreDateTime
    timestamp_last_change: CoreDateTime | None = None
    encrypted_status_blob: str
    encrypted_status_blob_nonce: str | None = None
    activation_code: str | None = Field(default=None, repr=False)
    activation_signature: str | None = None
    device_public_key_fingerprint: str | None = None
    version: int
    activation_flags: list[str] = Field(default_factory=list)
    application_roles: list[str] = Field(default_factory=list)
    additional_data: dict[str, Any] | None = None
    parent_activation_id: str | None = None
    transfer_type: str | None = None


INIT = Call(
    "/rest/v3/activation/init",
    InitActivationRequest,
    InitActivationResponse,
    "Start an activation that a device joins by its code.",
    fast=True,
)
COMMIT = Call(
    "/rest/v3/activation/commit",
    CommitActivationRequest,
    CommitActivationResponse,
    "Make an activation ACTIVE after its key exchange.",
    fast=True,
)
OTP_UPDATE = Call(
    "/rest/v3/activation/otp/update",
    UpdateOtpRequest,
    UpdateOtpResponse,
    "Replace the OTP that the commit asks for.",
)
STATUS = Call(
    "/rest/v3/activation/status",
    ActivationStatusRequest,
    ActivationStatusResponse,
    "Everything about one activation.",
    fast=True,
)
