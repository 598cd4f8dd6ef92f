"""Wire models for looking at activations and administering them (spec/core-api.md §2.3, §7.7 to §7.15)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_contracts.fields import MANY, FreeText, PageNumber, PageSize, RequiredText, Switch
from powerauth_contracts.rest.activations import Flag
from powerauth_contracts.wire import CoreDateTime, Open, RequestModel, WireModel


class ActivationItem(WireModel):
    """One activation in a listing."""

    activation_id: str
    activation_status: Open[ActivationStatus]
    blocked_reason: str | None
    activation_name: str | None
    external_id: str | None
    extras: str | None
    protocol: Open[ActivationProtocol]
    platform: str | None
    device_info: str | None
    activation_flags: list[str]
    timestamp_created: CoreDateTime
    timestamp_last_used: CoreDateTime
    timestamp_last_change: CoreDateTime | None
    user_id: str
    application_id: str
    application_name: None = None
    failed_attempts: int
    max_failed_attempts: int
    device_public_key_base64: str | None
    version: int
    additional_data: dict[str, Any] | None
    parent_activation_id: str | None = None
    transfer_type: str | None = None


class ListActivationsRequest(RequestModel):
    """Request of ``activation/list``."""

    user_id: RequiredText
    application_id: str | None = None
    protocols: list[ActivationProtocol] | None = None
    page_number: PageNumber | None = None
    page_size: PageSize | None = None
    activation_statuses: list[ActivationStatus] | None = None
    application_ids: list[str] | None = None


class ListActivationsResponse(WireModel):
    """Activations of one user, newest first."""

    user_id: str
    activations: list[ActivationItem]


class LookupActivationsRequest(RequestModel):
    """Request of ``activation/lookup``; `application_ids` filters and restricts in one."""

    user_ids: Annotated[list[RequiredText], Field(min_length=1, max_length=MANY)]
    application_ids: list[str] | None = None
    timestamp_last_used_before: CoreDateTime | None = None
    timestamp_last_used_after: CoreDateTime | None = None
    activation_status: ActivationStatus | None = None
    activation_flags: list[str] | None = None


class LookupActivationsResponse(WireModel):
    """Activations that match."""

    activations: list[ActivationItem]


class UpdateStatusRequest(RequestModel):
    """Request of ``activation/status/update``."""

    activation_ids: Annotated[list[RequiredText], Field(min_length=1, max_length=MANY)]
    activation_status: ActivationStatus
    application_ids: list[str] | None = None


class UpdateStatusResponse(WireModel):
    """The activations have the status now; unknown ones were skipped."""

    updated: bool


class BlockActivationRequest(RequestModel):
    """Request of ``activation/block``."""

    activation_id: RequiredText
    reason: FreeText | None = None
    external_user_id: FreeText | None = None
    application_ids: list[str] | None = None


class BlockActivationResponse(WireModel):
    """State and reason after the call."""

    activation_id: str
    activation_status: Open[ActivationStatus]
    blocked_reason: str | None


class UnblockActivationRequest(RequestModel):
    """Request of ``activation/unblock``."""

    activation_id: RequiredText
    external_user_id: FreeText | None = None
    application_ids: list[str] | None = None


class UnblockActivationResponse(WireModel):
    """State after the call."""

    activation_id: str
    activation_status: Open[ActivationStatus]


class RemoveActivationRequest(RequestModel):
    """Request of ``activation/remove``."""

    activation_id: RequiredText
    external_user_id: FreeText | None = None
    revoke_recovery_codes: Switch = False
    application_ids: list[str] | None = None


class RemoveActivationResponse(WireModel):
    """The activation is removed."""

    activation_id: str
    removed: bool


class RenameActivationRequest(RequestModel):
    """Request of ``activation/name/update``."""

    activation_id: RequiredText
    activation_name: Annotated[RequiredText, Field(max_length=255)]
    external_user_id: FreeText | None = None
    application_ids: list[str] | None = None


class RenameActivationResponse(WireModel):
    """Name and state after the call."""

    activation_id: str
    activation_name: str
    activation_status: Open[ActivationStatus]


class ActivationHistoryRequest(RequestModel):
    """Request of ``activation/history``; a missing bound leaves the range open."""

    activation_id: RequiredText
    timestamp_from: CoreDateTime | None = None
    timestamp_to: CoreDateTime | None = None
    application_ids: list[str] | None = None


class ActivationHistoryItem(WireModel):
    """One row of an activation's history."""

    id: int
    activation_id: str
    activation_status: Open[ActivationStatus] | None
    event_reason: str | None
    external_user_id: str | None
    activation_name: str | None
    timestamp_created: CoreDateTime
    version: int | None


class ActivationHistoryResponse(WireModel):
    """History of an activation, newest first."""

    items: list[ActivationHistoryItem]


class ListFlagsRequest(RequestModel):
    """Request of ``activation/flags/list``."""

    activation_id: RequiredText
    application_ids: list[str] | None = None


class ChangeFlagsRequest(RequestModel):
    """Request of ``activation/flags/create``, ``…/update`` and ``…/remove``."""

    activation_id: RequiredText
    activation_flags: Annotated[list[Flag], Field(min_length=1)]
    application_ids: list[str] | None = None


class FlagsResponse(WireModel):
    """The flags after the call."""

    activation_id: str
    activation_flags: list[str]


LIST = Call(
    "/rest/v3/activation/list",
    ListActivationsRequest,
    ListActivationsResponse,
    "Activations of a user.",
    fast=True,
)
LOOKUP = Call(
    "/rest/v3/activation/lookup",
    LookupActivationsRequest,
    LookupActivationsResponse,
    "Activations of several users.",
)
HISTORY = Call(
    "/rest/v3/activation/history",
    ActivationHistoryRequest,
    ActivationHistoryResponse,
    "What happened to an activation.",
)
STATUS_UPDATE = Call(
    "/rest/v3/activation/status/update",
    UpdateStatusRequest,
    UpdateStatusResponse,
    "Force a state on activations.",
)
BLOCK = Call(
    "/rest/v3/activation/block", BlockActivationRequest, BlockActivationResponse, "Block an activation."
)
UNBLOCK = Call(
    "/rest/v3/activation/unblock",
    UnblockActivationRequest,
    UnblockActivationResponse,
    "Unblock an activation.",
)
REMOVE = Call(
    "/rest/v3/activation/remove", RemoveActivationRequest, RemoveActivationResponse, "Remove an activation."
)
NAME_UPDATE = Call(
    "/rest/v3/activation/name/update",
    RenameActivationRequest,
    RenameActivationResponse,
    "Rename an activation.",
)
FLAGS_LIST = Call(
    "/rest/v3/activation/flags/list", ListFlagsRequest, FlagsResponse, "Flags of an activation."
)
FLAGS_CREATE = Call(
    "/rest/v3/activation/flags/create", ChangeFlagsRequest, FlagsResponse, "Add flags to an activation."
)
FLAGS_UPDATE = Call(
    "/rest/v3/activation/flags/update",
    ChangeFlagsRequest,
    FlagsResponse,
    "Replace the flags of an activation.",
)
FLAGS_REMOVE = Call(
    "/rest/v3/activation/flags/remove", ChangeFlagsRequest, FlagsResponse, "Take flags from an activation."
)
