"""Activation OTP: check it under the activation's lock (spec/core-api.md §22.3)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import CommitPhase
from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import (
    REASON_OTP_FAILED_ATTEMPT,
    REASON_OTP_MAX_FAILED_ATTEMPTS,
    REMOVED,
    OtpCheck,
    attempts_exhausted,
    otp_check,
)
from powerauth_core.kernel.changes import Cause
from powerauth_core.kernel.errors import OtpMismatch
from powerauth_core.kernel.hashing import PasswordHashes


async def validate(
    hashes: PasswordHashes,
    changes: ActivationChanges,
    session: AsyncSession,
    activation: Activation,
    phase: CommitPhase,
    supplied: str | None,
    external_user_id: str | None = None,
) -> None:
    """Check the OTP of a step, count a wrong one, remove the activation when too many were wrong.

    :param activation: locked; it stays locked while the hash is computed, so that guesses take turns
    :param supplied: OTP of the request
    :raises OtpMismatch: wrong, missing or unexpected; what was counted is kept
    """
    stored = activation.activation_otp
    check = otp_check(phase, supplied, stored, activation.activation_otp_validation, activation.commit_phase)
    if check is OtpCheck.SKIP:
        return
    if check is OtpCheck.REFUSE or supplied is None or stored is None:
        raise OtpMismatch(keep_changes=True)
    if await hashes.matches(activation.activation_id, supplied, stored):
        activation.failed_attempts = 0
        return
    await _count_failure(changes, session, activation, external_user_id)
    raise OtpMismatch(keep_changes=True)


async def _count_failure(
    changes: ActivationChanges, session: AsyncSession, activation: Activation, external_user_id: str | None
) -> None:
    previous = activation.activation_status
    # The maximum may be reached already: a status can be forced (spec/core-api.md §7.9).
    activation.failed_attempts = min(activation.failed_attempts + 1, activation.max_failed_attempts)
    exhausted = attempts_exhausted(activation.failed_attempts, activation.max_failed_attempts)
    if exhausted:
        activation.activation_status = REMOVED
    await changes.record(
        session,
        activation,
        previous_status=previous,
        cause=Cause.GIVEN_UP if exhausted else Cause.OTHER,
        reason=REASON_OTP_MAX_FAILED_ATTEMPTS if exhausted else REASON_OTP_FAILED_ATTEMPT,
        external_user_id=external_user_id,
        notify=exhausted,
    )
