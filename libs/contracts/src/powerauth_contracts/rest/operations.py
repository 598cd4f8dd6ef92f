"""Wire models of the operation calls (spec/core-api.md §19)."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import OperationStatus, SignatureType, UserActionResult
from powerauth_contracts.fields import (
    MAX_NESTING,
    Name,
    PageNumber,
    PageSize,
    RequiredText,
    is_nested_deeper_than,
)
from powerauth_contracts.wire import CoreDateTime, Open, RequestModel, WireModel

Scope = list[str] | None
"""``applicationIds``: the applications that the caller may touch; null = all (D21)."""


def _of_bounded_depth(value: dict[str, Any]) -> dict[str, Any]:
    if is_nested_deeper_than(value, MAX_NESTING):
        raise PydanticCustomError("too_deep", "must not be nested so deep")
    return value


AdditionalData = Annotated[dict[str, Any], AfterValidator(_of_bounded_depth)] | None

Applications = Annotated[list[str], Field(min_length=1)]
OperationId = RequiredText


class OperationCreateRequest(RequestModel):
    """``operation/create``."""

    user_id: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    applications: Applications
    activation_flag: Annotated[str, Field(max_length=255)] | None = None
    template_name: RequiredText
    timestamp_expires: CoreDateTime | None = None
    external_id: Annotated[str, Field(max_length=255)] | None = None
    parameters: dict[str, str | None] | None = None
    additional_data: AdditionalData = None
    proximity_check_enabled: bool | None = None
    activation_id: Annotated[str, Field(max_length=37)] | None = None
    application_ids: Scope = None


class OperationDetailRequest(RequestModel):
    """``operation/detail``. A ``userId`` does not claim; it hides other owners' pending operations."""

    operation_id: OperationId
    user_id: str | None = None
    application_ids: Scope = None


class OperationClaimRequest(RequestModel):
    """``operation/claim``."""

    operation_id: OperationId
    user_id: Name
    application_ids: Scope = None


class OperationListRequest(RequestModel):
    """``operation/list`` and ``operation/list/pending``."""

    user_id: RequiredText
    applications: Applications
    activation_id: str | None = None
    page_number: PageNumber | None = None
    page_size: PageSize | None = None
    application_ids: Scope = None


class OperationExternalListRequest(RequestModel):
    """``operation/list/external``."""

    external_id: RequiredText
    applications: Applications
    page_number: PageNumber | None = None
    page_size: PageSize | None = None
    application_ids: Scope = None


class OperationApproveRequest(RequestModel):
    """``operation/approve``."""

    operation_id: OperationId
    user_id: Name
    application_id: RequiredText
    data: Annotated[str, Field(min_length=1)]
    signature_type: SignatureType
    number_matching: Annotated[str, Field(max_length=32)] | None = None
    additional_data: AdditionalData = None
    application_ids: Scope = None


class OperationFailApprovalRequest(RequestModel):
    """``operation/approve/fail``."""

    operation_id: OperationId
    additional_data: AdditionalData = None
    application_ids: Scope = None


class OperationRejectRequest(RequestModel):
    """``operation/reject``; ``statusReason`` is a code, not a text."""

    operation_id: OperationId
    user_id: Name
    application_id: RequiredText
    additional_data: AdditionalData = None
    status_reason: Annotated[str, Field(max_length=32)] | None = None
    application_ids: Scope = None


class OperationCancelRequest(RequestModel):
    """``operation/cancel``; ``statusReason`` is a code, not a text."""

    operation_id: OperationId
    additional_data: AdditionalData = None
    status_reason: Annotated[str, Field(max_length=32)] | None = None
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
    status: Open[OperationStatus]
    status_reason: str | None
    signature_type: list[Open[SignatureType]]
    failure_count: int
    max_failure_count: int
    timestamp_created: CoreDateTime
    timestamp_expires: CoreDateTime
    timestamp_finalized: CoreDateTime | None
    risk_flags: str | None
    proximity_otp: str | None
    activation_id: str | None
    number_matching: str | None = Field(
        default=None, description="The number that the user is to find on the phone; create and detail only"
    )


class OperationUserActionResponse(WireModel):
    """Outcome of an approval, a failed approval or a rejection, and the operation after it."""

    result: Open[UserActionResult]
    operation: OperationDetailResponse


CREATE = Call(
    "/rest/v3/operation/create",
    OperationCreateRequest,
    OperationDetailResponse,
    "Make an operation from a template.",
    fast=True,
)
DETAIL = Call(
    "/rest/v3/operation/detail",
    OperationDetailRequest,
    OperationDetailResponse,
    "Show one operation.",
    fast=True,
)
CLAIM = Call(
    "/rest/v3/operation/claim",
    OperationClaimRequest,
    OperationDetailResponse,
    "Give a pending operation without owner to a user.",
)
LIST = Call(
    "/rest/v3/operation/list",
    OperationListRequest,
    list[OperationDetailResponse],
    "Operations of a user.",
    fast=True,
)
LIST_PENDING = Call(
    "/rest/v3/operation/list/pending",
    OperationListRequest,
    list[OperationDetailResponse],
    "Pending operations of a user.",
    fast=True,
)
LIST_EXTERNAL = Call(
    "/rest/v3/operation/list/external",
    OperationExternalListRequest,
    list[OperationDetailResponse],
    "Operations with an external id.",
)
APPROVE = Call(
    "/rest/v3/operation/approve",
    OperationApproveRequest,
    OperationUserActionResponse,
    "Approve an operation, or count a failed approval.",
)
APPROVE_FAIL = Call(
    "/rest/v3/operation/approve/fail",
    OperationFailApprovalRequest,
    OperationUserActionResponse,
    "Count a failed approval.",
)
REJECT = Call(
    "/rest/v3/operation/reject",
    OperationRejectRequest,
    OperationUserActionResponse,
    "Reject an operation for its user.",
)
CANCEL = Call(
    "/rest/v3/operation/cancel", OperationCancelRequest, OperationDetailResponse, "Cancel an operation."
)
