"""Wire models of operations (spec/cloud-api.md §2.2, §5, §6)."""

from __future__ import annotations

import re
from types import NoneType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud.verification import RegistrationId
from powerauth_contracts.wire import EpochMillis, RequestModel, StatusResponse, WireModel
from powerauth_protocol.common.json_text import characters

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def _parameter(value: object) -> str:
    """A scalar's own characters; control characters would end up on the device's screen."""
    value = characters(value)
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be a string")
    if _CONTROL.search(value):
        raise PydanticCustomError("control_character", "must not contain control characters")
    return value


ParameterValue = Annotated[str, BeforeValidator(_parameter)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")]
OptionalUserId = Annotated[str | None, Field(min_length=1, max_length=255)]


class CreateOperation(RequestModel):
    """``POST /v2/operations``."""

    user_id: OptionalUserId = None
    template: str = Field(min_length=1, max_length=255)
    language: Language = "en"
    external_id: str | None = Field(default=None, max_length=255)
    flag: str | None = Field(default=None, min_length=1, max_length=255)
    timestamp_expires: EpochMillis | None = None
    parameters: dict[str, ParameterValue] | None = None
    proximity_check_enabled: bool | None = None
    silent: bool = False
    additional_data: dict[str, Any] | None = None
    registration_id: RegistrationId | None = None
    applications: list[str] | None = None


PushSent = Annotated[
    bool | None,
    Field(description="Whether the user is told of it by push; in the answer to a creation only"),
]


class Operation(WireModel):
    """§2.2. ``additionalData`` is absent in the answer to a creation only."""

    operation_id: str
    user_id: str | None = None
    status: str
    status_reason: str | None = None
    template: str | None = None
    operation_type: str
    external_id: str | None = None
    parameters: dict[str, str | None]
    additional_data: dict[str, Any] | None = None
    failure_count: int
    max_failure_count: int | None = None
    timestamp_created: EpochMillis
    timestamp_expires: EpochMillis
    timestamp_finalized: EpochMillis | None = None
    proximity_otp: str | None = None
    number_matching: str | None = Field(
        default=None,
        description="The number that the bank shows and the user finds on the phone; while it is pending",
    )
    data: str
    signature_type: list[str]
    flag: str | None = None
    registration_id: str | None = None
    risk_flags: str | None = None
    applications: list[str]
    push_sent: PushSent = None
    warnings: list[str] | None = Field(
        default=None, description="What will keep the app from showing it; in the answer to a creation only"
    )


class CreateSingleOperation(RequestModel):
    """``POST /operations``."""

    user_id: OptionalUserId = None
    template: str = Field(min_length=1, max_length=255)
    language: Language = "en"
    external_id: str | None = Field(default=None, max_length=255)
    parameters: dict[str, ParameterValue] | None = None


class SingleOperation(WireModel):
    """The operation of version 1 (§6). ``additionalData`` is absent in the answer to a creation."""

    operation_id: str
    user_id: str | None = None
    status: str
    operation_type: str
    template: str | None = None
    external_id: str | None = None
    parameters: dict[str, str | None]
    additional_data: dict[str, Any] | None = None
    failure_count: int
    max_failure_count: int | None = None
    timestamp_created: EpochMillis
    timestamp_expires: EpochMillis
    push_sent: PushSent = None
    number_matching: str | None = None
    warnings: list[str] | None = None


class Operations(WireModel):
    operations: list[Operation]


class ClaimOperation(RequestModel):
    """``POST /v2/operations/{operationId}/claim``."""

    user_id: str = Field(min_length=1, max_length=255)


class FailOperation(RequestModel):
    """``POST /v2/operations/{operationId}/fail``."""

    additional_data: dict[str, Any] | None = None


class RejectOperation(RequestModel):
    """``POST /v2/operations/{operationId}/reject``."""

    user_id: str = Field(min_length=1, max_length=255)
    app_id: str
    status_reason: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.\-]{1,32}$")
    additional_data: dict[str, Any] | None = None


CREATE_OPERATION = Endpoint("createOperation", "POST", "/operations", CreateSingleOperation, SingleOperation)
GET_OPERATION = Endpoint("getOperation", "GET", "/operations", NoneType, SingleOperation)
CANCEL_OPERATION = Endpoint("cancelOperation", "DELETE", "/operations", NoneType, StatusResponse)
CREATE_OPERATION_V2 = Endpoint(
    "createOperationV2", "POST", "/v2/operations", CreateOperation, Operation, fast=True
)
LIST_OPERATIONS_V2 = Endpoint("listOperationsV2", "GET", "/v2/operations", NoneType, Operations)
GET_OPERATION_V2 = Endpoint(
    "getOperationV2", "GET", "/v2/operations/{operationId}", NoneType, Operation, fast=True
)
CANCEL_OPERATION_V2 = Endpoint(
    "cancelOperationV2", "DELETE", "/v2/operations/{operationId}", NoneType, StatusResponse
)
CLAIM_OPERATION = Endpoint(
    "claimOperation", "POST", "/v2/operations/{operationId}/claim", ClaimOperation, Operation
)
FAIL_OPERATION = Endpoint(
    "failOperation", "POST", "/v2/operations/{operationId}/fail", FailOperation, Operation
)
REJECT_OPERATION = Endpoint(
    "rejectOperation", "POST", "/v2/operations/{operationId}/reject", RejectOperation, Operation
)
