"""Wire models of registrations (spec/cloud-api.md §2.1, §3, §4)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import EpochMillis, RequestModel, StatusResponse, WireModel

CommitPhase = Literal["ON_COMMIT", "ON_KEY_EXCHANGE"]
OtpValidation = Literal["NONE", "ON_KEY_EXCHANGE", "ON_COMMIT"]
RegistrationStatus = Literal["CREATED", "PENDING_COMMIT", "ACTIVE", "BLOCKED", "REMOVED"]
Flag = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S")]
UserId = Annotated[str, Field(min_length=1, max_length=255)]
ExternalUserId = Annotated[str | None, Field(max_length=255)]


class CreateRegistration(RequestModel):
    """``POST /v2/registrations``."""

    user_id: UserId
    app_id: str | None = None
    otp: str | None = None
    commit_phase: CommitPhase | None = None
    otp_validation: OtpValidation | None = None
    flags: list[Flag] | None = None
    timestamp_registration_expire: EpochMillis | None = None


class RegistrationCreated(WireModel):
    """What the bank shows to its user: a QR code, or the code to type."""

    activation_qr_code_data: str
    activation_code: str
    activation_code_signature: str
    registration_id: str | None = None


class Registration(WireModel):
    """§2.1. The members after ``externalId`` are those of the detail."""

    registration_id: str
    registration_status: str
    blocked_reason: str | None = None
    application_id: str
    name: str | None = None
    platform: str | None = None
    device_info: str | None = None
    flags: list[str]
    timestamp_created: EpochMillis
    timestamp_last_used: EpochMillis
    protocol: str | None = None
    external_id: str | None = None
    extras: str | None = None
    user_id: str | None = None
    activation_qr_code_data: str | None = None
    activation_code: str | None = None
    activation_code_signature: str | None = None
    activation_fingerprint: str | None = None
    failed_attempts: int | None = None
    max_failed_attempts: int | None = None
    timestamp_last_change: EpochMillis | None = None
    version: int | None = None


class Registrations(WireModel):
    registrations: list[Registration]


class CommitRegistration(RequestModel):
    """``POST /v2/registrations/{registrationId}/commit``."""

    external_user_id: ExternalUserId = None
    otp: str | None = None


class ChangeRegistration(RequestModel):
    """``PUT /v2/registrations/{registrationId}``."""

    change: Literal["BLOCK", "UNBLOCK"]
    blocked_reason: str | None = Field(
        default=None, max_length=255, validation_alias=AliasChoices("blockedReason", "reason")
    )
    external_user_id: ExternalUserId = None


class UpdateOtp(RequestModel):
    """``PUT /v2/registrations/{registrationId}/otp``."""

    otp: str
    external_user_id: ExternalUserId = None


class UpdateName(RequestModel):
    """``PUT /v2/registrations/{registrationId}/name``."""

    name: str = Field(min_length=1, max_length=255, pattern=r"\S")
    external_user_id: ExternalUserId = None


class AddFlags(RequestModel):
    """``POST /v2/registrations/{registrationId}/flags``."""

    flags: list[Flag] = Field(min_length=1)


class ReplaceFlags(RequestModel):
    """``PUT /v2/registrations/{registrationId}/flags``."""

    flags: list[Flag]


class Flags(WireModel):
    registration_id: str
    flags: list[str]


class HistoryItem(WireModel):
    registration_status: str
    event_reason: str | None = None
    external_user_id: str | None = None
    name: str | None = None
    version: int | None = None
    timestamp_created: EpochMillis


class History(WireModel):
    items: list[HistoryItem]


class LookupRegistrations(RequestModel):
    """``POST /v2/registrations/lookup``."""

    user_ids: list[UserId] = Field(min_length=1, max_length=1000)
    app_ids: list[str] | None = None
    registration_status: RegistrationStatus | None = None
    flags: list[Flag] | None = None
    timestamp_last_used_before: EpochMillis | None = None
    timestamp_last_used_after: EpochMillis | None = None


class CreateSingleRegistration(RequestModel):
    """``POST /registration``."""

    user_id: UserId
    app_id: str | None = None
    otp: str | None = None
    commit_phase: CommitPhase | None = None
    flags: list[Flag] | None = None


class CurrentRegistration(WireModel):
    """``GET /registration``: the state of the current registration, ``NONE`` without one."""

    registration: str
    activation_qr_code_data: str | None = None
    name: str | None = None
    platform: str | None = None
    device_info: str | None = None
    activation_fingerprint: str | None = None


class CommitSingleRegistration(CommitRegistration):
    """``POST /registration/commit``."""

    user_id: UserId
    app_id: str | None = None


class ChangeSingleRegistration(ChangeRegistration):
    """``PUT /registration``."""

    user_id: UserId
    app_id: str | None = None


CREATE_REGISTRATION = Endpoint(
    "createRegistration", "POST", "/registration", CreateSingleRegistration, RegistrationCreated
)
GET_REGISTRATION = Endpoint("getRegistration", "GET", "/registration", NoneType, CurrentRegistration)
COMMIT_REGISTRATION = Endpoint(
    "commitRegistration", "POST", "/registration/commit", CommitSingleRegistration, StatusResponse
)
CHANGE_REGISTRATION = Endpoint(
    "changeRegistration", "PUT", "/registration", ChangeSingleRegistration, StatusResponse
)
REMOVE_REGISTRATION = Endpoint("removeRegistration", "DELETE", "/registration", NoneType, StatusResponse)
CREATE_REGISTRATION_V2 = Endpoint(
    "createRegistrationV2", "POST", "/v2/registrations", CreateRegistration, RegistrationCreated
)
LIST_REGISTRATIONS_V2 = Endpoint("listRegistrationsV2", "GET", "/v2/registrations", NoneType, Registrations)
LOOKUP_REGISTRATIONS = Endpoint(
    "lookupRegistrations", "POST", "/v2/registrations/lookup", LookupRegistrations, Registrations
)
GET_REGISTRATION_V2 = Endpoint(
    "getRegistrationV2", "GET", "/v2/registrations/{registrationId}", NoneType, Registration, fast=True
)
COMMIT_REGISTRATION_V2 = Endpoint(
    "commitRegistrationV2",
    "POST",
    "/v2/registrations/{registrationId}/commit",
    CommitRegistration,
    StatusResponse,
)
CHANGE_REGISTRATION_V2 = Endpoint(
    "changeRegistrationV2", "PUT", "/v2/registrations/{registrationId}", ChangeRegistration, StatusResponse
)
REMOVE_REGISTRATION_V2 = Endpoint(
    "removeRegistrationV2", "DELETE", "/v2/registrations/{registrationId}", NoneType, StatusResponse
)
UPDATE_REGISTRATION_OTP = Endpoint(
    "updateRegistrationOtp", "PUT", "/v2/registrations/{registrationId}/otp", UpdateOtp, StatusResponse
)
UPDATE_REGISTRATION_NAME = Endpoint(
    "updateRegistrationName", "PUT", "/v2/registrations/{registrationId}/name", UpdateName, StatusResponse
)
GET_REGISTRATION_FLAGS = Endpoint(
    "getRegistrationFlags", "GET", "/v2/registrations/{registrationId}/flags", NoneType, Flags
)
ADD_REGISTRATION_FLAGS = Endpoint(
    "addRegistrationFlags", "POST", "/v2/registrations/{registrationId}/flags", AddFlags, Flags
)
UPDATE_REGISTRATION_FLAGS = Endpoint(
    "updateRegistrationFlags", "PUT", "/v2/registrations/{registrationId}/flags", ReplaceFlags, Flags
)
REMOVE_REGISTRATION_FLAGS = Endpoint(
    "removeRegistrationFlags", "DELETE", "/v2/registrations/{registrationId}/flags", NoneType, Flags
)
GET_REGISTRATION_HISTORY = Endpoint(
    "getRegistrationHistory", "GET", "/v2/registrations/{registrationId}/history", NoneType, History
)
