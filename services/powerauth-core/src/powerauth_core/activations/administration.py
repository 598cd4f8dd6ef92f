"""Changes that an operator, the bank or the user makes (spec/core-api.md §7.9 to §7.13)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus
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
from servicekit.row_macs import judged


async def block_activation(
    database: Database,
    changes: ActivationChanges,
    *,
    activation_id: str,
    reason: str | None,
    external_user_id: str | None,
    scope: ApplicationIds,
) -> Activation:
    """``activation/block``: an ACTIVE activation becomes BLOCKED; a BLOCKED one keeps its reason.

    :raises ActivationNotFound: unknown
    :raises IncorrectActivationState: neither ACTIVE nor BLOCKED
    """
    async with database.transaction() as session:
        activation = await _locked(session, activation_id, scope)
        await block_locked(changes, session, activation, reason=reason, external_user_id=external_user_id)
    return activation


async def block_locked(
    changes: ActivationChanges,
    session: AsyncSession,
    activation: Activation,
    *,
    reason: str | None,
    external_user_id: str | None = None,
) -> None:
    """Block a locked activation; a BLOCKED one keeps its reason.

    :raises IncorrectActivationState: neither ACTIVE nor BLOCKED
    """
    if permits(Call.BLOCK, activation.activation_status):
        previous = activation.activation_status
        activation.activation_status = BLOCKED
        activation.blocked_reason = reason or REASON_NOT_SPECIFIED
        await changes.record(
            session,
            activation,
            previous_status=previous,
            external_user_id=external_user_id,
        )


async def unblock_activation(
    database: Database,
    changes: ActivationChanges,
    *,
    activation_id: str,
    external_user_id: str | None,
    scope: ApplicationIds,
) -> Activation:
    """``activation/unblock``: a BLOCKED activation becomes ACTIVE with all its attempts.

    :raises ActivationNotFound: unknown
    :raises IncorrectActivationState: neither BLOCKED nor ACTIVE
    """
    async with database.transaction() as session:
        activation = await _locked(session, activation_id, scope)
        if permits(Call.UNBLOCK, activation.activation_status):
            previous = activation.activation_status
            activation.activation_status = ACTIVE
            activation.blocked_reason = None
            activation.failed_attempts = 0
            await changes.record(
                session,
                activation,
                previous_status=previous,
                external_user_id=external_user_id,
            )
    return activation


async def remove_activation(
    database: Database,
    changes: ActivationChanges,
    *,
    activation_id: str,
    external_user_id: str | None,
    revoke_recovery_codes: bool,
    scope: ApplicationIds,
) -> None:
    """``activation/remove``: whatever its state; removing it again succeeds again.

    :raises ActivationNotFound: unknown
    """
    async with database.transaction() as session:
        await remove_locked(
            changes,
            session,
            await _locked(session, activation_id, scope),
            external_user_id=external_user_id,
            revoke_recovery_codes=revoke_recovery_codes,
        )


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
    database: Database,
    changes: ActivationChanges,
    *,
    activation_id: str,
    name: str,
    external_user_id: str | None,
    scope: ApplicationIds,
) -> Activation:
    """``activation/name/update``; raises as `rename_locked`.

    :raises ActivationNotFound: unknown
    """
    async with database.transaction() as session:
        activation = await _locked(session, activation_id, scope)
        await rename_locked(changes, session, activation, name, external_user_id=external_user_id)
    return activation


async def rename_locked(
    changes: ActivationChanges,
    session: AsyncSession,
    activation: Activation,
    name: str,
    *,
    external_user_id: str | None = None,
) -> None:
    """Give a locked activation another name.

    :raises IncorrectActivationState: neither PENDING_COMMIT nor ACTIVE
    """
    permits(Call.RENAME, activation.activation_status)
    activation.activation_name = name
    await changes.record(
        session,
        activation,
        previous_status=activation.activation_status,
        reason=REASON_NAME_UPDATED,
        external_user_id=external_user_id,
        notify=False,
    )


async def update_status(
    database: Database,
    changes: ActivationChanges,
    *,
    activation_ids: Sequence[str],
    status: ActivationStatus,
    scope: ApplicationIds,
) -> None:
    """``activation/status/update``: force a state on activations, without any check of the old one."""
    async with database.transaction() as session:
        locked = await repository.lock_many(session, activation_ids, scope)
        for activation in locked.values():
            judged(activation)
            previous = activation.activation_status
            if previous is not status:
                activation.activation_status = status
                await changes.record(session, activation, previous_status=previous)


async def _locked(session: AsyncSession, activation_id: str, scope: ApplicationIds) -> Activation:
    activation = await repository.lock(session, activation_id, scope)
    if activation is None:
        raise ActivationNotFound()
    return activation
