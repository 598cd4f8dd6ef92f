"""The operation calls of the core's API (spec/core-api.md §19); creation is in `creation`."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import OperationStatus, UserActionResult
from powerauth_contracts.rest.operations import (
    OperationApproveRequest,
    OperationCancelRequest,
    OperationClaimRequest,
    OperationDetailRequest,
    OperationDetailResponse,
    OperationExternalListRequest,
    OperationFailApprovalRequest,
    OperationListRequest,
    OperationRejectRequest,
    OperationUserActionResponse,
)
from powerauth_core.activations import repository as activations
from powerauth_core.kernel.changes import Listeners
from powerauth_core.kernel.errors import (
    InvalidApplication,
    OperationNotApprovable,
    OperationNotFound,
    OperationNotRejectable,
    OperationWrongState,
)
from powerauth_core.operations import proximity, repository, rules, transitions
from powerauth_core.operations.creation import application_rids
from powerauth_core.operations.ports import Ports
from powerauth_core.operations.repository import ActivationFilter, Page, StoredOperation
from powerauth_core.operations.rules import ApprovalAttempt
from powerauth_core.operations.views import detail_view
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.database import Database


async def detail(
    database: Database, settings: CoreSettings, request: OperationDetailRequest
) -> OperationDetailResponse:
    """``operation/detail``: reading claims nothing.

    :raises OperationNotFound: unknown, out of scope, or of another user than the one given
    """
    async with database.read() as session:
        operation = await repository.find(session, request.operation_id, request.application_ids)
    if operation is None:
        raise OperationNotFound()
    _refuse_other_owner(operation, request.user_id)
    return _shown(settings, operation)


async def claim(
    database: Database, listeners: Listeners, request: OperationClaimRequest
) -> OperationDetailResponse:
    """``operation/claim``: the user becomes the owner of a pending operation without one (§31.1).

    The answer has no proximity code: only create, detail and the pending list show one (§19.1).

    :raises OperationNotFound: unknown, out of scope, or of another user
    """
    async with database.transaction() as session:
        operation = await _lock(database, session, request.operation_id, request.application_ids)
        if operation is None:
            raise OperationNotFound()
        _refuse_other_owner(operation, request.user_id)
        if _is_pending(operation):
            await transitions.claim(listeners, session, operation, request.user_id)
    return detail_view(operation, clock.now())


async def list_all(ports: Ports, request: OperationListRequest) -> list[OperationDetailResponse]:
    """``operation/list``: operations of a user in any state, newest first.

    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    """
    return [detail_view(operation, clock.now()) for operation in await _page(ports, request, pending=False)]


async def list_pending(ports: Ports, request: OperationListRequest) -> list[OperationDetailResponse]:
    """``operation/list/pending``: the same for pending operations, with proximity codes.

    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    """
    return [
        detail_view(operation, clock.now(), proximity_otp=_otp(ports.settings, operation))
        for operation in await _page(ports, request, pending=True)
    ]


async def list_external(ports: Ports, request: OperationExternalListRequest) -> list[OperationDetailResponse]:
    """``operation/list/external``: operations with an external id, newest first.

    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    """
    async with ports.database.read() as session:
        rids = await application_rids(
            ports.application_cache, session, request.applications, request.application_ids
        )
        page = _wanted_page(ports.settings, request.page_number, request.page_size)
        found = await repository.page_of_external_id(session, request.external_id, rids, page)
    return [detail_view(operation, clock.now()) for operation in found]


async def approve(ports: Ports, request: OperationApproveRequest) -> OperationUserActionResponse:
    """``operation/approve``: approve a pending operation or count a failed approval (§19.7).

    :raises OperationNotApprovable: unknown, out of scope, of another user or application (D31), or not
        pending; with `require_claim` also if it is not the user's own
    :raises InvalidApplication: unknown application
    """
    additional_data = request.additional_data or {}
    async with ports.database.transaction() as session:
        known = await ports.application_cache.by_id(session, request.application_id) is not None
        operation = await _lock(ports.database, session, request.operation_id, request.application_ids)
        if operation is None:
            raise OperationNotApprovable()
        if not known:
            raise InvalidApplication()
        if not rules.belongs_to(operation.facts(), request.user_id, request.application_id):
            raise OperationNotApprovable()
        if not _is_pending(operation):
            raise OperationNotApprovable()
        if ports.settings.require_claim and not rules.has_claimed(operation.facts(), request.user_id):
            raise OperationNotApprovable()
        activation_id = additional_data.get("activationId")
        attempt = ApprovalAttempt(
            user_id=request.user_id,
            application_id=request.application_id,
            activation_id=activation_id if isinstance(activation_id, str) else None,
            data=request.data,
            signature_type=request.signature_type,
            proximity=proximity.check(ports.settings, operation.row.totp_seed, additional_data),
        )
        result = await transitions.attempt_approval(
            ports.listeners, session, operation, attempt, additional_data, clock.now()
        )
    return _acted(operation, result)


async def fail_approval(
    database: Database, listeners: Listeners, request: OperationFailApprovalRequest
) -> OperationUserActionResponse:
    """``operation/approve/fail``: count a failed approval that the caller noticed.

    :raises OperationNotFound: unknown or out of scope
    :raises OperationWrongState: not pending
    """
    async with database.transaction() as session:
        operation = await _lock_pending(database, session, request.operation_id, request.application_ids)
        result = await transitions.count_failure(
            listeners, session, operation, request.additional_data, clock.now()
        )
    return _acted(operation, result)


async def reject(ports: Ports, request: OperationRejectRequest) -> OperationUserActionResponse:
    """``operation/reject``: reject a pending operation.

    :raises OperationNotRejectable: unknown, out of scope, of another user or application (D31), not pending
    :raises InvalidApplication: unknown application
    """
    async with ports.database.transaction() as session:
        known = await ports.application_cache.by_id(session, request.application_id) is not None
        operation = await _lock(ports.database, session, request.operation_id, request.application_ids)
        if operation is None or not _is_pending(operation):
            raise OperationNotRejectable()
        if not known:
            raise InvalidApplication()
        if not rules.belongs_to(operation.facts(), request.user_id, request.application_id):
            raise OperationNotRejectable()
        await transitions.reject(
            ports.listeners, session, operation, request.user_id, request.additional_data, clock.now()
        )
    return _acted(operation, UserActionResult.REJECTED)


async def cancel(
    database: Database, listeners: Listeners, request: OperationCancelRequest
) -> OperationDetailResponse:
    """``operation/cancel``.

    :raises OperationNotFound: unknown or out of scope
    :raises OperationWrongState: not pending
    """
    async with database.transaction() as session:
        operation = await _lock_pending(database, session, request.operation_id, request.application_ids)
        await transitions.cancel(
            listeners, session, operation, request.additional_data, request.status_reason
        )
    return detail_view(operation, clock.now(), device=True)


async def expire_operations(database: Database, listeners: Listeners, limit: int) -> int:
    """Store the expiry of at most ``limit`` pending operations and announce it; the job of §30.

    Operations that somebody works on at the moment wait for the next run.

    :return: number of operations expired
    """
    async with database.transaction() as session:
        overdue = await repository.lock_overdue(session, database.dialect, clock.now(), limit)
        for operation in overdue:
            await transitions.expire(listeners, session, operation)
    return len(overdue)


async def _page(ports: Ports, request: OperationListRequest, *, pending: bool) -> list[StoredOperation]:
    async with ports.database.read() as session:
        rids = await application_rids(
            ports.application_cache, session, request.applications, request.application_ids
        )
        return await repository.page_of_user(
            session,
            request.user_id,
            rids,
            _wanted_page(ports.settings, request.page_number, request.page_size),
            seen_by=await _filter(session, request),
            pending_at=clock.now() if pending else None,
        )


async def _filter(session: AsyncSession, request: OperationListRequest) -> ActivationFilter | None:
    """An activation without flags, or an unknown one, sees operations with any flag (§19.6)."""
    activation_id = request.activation_id
    if activation_id is None:
        return None
    activation = await activations.find(session, activation_id, request.application_ids)
    flags = tuple(activation.flags or ()) if activation is not None else ()
    return ActivationFilter(activation_id, flags or None)


def _wanted_page(settings: CoreSettings, number: int | None, size: int | None) -> Page:
    return Page(
        number=settings.default_page_number if number is None else number,
        size=settings.default_page_size if size is None else size,
    )


async def _lock(
    database: Database, session: AsyncSession, operation_id: str, scope: list[str] | None
) -> StoredOperation | None:
    return await repository.lock(session, database.dialect, operation_id, scope)


async def _lock_pending(
    database: Database, session: AsyncSession, operation_id: str, scope: list[str] | None
) -> StoredOperation:
    operation = await _lock(database, session, operation_id, scope)
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


def _otp(settings: CoreSettings, operation: StoredOperation) -> str | None:
    return proximity.current_otp(settings, operation.row.totp_seed)


def _shown(settings: CoreSettings, operation: StoredOperation) -> OperationDetailResponse:
    return detail_view(operation, clock.now(), proximity_otp=_otp(settings, operation), device=True)


def _acted(operation: StoredOperation, result: UserActionResult) -> OperationUserActionResponse:
    return OperationUserActionResponse(result=result, operation=detail_view(operation, clock.now()))
