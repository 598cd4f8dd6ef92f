"""Wire models of the operation calls (spec/core-api.md §19)."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from powerauth_core.enums import OperationStatus, SignatureType, UserActionResult
from powerauth_core.operations.rules import MAX_NESTING
from powerauth_core.templates.validation import (
    INT32_MAX,
    CheckedRequest,
    at_most,
    in_range,
    is_nested_deeper_than,
    not_blank,
    not_empty,
    not_null,
)
from servicekit.wire import CoreDateTime, EpochMillis, WireModel

Scope = list[str] | None
"""``applicationIds``: the applications that the caller may touch; null = all (D21)."""


def _of_bounded_depth(value: dict[str, Any]) -> dict[str, Any]:
    if is_nested_deeper_than(value, MAX_NESTING):
        raise PydanticCustomError("too_deep", "Additional data must not be nested so deep")
    return value


AdditionalData = Annotated[dict[str, Any], AfterValidator(_of_bounded_depth)] | None

_PageNumber = Annotated[int, in_range(0, INT32_MAX, "Page number must not be negative")]
_PageSize = Annotated[int, in_range(1, INT32_MAX, "Page size must be positive")]


class OperationCreateRequest(CheckedRequest):
    """``operation/create``."""

    user_id: (
        Annotated[
            str,
            not_empty("User ID must not be empty when creating operation"),
            at_most(255, "User ID must not exceed 255 characters when creating operation"),
        ]
        | None
    ) = None
    applications: Annotated[
        list[str], not_empty("Application ID list must not be null or empty when creating operation")
    ]
    activation_flag: (
        Annotated[str, at_most(255, "Activation flag must not exceed 255 characters when creating operation")]
        | None
    ) = None
    template_name: Annotated[str, not_blank("Template name must not be empty when creating operation")]
    timestamp_expires: CoreDateTime | None = None
    external_id: (
        Annotated[str, at_most(255, "External ID must not exceed 255 characters when creating operation")]
        | None
    ) = None
    parameters: dict[str, str | None] | None = None
    additional_data: AdditionalData = None
    proximity_check_enabled: bool | None = None
    activation_id: (
        Annotated[str, at_most(37, "Activation ID must not exceed 37 characters when creating operation")]
        | None
    ) = None
    application_ids: Scope = None


class OperationDetailRequest(CheckedRequest):
    """``operation/detail``. A ``userId`` does not claim; it hides other owners' pending operations."""

    operation_id: Annotated[str, not_blank("Operation ID must not be empty when requesting operation detail")]
    user_id: str | None = None
    application_ids: Scope = None


class OperationClaimRequest(CheckedRequest):
    """``operation/claim``."""

    operation_id: Annotated[str, not_blank("Operation ID must not be empty when requesting operation claim")]
    user_id: Annotated[
        str,
        not_blank("User ID must not be empty when requesting operation claim"),
        at_most(255, "User ID must not exceed 255 characters when requesting operation claim"),
    ]
    application_ids: Scope = None


class OperationListRequest(CheckedRequest):
    """``operation/list`` and ``operation/list/pending``."""

    user_id: Annotated[str, not_blank("User ID must not be empty when requesting operation list")]
    applications: Annotated[
        list[str], not_empty("Application ID must not be null or empty when requesting operation list")
    ]
    activation_id: str | None = None
    page_number: _PageNumber | None = None
    page_size: _PageSize | None = None
    application_ids: Scope = None


class OperationExternalListRequest(CheckedRequest):
    """``operation/list/external``."""

    external_id: Annotated[
        str, not_blank("External ID must not be empty when requesting operation lookup by external ID")
    ]
    applications: Annotated[
        list[str],
        not_empty("Application ID must not be null or empty when requesting operation lookup by external ID"),
    ]
    page_number: _PageNumber | None = None
    page_size: _PageSize | None = None
    application_ids: Scope = None


class OperationApproveRequest(CheckedRequest):
    """``operation/approve``."""

    operation_id: Annotated[str, not_blank("Operation ID must not be empty when approving operation")]
    user_id: Annotated[
        str,
        not_blank("User ID must not be empty when approving operation"),
        at_most(255, "User ID must not exceed 255 characters when approving operation"),
    ]
    application_id: Annotated[
        str, not_blank("Application ID must not be null or empty when approving operation")
    ]
    data: Annotated[str, not_empty("Data must not be empty when approving operation")]
    signature_type: Annotated[
        SignatureType, not_null("Signature type must not be empty when approving operation")
    ]
    additional_data: AdditionalData = None
    application_ids: Scope = None


class OperationFailApprovalRequest(CheckedRequest):
    """``operation/approve/fail``."""

    operation_id: Annotated[str, not_blank("Operation ID must not be empty when approving operation")]
    additional_data: AdditionalData = None
    application_ids: Scope = None


class OperationRejectRequest(CheckedRequest):
    """``operation/reject``."""

    operation_id: Annotated[str, not_blank("Operation ID must not be empty when rejecting operation")]
    user_id: Annotated[
        str,
        not_blank("User ID must not be empty when rejecting operation"),
        at_most(255, "User ID must not exceed 255 characters when rejecting operation"),
    ]
    application_id: Annotated[
        str, not_blank("Application ID must not be null or empty when rejecting operation")
    ]
    additional_data: AdditionalData = None
    application_ids: Scope = None


class OperationCancelRequest(CheckedRequest):
    """``operation/cancel``; ``statusReason`` is a code, not a text."""

    operation_id: Annotated[str, not_blank("Operation ID must not be empty when cancelling operation")]
    additional_data: AdditionalData = None
    status_reason: (
        Annotated[str, at_most(32, "Status reason must not exceed 32 characters when cancelling operation")]
        | None
    ) = None
    application_ids: Scope = None


class OperationDetailResponse(WireModel):
    """An operation as callers inside the network see it (§19.1)."""

    id: str
    user_id: str | None
    applications: list[str]
    external_id: str | None
    activation_flag: str | None
    operation_type: str
    template_name: str | None
    data: str
    parameters: dict[str, str | None]
    additional_data: dict[str, Any] = Field(description="`device` is added where the user agent tells it")
    status: OperationStatus
    status_reason: str | None
    signature_type: list[SignatureType]
    failure_count: int
    max_failure_count: int
    timestamp_created: CoreDateTime
    timestamp_expires: CoreDateTime
    timestamp_finalized: CoreDateTime | None
    risk_flags: str | None
    proximity_otp: str | None
    activation_id: str | None


class OperationUserActionResponse(WireModel):
    """Outcome of an approval, a failed approval or a rejection, and the operation after it."""

    result: UserActionResult
    operation: OperationDetailResponse


class DoorOperation(WireModel):
    """An operation at the dmz door: lower-case signature types, times in ms, no proximity code."""

    id: str
    operation_type: str
    data: str
    status: OperationStatus
    status_reason: str | None
    parameters: dict[str, str | None]
    risk_flags: str | None
    signature_type: list[str]
    timestamp_created: EpochMillis
    timestamp_expires: EpochMillis
    proximity_check: bool
    activation_flag: str | None
