"""From PENDING_COMMIT to ACTIVE, and the OTP that may guard it (spec/core-api.md §7.4, §7.5)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationOtpValidation, CommitPhase
from powerauth_core.activations import otp as otps
from powerauth_core.activations import repository
from powerauth_core.activations.expiry import expire_if_overdue, overdue
from powerauth_core.activations.history import ActivationChanges, changed
from powerauth_core.activations.initialisation import hash_otp
from powerauth_core.activations.models import Activation
from powerauth_core.activations.ports import Ports, WritingPorts
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import (
    ACTIVE,
    PENDING_COMMIT,
    REASON_OTP_VALUE_UPDATE,
    REMOVED,
    Call,
    OtpCheck,
    otp_check,
    permits,
)
from powerauth_core.activations.stored import AnyActivation, FoundActivation
from powerauth_core.activations.writing import Write
from powerauth_core.kernel.changes import Cause
from powerauth_core.kernel.errors import (
    ActivationExpired,
    ActivationNotFound,
    IncorrectActivationState,
    OtpWrongMode,
)
from powerauth_core.kernel.hashing import PasswordHashes


async def commit_activation(
    ports: WritingPorts,
    *,
    activation_id: str,
    otp: str | None,
    external_user_id: str | None,
    scope: ApplicationIds,
) -> None:
    """``activation/commit``: make an activation ACTIVE after its key exchange.

    :raises ActivationNotFound: unknown
    :raises ActivationExpired: it is removed, perhaps just now because its time is up
    :raises IncorrectActivationState: it is not PENDING_COMMIT, or is not committed by this call
    :raises OtpMismatch: the OTP is wrong, missing or unexpected; counted failures are kept
    """
    if ports.activation_writer.writes:
        found = await ports.activation_writer.find(activation_id)
        if found is not None and _may_commit_at_once(found, otp, scope):
            found.row.activation_status = ACTIVE
            change = changed(
                found.row,
                found.application_id,
                previous_status=PENDING_COMMIT,
                cause=Cause.COMMIT,
                external_user_id=external_user_id,
            )
            if await ports.activation_writer.write(Write(found, change)):
                return
    async with ports.database.transaction() as session:
        activation = await _lock_unexpired(ports.changes, session, activation_id, scope)
        if activation.activation_status is REMOVED:
            # Lazy expiry just now is a change to keep; one that was removed before has nothing to write.
            raise ActivationExpired(keep_changes=True)
        await commit_locked(
            ports.hashes,
            ports.changes,
            session,
            activation,
            supplied_otp=otp,
            external_user_id=external_user_id,
        )


def _may_commit_at_once(found: FoundActivation, otp: str | None, scope: ApplicationIds) -> bool:
    """Whether it is waiting for this call alone: nothing has to be refused, counted or expired."""
    return (
        (scope is None or found.application_id in scope)
        and not overdue(found.row)
        and commits_without(otp, found.row)
        and (found.row.commit_phase or CommitPhase.ON_COMMIT) is CommitPhase.ON_COMMIT
    )


async def commit_locked(
    hashes: PasswordHashes,
    changes: ActivationChanges,
    session: AsyncSession,
    activation: Activation,
    *,
    supplied_otp: str | None = None,
    external_user_id: str | None = None,
) -> None:
    """Commit a locked activation; raises as `commit_activation`."""
    permits(Call.COMMIT, activation.activation_status)
    await otps.validate(
        hashes,
        changes,
        session,
        activation,
        CommitPhase.ON_COMMIT,
        supplied_otp,
        external_user_id=external_user_id,
    )
    if (activation.commit_phase or CommitPhase.ON_COMMIT) is not CommitPhase.ON_COMMIT:
        # A right OTP has set the counter of failures back, which stays (spec/core-api.md §1.3).
        raise IncorrectActivationState(keep_changes=True)
    previous = activation.activation_status
    activation.activation_status = ACTIVE
    await changes.record(
        session,
        activation,
        previous_status=previous,
        cause=Cause.COMMIT,
        external_user_id=external_user_id,
    )


def commits_unasked(activation: AnyActivation) -> bool:
    """Whether a commit needs nothing of the user, so that it can follow the key exchange at once."""
    return commits_without(None, activation)


def commits_without(otp: str | None, activation: AnyActivation) -> bool:
    """Whether it can be committed, whatever it is told as OTP not being looked at.

    :param otp: of the request
    """
    check = otp_check(
        CommitPhase.ON_COMMIT,
        otp,
        activation.activation_otp,
        activation.activation_otp_validation,
        activation.commit_phase,
    )
    return activation.activation_status is PENDING_COMMIT and check is OtpCheck.SKIP


async def update_otp(
    ports: Ports, *, activation_id: str, otp: str, external_user_id: str | None, scope: ApplicationIds
) -> None:
    """``activation/otp/update``: from now on the commit asks for this OTP.

    :raises ActivationNotFound: unknown
    :raises IncorrectActivationState: it is not PENDING_COMMIT
    :raises OtpWrongMode: its OTP belongs to the key exchange
    """
    otp_hash = await hash_otp(ports.hashes, activation_id, otp)
    async with ports.database.transaction() as session:
        activation = await _lock_unexpired(ports.changes, session, activation_id, scope)
        if activation.activation_status is REMOVED:
            raise IncorrectActivationState(keep_changes=True)
        permits(Call.UPDATE_OTP, activation.activation_status)
        if activation.activation_otp_validation is ActivationOtpValidation.ON_KEY_EXCHANGE:
            raise OtpWrongMode()
        activation.activation_otp = otp_hash
        activation.activation_otp_validation = ActivationOtpValidation.ON_COMMIT
        await ports.changes.record(
            session,
            activation,
            previous_status=activation.activation_status,
            reason=REASON_OTP_VALUE_UPDATE,
            external_user_id=external_user_id,
        )


async def _lock_unexpired(
    changes: ActivationChanges, session: AsyncSession, activation_id: str, scope: ApplicationIds
) -> Activation:
    """The activation under its lock; one whose time is up has become REMOVED."""
    activation = await repository.lock(session, activation_id, scope)
    if activation is None:
        raise ActivationNotFound()
    await expire_if_overdue(changes, session, activation)
    return activation
