"""Decisions about an activation, from facts alone and without I/O (spec/core-api.md §22)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from powerauth_contracts.enums import ActivationOtpValidation, ActivationStatus, CommitPhase
from powerauth_contracts.wire import is_storable
from powerauth_core.kernel.errors import (
    ActivationExpired,
    ActivationNotFound,
    CoreError,
    IncorrectActivationState,
)

REASON_NOT_SPECIFIED = "NOT_SPECIFIED"
REASON_MAX_FAILED_ATTEMPTS = "MAX_FAILED_ATTEMPTS"
REASON_OTP_FAILED_ATTEMPT = "OTP_FAILED_ATTEMPT"
REASON_OTP_MAX_FAILED_ATTEMPTS = "OTP_MAX_FAILED_ATTEMPTS"
REASON_OTP_VALUE_UPDATE = "OTP_VALUE_UPDATE"
REASON_NAME_UPDATED = "ACTIVATION_NAME_UPDATED"

CREATED = ActivationStatus.CREATED
PENDING_COMMIT = ActivationStatus.PENDING_COMMIT
ACTIVE = ActivationStatus.ACTIVE
BLOCKED = ActivationStatus.BLOCKED
REMOVED = ActivationStatus.REMOVED


@dataclass(frozen=True, slots=True)
class Consequence:
    """What becomes of an activation by what its device did to something else.

    :ivar blocked_for: reason of its block; None: it is not blocked
    :ivar flag: that it gets
    """

    blocked_for: str | None = None
    flag: str | None = None


class Call(Enum):
    """A call whose outcome depends on the state of the activation."""

    KEY_EXCHANGE = "key exchange"
    COMMIT = "commit"
    UPDATE_OTP = "update the OTP"
    RENAME = "rename"
    BLOCK = "block"
    UNBLOCK = "unblock"
    CREATE_TEMPORARY_KEY = "create a temporary key"
    HAND_OUT_ENVELOPE_KEY = "hand out an envelope key"
    CREATE_TOKEN = "create a token"  # noqa: S105 - a description
    CONFIRM_RECOVERY_CODE = "confirm a recovery code"


Answer = type[CoreError] | bool
"""True: do it. False: it is so already, answer without a change. Otherwise: the error."""

_STATES: dict[Call, tuple[Mapping[ActivationStatus, Answer], type[CoreError]]] = {
    Call.KEY_EXCHANGE: ({CREATED: True}, ActivationExpired),
    Call.COMMIT: ({PENDING_COMMIT: True, REMOVED: ActivationExpired}, IncorrectActivationState),
    Call.UPDATE_OTP: ({PENDING_COMMIT: True}, IncorrectActivationState),
    Call.RENAME: ({PENDING_COMMIT: True, ACTIVE: True}, IncorrectActivationState),
    Call.BLOCK: ({ACTIVE: True, BLOCKED: False}, IncorrectActivationState),
    Call.UNBLOCK: ({BLOCKED: True, ACTIVE: False}, IncorrectActivationState),
    Call.CREATE_TEMPORARY_KEY: ({ACTIVE: True, BLOCKED: True}, ActivationNotFound),
    Call.HAND_OUT_ENVELOPE_KEY: ({ACTIVE: True}, IncorrectActivationState),
    Call.CREATE_TOKEN: ({ACTIVE: True}, IncorrectActivationState),
    Call.CONFIRM_RECOVERY_CODE: ({ACTIVE: True}, IncorrectActivationState),
}


def permits(call: Call, status: ActivationStatus) -> bool:
    """Whether the call changes an activation in this state (spec/core-api.md §22.2).

    :return: False when the state is already what the call asks for
    :raises CoreError: the error of the table, when the state does not allow the call
    """
    answers, otherwise = _STATES[call]
    answer = answers.get(status, otherwise)
    if isinstance(answer, bool):
        return answer
    raise answer()


class OtpCheck(Enum):
    """What to do with an activation OTP before a key exchange or a commit."""

    SKIP = "no OTP is asked for here"
    REFUSE = "answer ERR0031 without counting"
    VERIFY = "compare with the stored hash and count a mismatch"


def otp_check(
    phase: CommitPhase,
    supplied: str | None,
    stored_hash: str | None,
    validation: ActivationOtpValidation,
    commit_phase: CommitPhase | None,
) -> OtpCheck:
    """Decide about an OTP (spec/core-api.md §22.3).

    :param phase: the step that is being taken
    :param supplied: OTP of the request, None or blank if there is none
    :param stored_hash: Argon2 text of the record, None if it has no OTP
    :param validation: legacy mode of the record
    :param commit_phase: commit phase of the record
    """
    if validation is ActivationOtpValidation.NONE:
        if stored_hash is None:
            return OtpCheck.SKIP
        asked_for = phase is (commit_phase or CommitPhase.ON_COMMIT)
    else:
        asked_for = phase is _LEGACY_PHASE[validation]
    if not asked_for:
        return OtpCheck.SKIP if is_blank(supplied) else OtpCheck.REFUSE
    if is_blank(supplied) or stored_hash is None:
        return OtpCheck.REFUSE
    return OtpCheck.VERIFY


_LEGACY_PHASE = {
    ActivationOtpValidation.ON_KEY_EXCHANGE: CommitPhase.ON_KEY_EXCHANGE,
    ActivationOtpValidation.ON_COMMIT: CommitPhase.ON_COMMIT,
}


def attempts_exhausted(failed_attempts: int, max_failed_attempts: int) -> bool:
    """Whether this number of failed attempts ends the activation."""
    return failed_attempts >= max_failed_attempts


def status_after_key_exchange(
    validation: ActivationOtpValidation, commit_phase: CommitPhase | None
) -> ActivationStatus:
    """State after a key exchange by activation code whose OTP check has passed.

    An OTP nobody asked for changes nothing: only the record decides (spec/protocol-v3.md §4.3 step 10).
    """
    at_once = (
        validation is ActivationOtpValidation.ON_KEY_EXCHANGE or commit_phase is CommitPhase.ON_KEY_EXCHANGE
    )
    return ACTIVE if at_once else PENDING_COMMIT


def is_pending(status: ActivationStatus) -> bool:
    """Whether the activation still waits for its key exchange or its commit."""
    return status in (CREATED, PENDING_COMMIT)


def is_overdue(status: ActivationStatus, expires: datetime, now: datetime) -> bool:
    """Whether the activation was not finished in time (spec/core-api.md §22.4)."""
    return is_pending(status) and now > expires


MAX_USER_ID = 255


def is_user_id(text: str | None) -> bool:
    """Whether a text that somebody else's system gave can be the id of a user."""
    return text is not None and len(text) <= MAX_USER_ID and not is_blank(text) and is_storable(text)


def is_blank(text: str | None) -> bool:
    """Whether there is no text or nothing but white space in it."""
    return text is None or not text.strip()
