"""How operations look to callers: the full view inside the network, the reduced one at the dmz door."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from powerauth_core.operations.proximity import OTP_MEMBER
from powerauth_core.operations.repository import StoredOperation
from powerauth_core.operations.rules import ProximityResult
from powerauth_core.operations.schemas import DoorOperation, OperationDetailResponse
from powerauth_core.operations.user_agent import with_device
from servicekit import clock


def detail_view(
    operation: StoredOperation,
    now: datetime,
    *,
    proximity_otp: str | None = None,
    device: bool = False,
) -> OperationDetailResponse:
    """The view of callers inside the network (spec/core-api.md §19.1).

    :param proximity_otp: current proximity code, for the calls that show it
    :param device: add the ``device`` of the user agent to the additional data
    """
    row = operation.row
    additional_data = row.additional_data or {}
    return OperationDetailResponse(
        id=row.id,
        user_id=row.user_id,
        applications=list(operation.applications),
        external_id=row.external_id,
        activation_flag=row.activation_flag,
        operation_type=row.operation_type,
        template_name=row.template_name,
        data=row.data,
        parameters=row.parameters or {},
        additional_data=with_device(additional_data) if device else additional_data,
        status=operation.status_at(now),
        status_reason=row.status_reason,
        signature_type=list(operation.signature_types),
        failure_count=row.failure_count,
        max_failure_count=row.max_failure_count,
        timestamp_created=row.timestamp_created,
        timestamp_expires=row.timestamp_expires,
        timestamp_finalized=row.timestamp_finalized,
        risk_flags=row.risk_flags,
        proximity_otp=proximity_otp,
        activation_id=row.activation_id,
    )


def door_view(operation: StoredOperation, now: datetime) -> DoorOperation:
    """The view of devices: whether there is a proximity check, never its code (enrollment-api §11.5)."""
    row = operation.row
    return DoorOperation(
        id=row.id,
        operation_type=row.operation_type,
        data=row.data,
        status=operation.status_at(now),
        status_reason=row.status_reason,
        parameters=row.parameters or {},
        risk_flags=row.risk_flags,
        signature_type=[kind.value.lower() for kind in operation.signature_types],
        timestamp_created=row.timestamp_created,
        timestamp_expires=row.timestamp_expires,
        proximity_check=row.totp_seed is not None,
        activation_flag=row.activation_flag,
    )


def audit_view(
    operation: StoredOperation,
    *,
    proximity: ProximityResult | None = None,
    activation_id_matches: bool | None = None,
) -> dict[str, Any]:
    """Parameters of an audit record (spec/core-api.md §19.8), without the proximity code.

    :param proximity: outcome of the proximity check of an approval
    :param activation_id_matches: whether the approving activation is the bound one
    """
    row = operation.row
    view: dict[str, Any] = {
        "id": row.id,
        "userId": row.user_id,
        "applications": list(operation.applications),
        "activationId": row.activation_id,
        "externalId": row.external_id,
        "activationFlag": row.activation_flag,
        "operationType": row.operation_type,
        "template": row.template_name,
        "data": row.data,
        "parameters": row.parameters or {},
        "additionalData": _without_otp(with_device(row.additional_data or {})),
        "status": row.status.value,
        "statusReason": row.status_reason,
        "failureCount": row.failure_count,
        "maxFailureCount": row.max_failure_count,
        "timestampCreated": clock.isoformat_core(row.timestamp_created),
        "timestampExpires": clock.isoformat_core(row.timestamp_expires),
        "timestampFinalized": _moment(row.timestamp_finalized),
    }
    if proximity is not None:
        view["proximityCheckResult"] = proximity.value
    if activation_id_matches is not None:
        view["activationIdMatches"] = activation_id_matches
    return view


def _without_otp(additional_data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in additional_data.items() if name != OTP_MEMBER}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else clock.isoformat_core(moment)
