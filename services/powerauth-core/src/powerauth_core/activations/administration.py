"""Changes that an operator, the bank or the user makes (spec/core-api.md §7.9 to §7.13)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.rest.activation_administration import (
    BlockActivationRequest,
    BlockActivationResponse,
    RemoveActivationRequest,
    RemoveActivationResponse,
    RenameActivationRequest,
    RenameActivationResponse,
    UnblockActivationRequest,
    UnblockActivationResponse,
    UpdateStatusRequest,
    UpdateStatusResponse,
)
from powerauth_core.activations import repository
from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.models import Activation
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import (
    ACTIVE,
    BLOCKED,
    REASON_NAME_UPDATED,
    REASON_NOT_SPECIFIED,
    REMOVED,
    Call,
    permits,
)
from powerauth_core.kernel.changes import Cause
from powerauth_core.kernel.errors import ActivationNotFound
from servicekit.database import Database


async def block_activation(
    database: Database, changes: ActivationChanges, request: BlockActivationRequest
) -> BlockActivationResponse:
    """``activation/block``: an ACTIVE activation becomes BLOCKED; a BLOCKED one keeps its reason.

    :raises ActivationNotFound: unknown
    :raises IncorrectActivationState: neither ACTIVE nor BLOCKED
    """
    async with database.transaction() as session:
        activation = await _locked(session, request.activation_id, request.application_ids)
        if permits(Call.BLOCK, activation.activation_status):
            previous = activation.activation_status
            activation.activation_status = BLOCKED
            activation.blocked_reason = request.reason or REASON_NOT_SPECIFIED
            await changes.record(
                session,
                activation,
                previous_status=previous,
                external_user_id=request.external_user_id,
            )
    return BlockActivationResponse(
        activation_id=activation.activation_id,
        activation_status=activation.activation_status,
        blocked_reason=activation.blocked_reason,
    )


async def unblock_activation(
    database: Database, changes: ActivationChanges, request: UnblockActivationRequest
) -> UnblockActivationResponse:
    """``activation/unblock``: a BLOCKED activation becomes ACTIVE with all its attempts.

    :raises ActivationNotFound: unknown
    :raises IncorrectActivationState: neither BLOCKED nor ACTIVE
    """
    async with database.transaction() as session:
        activation = await _locked(session, request.activation_id, request.application_ids)
        if permits(Call.UNBLOCK, activation.activation_status):
            previous = activation.activation_status
            activation.activation_status = ACTIVE
            activation.blocked_reason = None
            activation.failed_attempts = 0
            await changes.record(
                session,
                activation,
                previous_status=previous,
                external_user_id=request.external_user_id,
            )
    return UnblockActivationResponse(
        activation_id=activation.activation_id, activation_status=activation.activation_status
    )


async def remove_activation(
    database: Database, changes: ActivationChanges, request: RemoveActivationRequest
) -> RemoveActivationResponse:
    """``activation/remove``; raises as `remove`."""
    async with database.transaction() as session:
        return await remove(changes, session, request)


async def remove(
    changes: ActivationChanges, session: AsyncSession, request: RemoveActivationRequest
) -> RemoveActivationResponse:
    """Remove an activation, whatever its state; removing it again succeeds again.

    :raises ActivationNotFound: unknown
    """
    activation = await _locked(session, request.activation_id, request.application_ids)
    await remove_locked(
        changes,
        session,
        activation,
        external_user_id=request.external_user_id,
        revoke_recovery_codes=request.revoke_recovery_codes,
    )
    return RemoveActivationResponse(activation_id=activation.activation_id, removed=True)


async def remove_locked(
    changes: ActivationChanges,
    session: AsyncSession,
    activation: Activation,
    *,
    external_user_id: str | None = None,
    revoke_recovery_codes: bool = False,
) -> None:
    """Remove a locked activation. Removing it again is recorded, and nobody is told again.

    :param revoke_recovery_codes: codes of an unfinished activation are revoked in any case
    """
    previous = activation.activation_status
    activation.activation_status = REMOVED
    await changes.record(
        session,
        activation,
        previous_status=previous,
        cause=Cause.REMOVAL_WITH_CODES if revoke_recovery_codes else Cause.REMOVAL,
        external_user_id=external_user_id,
        notify=previous is not REMOVED,
    )


async def rename_activation(
    database: Database, changes: ActivationChanges, request: RenameActivationRequest
) -> RenameActivationResponse:
    """``activation/name/update``; raises as `rename`."""
    async with database.transaction() as session:
        return await rename(changes, session, request)


async def rename(
    changes: ActivationChanges, session: AsyncSession, request: RenameActivationRequest
) -> RenameActivationResponse:
    """Give an activation another name.

    :raises ActivationNotFound: unknown
    :raises IncorrectActivationState: neither PENDING_COMMIT nor ACTIVE
    """
    activation = await _locked(session, request.activation_id, request.application_ids)
    permits(Call.RENAME, activation.activation_status)
    activation.activation_name = request.activation_name
    await changes.record(
        session,
        activation,
        previous_status=activation.activation_status,
        reason=REASON_NAME_UPDATED,
        external_user_id=request.external_user_id,
        notify=False,
    )
    return RenameActivationResponse(
        activation_id=activation.activation_id,
        activation_name=request.activation_name,
        activation_status=activation.activation_status,
    )


async def update_status(
    database: Database, changes: ActivationChanges, request: UpdateStatusRequest
) -> UpdateStatusResponse:
    """``activation/status/update``: force a state on activations, without any check of the old one."""
    async with database.transaction() as session:
        locked = await repository.lock_many(session, request.activation_ids, request.application_ids)
        for activation in locked.values():
            previous = activation.activation_status
            if previous is not request.activation_status:
                activation.activation_status = request.activation_status
                await changes.record(session, activation, previous_status=previous)
    return UpdateStatusResponse(updated=True)


async def _locked(session: AsyncSession, activation_id: str, application_ids: ApplicationIds) -> Activation:
    activation = await repository.lock(session, activation_id, application_ids)
    if activation is None:
        raise ActivationNotFound()
    return activation
