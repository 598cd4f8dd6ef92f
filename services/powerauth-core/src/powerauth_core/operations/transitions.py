"""Transitions of an operation: what it is afterwards and what others hear of it, decided from values alone
(spec/core-api.md §23.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from powerauth_contracts.enums import OperationStatus, UserActionResult
from powerauth_core.kernel.changes import OperationChanged, OperationStep
from powerauth_core.operations import rules
from powerauth_core.operations.rules import ApprovalAttempt
from powerauth_core.operations.stored import OperationRow, StoredOperation
from powerauth_core.operations.user_agent import with_device

AdditionalData = Mapping[str, Any] | None
OF_APPROVAL = frozenset({"activationId", "authFactor", "credentialId", "userVerified"})
"""Members of the additional data that tokens are made of: after an approval they are what it said, or absent,
whatever was said when the operation was created or a failure counted (spec/device-trust.md §2.5)."""


@dataclass(slots=True)
class Transition:
    """A change of an operation.

    :ivar operation: as it is afterwards
    :ivar change: what others hear of it
    """

    operation: StoredOperation
    change: OperationChanged

    @property
    def result(self) -> UserActionResult:
        """How an approval, a failed one or a rejection is answered."""
        return _RESULTS[self.change.step]


_RESULTS = {
    OperationStep.APPROVED: UserActionResult.APPROVED,
    OperationStep.APPROVAL_FAILED: UserActionResult.APPROVAL_FAILED,
    OperationStep.FAILED: UserActionResult.OPERATION_FAILED,
    OperationStep.REJECTED: UserActionResult.REJECTED,
}


def created(operation: StoredOperation) -> Transition:
    """A new operation."""
    return Transition(operation, _change(operation, OperationStep.CREATED))


def claimed(operation: StoredOperation, user_id: str) -> Transition | None:
    """The user becomes the owner of an operation without one; None if it has one."""
    if operation.row.user_id is not None:
        return None
    return _transition(operation, OperationStep.CLAIMED, user_id=user_id)


def approval_attempted(
    operation: StoredOperation, attempt: ApprovalAttempt, additional_data: AdditionalData, now: datetime
) -> Transition:
    """The pending operation is approved, or a failure counts (§19.7 steps 2 to 4)."""
    facts = operation.facts()
    if not rules.approval_succeeds(facts, attempt):
        return failure_counted(operation, additional_data, now, attempt)
    return _transition(
        operation,
        OperationStep.APPROVED,
        attempt,
        user_id=attempt.user_id,
        status=OperationStatus.APPROVED,
        timestamp_finalized=now,
        additional_data=_as_approved(operation.row, additional_data),
    )


def failure_counted(
    operation: StoredOperation,
    additional_data: AdditionalData,
    now: datetime,
    attempt: ApprovalAttempt | None = None,
) -> Transition:
    """One more failed approval of the pending operation; the last allowed one makes it FAILED (§23.3), and so
    does a wrong one of few choices (§19.10).
    """
    row = operation.row
    counted = rules.count_failure(row.failure_count, row.max_failure_count, ends=_guessed(row, attempt))
    final = counted.status is OperationStatus.FAILED
    return _transition(
        operation,
        OperationStep.FAILED if final else OperationStep.APPROVAL_FAILED,
        attempt,
        failure_count=counted.failure_count,
        status=counted.status,
        timestamp_finalized=now if final else row.timestamp_finalized,
        additional_data=_merged(row, additional_data),
    )


def rejected(
    operation: StoredOperation,
    user_id: str,
    additional_data: AdditionalData,
    now: datetime,
    status_reason: str | None = None,
) -> Transition:
    """The pending operation is rejected for its user."""
    return _transition(
        operation,
        OperationStep.REJECTED,
        user_id=user_id,
        status=OperationStatus.REJECTED,
        status_reason=status_reason,
        timestamp_finalized=now,
        additional_data=_merged(operation.row, additional_data),
    )


def canceled(
    operation: StoredOperation, additional_data: AdditionalData, status_reason: str | None
) -> Transition:
    """The pending operation is cancelled; ``timestampFinalized`` stays empty (§33 no. 8)."""
    return _transition(
        operation,
        OperationStep.CANCELED,
        status=OperationStatus.CANCELED,
        status_reason=status_reason,
        additional_data=_merged(operation.row, additional_data),
    )


def expired(operation: StoredOperation) -> Transition:
    """The pending operation has expired; ``timestampFinalized`` stays empty (§23.1)."""
    return _transition(operation, OperationStep.EXPIRED, status=OperationStatus.EXPIRED)


def _guessed(row: OperationRow, attempt: ApprovalAttempt | None) -> bool:
    """Whether a number was wrong of which there are so few that it must not be tried again."""
    wrong = attempt is not None and attempt.number_matches is False
    return wrong and "choices" in (row.number_matching or {})


def _merged(row: OperationRow, additional_data: AdditionalData) -> dict[str, Any] | None:
    return {**(row.additional_data or {}), **additional_data} if additional_data else row.additional_data


def _as_approved(row: OperationRow, additional_data: AdditionalData) -> dict[str, Any] | None:
    before = row.additional_data
    if before is not None and not OF_APPROVAL.isdisjoint(before):
        row = replace(row, additional_data={n: v for n, v in before.items() if n not in OF_APPROVAL})
    return _merged(row, additional_data)


def _transition(
    operation: StoredOperation,
    step: OperationStep,
    attempt: ApprovalAttempt | None = None,
    **changed: Any,
) -> Transition:
    """The operation with the changed columns."""
    after = StoredOperation(replace(operation.row, **changed), operation.applications)
    return Transition(after, _change(after, step, attempt))


def _change(
    operation: StoredOperation, step: OperationStep, attempt: ApprovalAttempt | None = None
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
        proximity=None if attempt is None else attempt.proximity.value,
        activation_id_matches=None if attempt is None else _fits(row, attempt),
        number_matches=None if attempt is None else attempt.number_matches,
    )


def _fits(row: OperationRow, attempt: ApprovalAttempt) -> bool:
    return row.activation_id in (None, attempt.activation_id)
