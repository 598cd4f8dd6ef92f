"""Wire models for looking at activations and administering them (spec/core-api.md §2.3, §7.7 to §7.15)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_contracts.fields import MANY, FreeText, PageNumber, PageSize, RequiredText, Switch
from powerauth_contracts.rest.activations import Flag
from powerauth_contracts.wire import CoreDateTime, RequestModel, WireModel


class ActivationItem(WireModel):
    """One activation in a listing."""

    activation_id: str
    activation_status: ActivationStatus
    blocked_reason: str | None
    activation_name: str | None
    external_id: str | None
    extras: str | None
    protocol: ActivationProtocol
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
    activation_status: ActivationStatus
    blocked_reason: str | None


class UnblockActivationRequest(RequestModel):
    """Request of ``activation/unblock``."""

    activation_id: RequiredText
    external_user_id: FreeText | None = None
    application_ids: list[str] | None = None


class UnblockActivationResponse(WireModel):
    """State after the call."""

    activation_id: str
    activation_status: ActivationStatus


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
    activation_status: ActivationStatus


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
    activation_status: ActivationStatus | None
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
