"""Transitions of a locked operation, each with audit record, event and callbacks (spec/core-api.md §23.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import OperationStatus, UserActionResult
from powerauth_core.kernel.changes import Listeners, OperationChanged, OperationStep
from powerauth_core.operations import rules
from powerauth_core.operations.rules import ApprovalAttempt, ProximityResult
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.user_agent import with_device

AdditionalData = Mapping[str, Any] | None


async def created(listeners: Listeners, session: AsyncSession, operation: StoredOperation) -> None:
    """Announce a new operation."""
    await listeners.operation_changed(session, _change(operation, OperationStep.CREATED))


async def claim(
    listeners: Listeners, session: AsyncSession, operation: StoredOperation, user_id: str
) -> None:
    """Make the user the owner of an operation without one."""
    if operation.row.user_id is None:
        operation.row.user_id = user_id
        await _announce(listeners, session, operation, OperationStep.CLAIMED)


async def attempt_approval(
    listeners: Listeners,
    session: AsyncSession,
    operation: StoredOperation,
    attempt: ApprovalAttempt,
    additional_data: AdditionalData,
    now: datetime,
) -> UserActionResult:
    """Approve the pending operation, or count a failure (§19.7 steps 2 to 4)."""
    facts = operation.facts()
    matches = rules.activation_fits(facts, attempt.activation_id)
    if not rules.approval_succeeds(facts, attempt):
        return await count_failure(
            listeners,
            session,
            operation,
            additional_data,
            now,
            proximity=attempt.proximity,
            activation_id_matches=matches,
        )
    row = operation.row
    row.user_id = attempt.user_id
    _finish(operation, OperationStatus.APPROVED, now)
    _merge(operation, additional_data)
    await _announce(
        listeners,
        session,
        operation,
        OperationStep.APPROVED,
        attempt.proximity,
        activation_id_matches=matches,
    )
    return UserActionResult.APPROVED


async def count_failure(
    listeners: Listeners,
    session: AsyncSession,
    operation: StoredOperation,
    additional_data: AdditionalData,
    now: datetime,
    *,
    proximity: ProximityResult | None = None,
    activation_id_matches: bool | None = None,
) -> UserActionResult:
    """Count one failed approval of the pending operation; the last allowed one makes it FAILED (§23.3)."""
    row = operation.row
    counted = rules.count_failure(row.failure_count, row.max_failure_count)
    row.failure_count = counted.failure_count
    _merge(operation, additional_data)
    final = counted.status is OperationStatus.FAILED
    if final:
        _finish(operation, OperationStatus.FAILED, now)
    step = OperationStep.FAILED if final else OperationStep.APPROVAL_FAILED
    await _announce(
        listeners, session, operation, step, proximity, activation_id_matches=activation_id_matches
    )
    return counted.result


async def reject(
    listeners: Listeners,
    session: AsyncSession,
    operation: StoredOperation,
    user_id: str,
    additional_data: AdditionalData,
    now: datetime,
) -> None:
    """Reject the pending operation for its user."""
    operation.row.user_id = user_id
    _finish(operation, OperationStatus.REJECTED, now)
    _merge(operation, additional_data)
    await _announce(listeners, session, operation, OperationStep.REJECTED)


async def cancel(
    listeners: Listeners,
    session: AsyncSession,
    operation: StoredOperation,
    additional_data: AdditionalData,
    status_reason: str | None,
) -> None:
    """Cancel the pending operation; ``timestampFinalized`` stays empty, as callers know it (§33 item 8)."""
    operation.row.status = OperationStatus.CANCELED
    operation.row.status_reason = status_reason
    _merge(operation, additional_data)
    await _announce(listeners, session, operation, OperationStep.CANCELED)


async def expire(listeners: Listeners, session: AsyncSession, operation: StoredOperation) -> None:
    """Store that the pending operation has expired; ``timestampFinalized`` stays empty (§23.1)."""
    operation.row.status = OperationStatus.EXPIRED
    await _announce(listeners, session, operation, OperationStep.EXPIRED)


def _finish(operation: StoredOperation, status: OperationStatus, now: datetime) -> None:
    operation.row.status = status
    operation.row.timestamp_finalized = now


def _merge(operation: StoredOperation, additional_data: AdditionalData) -> None:
    if additional_data:
        operation.row.additional_data = {**(operation.row.additional_data or {}), **additional_data}


async def _announce(
    listeners: Listeners,
    session: AsyncSession,
    operation: StoredOperation,
    step: OperationStep,
    proximity: ProximityResult | None = None,
    *,
    activation_id_matches: bool | None = None,
) -> None:
    """Write the change and tell everybody."""
    await session.flush()
    change = _change(operation, step, proximity, activation_id_matches=activation_id_matches)
    await listeners.operation_changed(session, change)


def _change(
    operation: StoredOperation,
    step: OperationStep,
    proximity: ProximityResult | None = None,
    *,
    activation_id_matches: bool | None = None,
) -> OperationChanged:
    row = operation.row
    return OperationChanged(
        step=step,
        operation_id=row.id,
        user_id=row.user_id,
        applications=operation.applications,
        activation_id=row.activation_id,
        external_id=row.external_id,
        activation_flag=row.activation_flag,
        operation_type=row.operation_type,
        template_name=row.template_name,
        data=row.data,
        parameters=row.parameters or {},
        additional_data=with_device(row.additional_data or {}),
        signature_types=[name.upper() for name in row.signature_type.split(",") if name],
        status=row.status,
        status_reason=row.status_reason,
        failure_count=row.failure_count,
        max_failure_count=row.max_failure_count,
        created=row.timestamp_created,
        expires=row.timestamp_expires,
        finalized=row.timestamp_finalized,
        proximity=None if proximity is None else proximity.value,
        activation_id_matches=activation_id_matches,
    )
