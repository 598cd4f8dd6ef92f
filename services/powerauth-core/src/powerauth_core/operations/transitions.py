"""Transitions of a locked operation, each with audit record, event and callbacks (spec/core-api.md §23.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core import events
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.callbacks import service as callbacks
from powerauth_core.kernel.enums import OperationStatus, UserActionResult
from powerauth_core.operations import rules
from powerauth_core.operations.repository import StoredOperation
from powerauth_core.operations.rules import ApprovalAttempt, ProximityResult
from powerauth_core.operations.views import audit_view

if TYPE_CHECKING:
    from powerauth_core.container import Core

AdditionalData = Mapping[str, Any] | None


async def created(core: Core, session: AsyncSession, operation: StoredOperation) -> None:
    """Announce a new operation."""
    row = operation.row
    params = audit_view(operation)
    await audit.record(session, AuditType.OPERATION, "Operation created", params, row.user_id)
    await events.operation_created(session, row, operation.applications)
    await callbacks.enqueue_operation(core, session, row, operation.applications)


async def claim(session: AsyncSession, operation: StoredOperation, user_id: str) -> None:
    """Make the user the owner of an operation without one; nobody is told (§18.2)."""
    if operation.row.user_id is None:
        operation.row.user_id = user_id
        await session.flush()
        params = audit_view(operation)
        await audit.record(session, AuditType.OPERATION, "Operation claimed", params, user_id)


async def attempt_approval(
    core: Core,
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
            core,
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
    params = audit_view(operation, proximity=attempt.proximity, activation_id_matches=matches)
    await _announce(core, session, operation, "Operation approved", params)
    return UserActionResult.APPROVED


async def count_failure(
    core: Core,
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
    params = audit_view(operation, proximity=proximity, activation_id_matches=activation_id_matches)
    message = "Operation failed" if final else "Operation approval failed"
    await _announce(core, session, operation, message, params, status_changed=final)
    return counted.result


async def reject(
    core: Core,
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
    await _announce(core, session, operation, "Operation rejected", audit_view(operation))


async def cancel(
    core: Core,
    session: AsyncSession,
    operation: StoredOperation,
    additional_data: AdditionalData,
    status_reason: str | None,
) -> None:
    """Cancel the pending operation; ``timestampFinalized`` stays empty, as callers know it (§33 item 8)."""
    operation.row.status = OperationStatus.CANCELED
    operation.row.status_reason = status_reason
    _merge(operation, additional_data)
    await _announce(core, session, operation, "Operation canceled", audit_view(operation))


async def expire(core: Core, session: AsyncSession, operation: StoredOperation) -> None:
    """Store that the pending operation has expired; ``timestampFinalized`` stays empty (§23.1)."""
    operation.row.status = OperationStatus.EXPIRED
    await _announce(core, session, operation, "Operation expired", audit_view(operation))


def _finish(operation: StoredOperation, status: OperationStatus, now: datetime) -> None:
    operation.row.status = status
    operation.row.timestamp_finalized = now


def _merge(operation: StoredOperation, additional_data: AdditionalData) -> None:
    if additional_data:
        operation.row.additional_data = {**(operation.row.additional_data or {}), **additional_data}


async def _announce(
    core: Core,
    session: AsyncSession,
    operation: StoredOperation,
    message: str,
    params: Mapping[str, Any],
    *,
    status_changed: bool = True,
) -> None:
    """Write the change, its audit record and callbacks; the event only if the status changed (D20)."""
    row = operation.row
    await session.flush()
    await audit.record(session, AuditType.OPERATION, message, params, row.user_id)
    if status_changed:
        await events.operation_status_changed(session, row, operation.applications)
    await callbacks.enqueue_operation(core, session, row, operation.applications)
