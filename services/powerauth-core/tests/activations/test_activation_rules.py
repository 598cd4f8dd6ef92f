"""Rules of spec/core-api.md §22: states, OTP, expiry."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from powerauth_contracts.enums import ActivationOtpValidation, ActivationStatus, CommitPhase
from powerauth_core.activations.rules import (
    Call,
    OtpCheck,
    attempts_exhausted,
    is_overdue,
    otp_check,
    permits,
    status_after_key_exchange,
)
from powerauth_core.kernel.errors import CoreError

STATES = tuple(ActivationStatus)
YES, SAME = "yes", "no-op"

# spec/core-api.md §22.2; columns CREATED, PENDING_COMMIT, ACTIVE, BLOCKED, REMOVED. The key exchange is
# checked under the lock: before that, the search by code answers ERR0009 for all but CREATED.
TABLE: dict[Call, tuple[str, str, str, str, str]] = {
    Call.KEY_EXCHANGE: (YES, "ERR0007", "ERR0007", "ERR0007", "ERR0007"),
    Call.COMMIT: ("ERR0008", YES, "ERR0008", "ERR0008", "ERR0007"),
    Call.UPDATE_OTP: ("ERR0008", YES, "ERR0008", "ERR0008", "ERR0008"),
    Call.RENAME: ("ERR0008", YES, YES, "ERR0008", "ERR0008"),
    Call.BLOCK: ("ERR0008", "ERR0008", YES, SAME, "ERR0008"),
    Call.UNBLOCK: ("ERR0008", "ERR0008", SAME, YES, "ERR0008"),
    Call.CREATE_TEMPORARY_KEY: ("ERR0009", "ERR0009", YES, YES, "ERR0009"),
    Call.HAND_OUT_ENVELOPE_KEY: ("ERR0008", "ERR0008", YES, "ERR0008", "ERR0008"),
    Call.CREATE_TOKEN: ("ERR0008", "ERR0008", YES, "ERR0008", "ERR0008"),
    Call.CONFIRM_RECOVERY_CODE: ("ERR0008", "ERR0008", YES, "ERR0008", "ERR0008"),
}
CELLS = [(call, state, TABLE[call][column]) for call in Call for column, state in enumerate(STATES)]


@pytest.mark.parametrize(
    ("call", "state", "expected"), CELLS, ids=[f"{call.name}-{state.value}" for call, state, _ in CELLS]
)
def test_every_state_answers_every_call_as_the_table_says(
    call: Call, state: ActivationStatus, expected: str
) -> None:
    try:
        answer = YES if permits(call, state) else SAME
    except CoreError as error:
        answer = error.code
    assert answer == expected


NONE, LEGACY_EXCHANGE, LEGACY_COMMIT = (
    ActivationOtpValidation.NONE,
    ActivationOtpValidation.ON_KEY_EXCHANGE,
    ActivationOtpValidation.ON_COMMIT,
)
EXCHANGE, COMMIT = CommitPhase.ON_KEY_EXCHANGE, CommitPhase.ON_COMMIT
SKIP, REFUSE, VERIFY = OtpCheck.SKIP, OtpCheck.REFUSE, OtpCheck.VERIFY


@pytest.mark.parametrize(
    ("legacy", "commit_phase", "stored", "phase", "without_otp", "with_otp"),
    [
        # no OTP anywhere: one that nobody asked for is ignored
        (NONE, COMMIT, False, EXCHANGE, SKIP, SKIP),
        (NONE, COMMIT, False, COMMIT, SKIP, SKIP),
        (NONE, EXCHANGE, False, EXCHANGE, SKIP, SKIP),
        # an OTP for the commit
        (NONE, COMMIT, True, EXCHANGE, SKIP, REFUSE),
        (NONE, COMMIT, True, COMMIT, REFUSE, VERIFY),
        # an OTP for the key exchange
        (NONE, EXCHANGE, True, EXCHANGE, REFUSE, VERIFY),
        (NONE, EXCHANGE, True, COMMIT, SKIP, REFUSE),
        # a missing commit phase counts as ON_COMMIT
        (NONE, None, True, COMMIT, REFUSE, VERIFY),
        (NONE, None, True, EXCHANGE, SKIP, REFUSE),
        # legacy modes, with and without a stored hash
        (LEGACY_EXCHANGE, COMMIT, True, EXCHANGE, REFUSE, VERIFY),
        (LEGACY_EXCHANGE, COMMIT, True, COMMIT, SKIP, REFUSE),
        (LEGACY_EXCHANGE, COMMIT, False, EXCHANGE, REFUSE, REFUSE),
        (LEGACY_COMMIT, COMMIT, True, COMMIT, REFUSE, VERIFY),
        (LEGACY_COMMIT, COMMIT, True, EXCHANGE, SKIP, REFUSE),
        (LEGACY_COMMIT, COMMIT, False, COMMIT, REFUSE, REFUSE),
        (LEGACY_COMMIT, EXCHANGE, True, COMMIT, REFUSE, VERIFY),
    ],
)
def test_otp_is_checked_skipped_or_refused_as_the_modes_say(
    legacy: ActivationOtpValidation,
    commit_phase: CommitPhase | None,
    stored: bool,
    phase: CommitPhase,
    without_otp: OtpCheck,
    with_otp: OtpCheck,
) -> None:
    stored_hash = "$argon2i$" if stored else None
    for blank in (None, "", "  \t"):
        assert otp_check(phase, blank, stored_hash, legacy, commit_phase) is without_otp
    assert otp_check(phase, "1234", stored_hash, legacy, commit_phase) is with_otp


@pytest.mark.parametrize(
    ("legacy", "commit_phase", "expected"),
    [
        (NONE, COMMIT, ActivationStatus.PENDING_COMMIT),
        (NONE, None, ActivationStatus.PENDING_COMMIT),
        (NONE, EXCHANGE, ActivationStatus.ACTIVE),
        (LEGACY_EXCHANGE, COMMIT, ActivationStatus.ACTIVE),
        (LEGACY_COMMIT, COMMIT, ActivationStatus.PENDING_COMMIT),
    ],
)
def test_only_the_record_decides_whether_a_key_exchange_activates(
    legacy: ActivationOtpValidation, commit_phase: CommitPhase | None, expected: ActivationStatus
) -> None:
    assert status_after_key_exchange(legacy, commit_phase) is expected


@pytest.mark.parametrize(("failed", "maximum", "expected"), [(4, 5, False), (5, 5, True), (6, 5, True)])
def test_attempts_are_exhausted_at_the_maximum(failed: int, maximum: int, expected: bool) -> None:
    assert attempts_exhausted(failed, maximum) is expected


@pytest.mark.parametrize("state", STATES)
def test_only_unfinished_activations_expire_and_only_after_their_time(state: ActivationStatus) -> None:
    expires = datetime(2026, 1, 1)
    unfinished = state in (ActivationStatus.CREATED, ActivationStatus.PENDING_COMMIT)
    assert is_overdue(state, expires, expires + timedelta(microseconds=1)) is unfinished
    assert not is_overdue(state, expires, expires)
