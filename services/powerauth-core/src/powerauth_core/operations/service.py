"""The operation calls of the core's API (spec/core-api.md §19); creation is in `creation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import UNEXPECTED_OPERATION, OperationStatus, SignatureType, UserActionResult
from powerauth_core.kernel.changes import Listeners
from powerauth_core.kernel.errors import (
    InvalidApplication,
    OperationNotApprovable,
    OperationNotFound,
    OperationNotRejectable,
    OperationWrongState,
)
from powerauth_core.kernel.paging import Page
from powerauth_core.operations import number_matching, proximity, reads, repository, rules, transitions
from powerauth_core.operations.creation import activation_in_scope, rids_of
from powerauth_core.operations.ports import Ports, ReadingPorts
from powerauth_core.operations.rules import ApprovalAttempt
from powerauth_core.operations.stored import ActivationFilter, StoredOperation
from powerauth_core.operations.transitions import Transition
from powerauth_core.operations.writing import write
from servicekit import clock
from servicekit.database import Database


@dataclass(frozen=True, slots=True)
class Acted:
    """Outcome of an approval, a failed approval or a rejection, and the operation after it."""

    result: UserActionResult
    operation: StoredOperation

    @classmethod
    def by(cls, transition: Transition) -> Acted:
        """What a transition came to."""
        return cls(transition.result, transition.operation)


async def detail(
    database: Database, *, operation_id: str, user_id: str | None, scope: Sequence[str] | None
) -> StoredOperation:
    """``operation/detail``: reading claims nothing.

    :raises OperationNotFound: unknown, out of scope, or of another user than the one given
    """
    operation = await reads.find(database.fetch, operation_id, scope)
    if operation is None:
        raise OperationNotFound()
    _refuse_other_owner(operation, user_id)
    return operation


async def claim(
    database: Database, listeners: Listeners, *, operation_id: str, user_id: str, scope: Sequence[str] | None
) -> StoredOperation:
    """``operation/claim``: the user becomes the owner of a pending operation without one (§31.1).

    :raises OperationNotFound: unknown, out of scope, or of another user
    """
    async with database.transaction() as session:
        operation = await repository.lock(session, database.dialect, operation_id, scope)
        if operation is None:
            raise OperationNotFound()
        _refuse_other_owner(operation, user_id)
        taken = transitions.claimed(operation, user_id) if _is_pending(operation) else None
        return operation if taken is None else await write(listeners, session, taken)


async def list_of_user(
    ports: ReadingPorts,
    *,
    user_id: str,
    applications: Sequence[str],
    activation_id: str | None,
    page: Page,
    scope: Sequence[str] | None,
    pending_at: datetime | None = None,
) -> list[StoredOperation]:
    """``operation/list`` and ``operation/list/pending``: operations of a user, newest first.

    :param activation_id: only what this activation may see
    :param pending_at: only those that are pending at this moment
    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    """
    return await reads.page_of_user(
        ports.database.fetch,
        user_id,
        await rids_of(ports, applications, scope),
        page,
        seen_by=await _filter(ports, activation_id, scope),
        pending_at=pending_at,
    )


async def list_external(
    ports: Ports, *, external_id: str, applications: Sequence[str], page: Page, scope: Sequence[str] | None
) -> list[StoredOperation]:
    """``operation/list/external``: operations with an external id, newest first.

    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    """
    rids = await rids_of(ports, applications, scope)
    return await reads.page_of_external_id(ports.database.fetch, external_id, rids, page)


async def approve(
    ports: Ports,
    *,
    operation_id: str,
    user_id: str,
    application_id: str,
    data: str,
    signature_type: SignatureType,
    number: str | None = None,
    additional_data: Mapping[str, Any] | None,
    scope: Sequence[str] | None,
) -> Acted:
    """``operation/approve``: approve a pending operation or count a failed approval (§19.7).

    :raises OperationNotApprovable: unknown, out of scope, of another user or application (D31), or not
        pending; with `require_claim` also if it is not the user's own
    :raises InvalidApplication: unknown application
    """
    additional_data = additional_data or {}
    async with ports.database.transaction() as session:
        known = await ports.application_cache.by_id(session, application_id) is not None
        operation = await repository.lock(session, ports.database.dialect, operation_id, scope)
        if operation is None:
            raise OperationNotApprovable()
        if not known:
            raise InvalidApplication()
        if not rules.belongs_to(operation.facts(), user_id, application_id) or not _is_pending(operation):
            raise OperationNotApprovable()
        if ports.settings.require_claim and not rules.has_claimed(operation.facts(), user_id):
            raise OperationNotApprovable()
        activation_id = additional_data.get("activationId")
        attempt = ApprovalAttempt(
            user_id=user_id,
            application_id=application_id,
            activation_id=activation_id if isinstance(activation_id, str) else None,
            data=data,
            signature_type=signature_type,
            proximity=proximity.check(ports.settings, operation.row.totp_seed, additional_data),
            number_matches=number_matching.matches(ports.cipher, operation.row, number),
        )
        attempted = transitions.approval_attempted(operation, attempt, additional_data, clock.now())
        await write(ports.listeners, session, attempted)
    return Acted.by(attempted)


async def fail_approval(
    database: Database,
    listeners: Listeners,
    *,
    operation_id: str,
    additional_data: Mapping[str, Any] | None,
    scope: Sequence[str] | None,
) -> Acted:
    """``operation/approve/fail``: count a failed approval that the caller noticed.

    :raises OperationNotFound: unknown or out of scope
    :raises OperationWrongState: not pending
    """
    async with database.transaction() as session:
        operation = await _lock_pending(database, session, operation_id, scope)
        counted = transitions.failure_counted(operation, additional_data, clock.now())
        await write(listeners, session, counted)
    return Acted.by(counted)


async def reject(
    ports: Ports,
    *,
    operation_id: str,
    user_id: str,
    application_id: str,
    additional_data: Mapping[str, Any] | None,
    status_reason: str | None = None,
    scope: Sequence[str] | None,
) -> Acted:
    """``operation/reject``: reject a pending operation. No device stands for it, so none suffers from it.

    :raises OperationNotRejectable: unknown, out of scope, of another user or application (D31), not pending
    :raises InvalidApplication: unknown application
    """
    async with ports.database.transaction() as session:
        known = await ports.application_cache.by_id(session, application_id) is not None
        operation = await repository.lock(session, ports.database.dialect, operation_id, scope)
        if operation is None or not _is_pending(operation):
            raise OperationNotRejectable()
        if not known:
            raise InvalidApplication()
        if not rules.belongs_to(operation.facts(), user_id, application_id):
            raise OperationNotRejectable()
        rejected = transitions.rejected(operation, user_id, additional_data, clock.now(), status_reason)
        await write(ports.listeners, session, rejected)
    return Acted.by(rejected)


async def cancel(
    database: Database,
    listeners: Listeners,
    *,
    operation_id: str,
    additional_data: Mapping[str, Any] | None,
    status_reason: str | None,
    scope: Sequence[str] | None,
) -> StoredOperation:
    """``operation/cancel``.

    :raises OperationNotFound: unknown or out of scope
    :raises OperationWrongState: not pending
    """
    async with database.transaction() as session:
        operation = await _lock_pending(database, session, operation_id, scope)
        canceled = transitions.canceled(operation, additional_data, status_reason)
        return await write(listeners, session, canceled)


async def expire_operations(database: Database, listeners: Listeners, limit: int) -> int:
    """Store the expiry of at most ``limit`` pending operations and announce it; the job of §30.

    Operations that somebody works on at the moment wait for the next run.

    :return: number of operations expired
    """
    async with database.transaction() as session:
        overdue = await repository.lock_overdue(session, database.dialect, clock.now(), limit)
        for operation in overdue:
            await write(listeners, session, transitions.expired(operation))
    return len(overdue)


async def _filter(
    ports: ReadingPorts, activation_id: str | None, scope: Sequence[str] | None
) -> ActivationFilter | None:
    """An activation without flags of the bank's, or an unknown one, sees operations with any flag (§19.6)."""
    if activation_id is None:
        return None
    activation = await activation_in_scope(ports, activation_id, scope)
    flags = () if activation is None else tuple(activation.flags or ())
    return ActivationFilter(activation_id, flags if {*flags} - {UNEXPECTED_OPERATION} else None)


async def _lock_pending(
    database: Database, session: AsyncSession, operation_id: str, scope: Sequence[str] | None
) -> StoredOperation:
    operation = await repository.lock(session, database.dialect, operation_id, scope)
    if operation is None:
        raise OperationNotFound()
    if not _is_pending(operation):
        raise OperationWrongState()
    return operation


def _is_pending(operation: StoredOperation) -> bool:
    return operation.status_at(clock.now()) is OperationStatus.PENDING


def _refuse_other_owner(operation: StoredOperation, user_id: str | None) -> None:
    """To another user than its owner an operation is unknown, in every state (D31)."""
    if user_id is not None and not rules.owner_fits(operation.facts(), user_id):
        raise OperationNotFound()
