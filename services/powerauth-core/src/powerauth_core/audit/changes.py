"""What the general audit log keeps of changes (spec/core-api.md §19.8, §22.5, §27)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationStatus
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.changes import PROXIMITY_OTP, ActivationChanged, OperationChanged


async def activation_changed(session: AsyncSession, change: ActivationChanged) -> None:
    """Record an activation's change."""
    message = f"Activation status: {change.status.value}"
    await audit.record(session, AuditType.ACTIVATION, message, _activation_params(change), change.user_id)


async def operation_changed(session: AsyncSession, change: OperationChanged) -> None:
    """Record an operation's change, without the proximity code."""
    params = _operation_params(change)
    await audit.record(session, AuditType.OPERATION, change.step.value, params, change.user_id)


def _activation_params(change: ActivationChanged) -> dict[str, Any]:
    params: dict[str, Any] = {
        "activationId": change.activation_id,
        "userId": change.user_id,
        "applicationId": change.application_id,
        "status": change.status.value,
        "maxFailedAttempts": change.max_failed_attempts,
    }
    if change.status is not ActivationStatus.CREATED:
        params |= {
            "activationName": change.name,
            "platform": change.platform,
            "failedAttempts": change.failed_attempts,
            "deviceInfo": change.device_info,
            "reason": change.reason,
            "activationVersion": change.version,
        }
    if change.external_user_id is not None:
        params["externalUserId"] = change.external_user_id
    return params


def _operation_params(change: OperationChanged) -> dict[str, Any]:
    additional_data = {name: value for name, value in change.additional_data.items() if name != PROXIMITY_OTP}
    params: dict[str, Any] = {
        "id": change.operation_id,
        "userId": change.user_id,
        "applications": list(change.applications),
        "activationId": change.activation_id,
        "externalId": change.external_id,
        "activationFlag": change.activation_flag,
        "operationType": change.operation_type,
        "template": change.template_name,
        "data": change.data,
        "parameters": change.parameters,
        "additionalData": additional_data,
        "status": change.status.value,
        "statusReason": change.status_reason,
        "failureCount": change.failure_count,
        "maxFailureCount": change.max_failure_count,
        "timestampCreated": moments.isoformat_core(change.created),
        "timestampExpires": moments.isoformat_core(change.expires),
        "timestampFinalized": None if change.finalized is None else moments.isoformat_core(change.finalized),
    }
    if change.proximity is not None:
        params["proximityCheckResult"] = change.proximity
    if change.activation_id_matches is not None:
        params["activationIdMatches"] = change.activation_id_matches
    return params
