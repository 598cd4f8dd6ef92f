"""Tables of the decisions about an operation (spec/core-api.md §19.6, §19.7, §23; D14)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerauth_contracts.enums import OperationStatus, SignatureType
from powerauth_core.operations import rules
from powerauth_core.operations.rules import Actor, ApprovalAttempt, OperationFacts, ProximityResult

NOW = datetime(2026, 1, 2, 3, 4, 5)
PENDING = OperationStatus.PENDING
PK = SignatureType.POSSESSION_KNOWLEDGE

OPERATION = OperationFacts(
    status=PENDING,
    timestamp_expires=NOW + timedelta(minutes=5),
    user_id="user",
    applications=frozenset({"bank", "shop"}),
    activation_id="act",
    activation_flag="FLAG",
    data="A1*A100CZK",
    signature_types=frozenset({PK, SignatureType.POSSESSION_BIOMETRY}),
    failure_count=0,
    max_failure_count=3,
)
ATTEMPT = ApprovalAttempt(
    user_id="user",
    application_id="bank",
    activation_id="act",
    data="A1*A100CZK",
    signature_type=PK,
    proximity=ProximityResult.DISABLED,
)
ACTOR = Actor("act", "user", "bank", ("FLAG",))


@pytest.mark.parametrize("status", OperationStatus)
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_only_a_pending_operation_past_its_expiry_reads_as_expired(
    status: OperationStatus, offset: int
) -> None:
    expires = NOW + timedelta(microseconds=offset)
    expected = OperationStatus.EXPIRED if status is PENDING and offset < 0 else status
    assert rules.status_at(status, expires, NOW) is expected


def test_an_attempt_that_fits_in_everything_approves() -> None:
    assert rules.approval_succeeds(OPERATION, ATTEMPT)


@pytest.mark.parametrize(
    "attempt",
    [
        replace(ATTEMPT, user_id="other"),
        replace(ATTEMPT, application_id="elsewhere"),
        replace(ATTEMPT, activation_id="another"),
        replace(ATTEMPT, activation_id=None),
        replace(ATTEMPT, data="A1*A100CZK "),
        replace(ATTEMPT, data=""),
        replace(ATTEMPT, signature_type=SignatureType.POSSESSION),
        replace(ATTEMPT, signature_type=SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY),
        replace(ATTEMPT, proximity=ProximityResult.FAILED),
        replace(ATTEMPT, proximity=ProximityResult.ERROR),
    ],
)
def test_any_single_mismatch_fails_the_approval(attempt: ApprovalAttempt) -> None:
    assert not rules.approval_succeeds(OPERATION, attempt)


@pytest.mark.parametrize(
    ("operation", "attempt"),
    [
        (replace(OPERATION, user_id=None), ATTEMPT),
        (replace(OPERATION, activation_id=None), ATTEMPT),
        (replace(OPERATION, activation_id=None), replace(ATTEMPT, activation_id=None)),
        (OPERATION, replace(ATTEMPT, application_id="shop")),
        (OPERATION, replace(ATTEMPT, signature_type=SignatureType.POSSESSION_BIOMETRY)),
        (OPERATION, replace(ATTEMPT, proximity=ProximityResult.SUCCESS)),
        (replace(OPERATION, failure_count=2), ATTEMPT),
        (replace(OPERATION, activation_flag=None), ATTEMPT),
    ],
)
def test_what_the_operation_leaves_open_fits(operation: OperationFacts, attempt: ApprovalAttempt) -> None:
    assert rules.approval_succeeds(operation, attempt)


@pytest.mark.parametrize("failures", [3, 4, 1000])
def test_exhausted_failures_fail_the_approval(failures: int) -> None:
    assert not rules.approval_succeeds(replace(OPERATION, failure_count=failures), ATTEMPT)


@pytest.mark.parametrize(
    ("count", "maximum", "expected", "status"),
    [
        (0, 1, 1, OperationStatus.FAILED),
        (0, 2, 1, PENDING),
        (1, 2, 2, OperationStatus.FAILED),
        (3, 5, 4, PENDING),
        (4, 5, 5, OperationStatus.FAILED),
        (9, 5, 5, OperationStatus.FAILED),
    ],
)
def test_the_last_allowed_failure_is_final(
    count: int, maximum: int, expected: int, status: OperationStatus
) -> None:
    counted = rules.count_failure(count, maximum)
    assert (counted.failure_count, counted.status) == (expected, status)


@given(maximum=st.integers(1, 50))
def test_exactly_the_maximum_of_failures_ends_an_operation(maximum: int) -> None:
    count, attempts, status = 0, 0, PENDING
    while status is PENDING:
        counted = rules.count_failure(count, maximum)
        count, status, attempts = counted.failure_count, counted.status, attempts + 1
    assert attempts == count == maximum
    assert status is OperationStatus.FAILED


@pytest.mark.parametrize(
    ("operation", "actor", "known"),
    [
        (OPERATION, ACTOR, True),
        (OPERATION, replace(ACTOR, user_id="other"), False),
        (OPERATION, replace(ACTOR, application_id="elsewhere"), False),
        (OPERATION, replace(ACTOR, activation_id="another"), False),
        (replace(OPERATION, user_id=None), replace(ACTOR, user_id="other"), True),
        (replace(OPERATION, activation_id=None), replace(ACTOR, activation_id="another"), True),
        (OPERATION, replace(ACTOR, activation_flags=()), True),
    ],
)
def test_an_operation_is_known_only_to_fitting_activations(
    operation: OperationFacts, actor: Actor, known: bool
) -> None:
    assert rules.concerns(operation, actor) is known


def test_a_failed_signature_never_counts_without_an_owner() -> None:
    assert rules.counts_failed_signature(OPERATION, ACTOR)
    assert not rules.counts_failed_signature(replace(OPERATION, user_id=None), ACTOR)
    assert not rules.counts_failed_signature(OPERATION, replace(ACTOR, activation_id="another"))


@pytest.mark.parametrize(
    ("flag", "flags", "fits"),
    [
        (None, (), True),
        (None, ("A",), True),
        ("A", ("A",), True),
        ("A", ("B", "A"), True),
        ("A", ("B",), False),
        ("A", (), False),
        ("A", ("a",), False),
    ],
)
def test_a_flagged_operation_needs_an_activation_with_the_flag(
    flag: str | None, flags: tuple[str, ...], fits: bool
) -> None:
    assert rules.flag_fits(replace(OPERATION, activation_flag=flag), flags) is fits


@pytest.mark.parametrize("flag", ["VERIFICATION_PENDING", "VERIFICATION_IN_PROGRESS"])
def test_an_activation_under_verification_is_recognised(flag: str) -> None:
    assert rules.is_under_verification(replace(ACTOR, activation_flags=("OTHER", flag)))
    assert not rules.is_under_verification(ACTOR)


@pytest.mark.parametrize(
    ("owner", "user", "application", "succeeds"),
    [
        ("user", "user", "bank", True),
        (None, "user", "shop", True),
        ("user", "other", "bank", False),
        ("user", "user", "elsewhere", False),
    ],
)
def test_a_rejection_needs_owner_and_application(
    owner: str | None, user: str, application: str, succeeds: bool
) -> None:
    assert rules.belongs_to(replace(OPERATION, user_id=owner), user, application) is succeeds


def test_an_unclaimed_operation_belongs_to_nobody() -> None:
    assert rules.has_claimed(OPERATION, "user")
    assert not rules.has_claimed(OPERATION, "other")
    assert not rules.has_claimed(replace(OPERATION, user_id=None), "user")
