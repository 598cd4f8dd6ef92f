"""The steps of spec/core-api.md §9.1, rows A to E of its table, and what may never follow from it."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.kernel.errors import (
    IncorrectActivationState,
    InvalidKeyFormat,
    InvalidRequest,
    NoMasterKeyPair,
    SignatureNotComputable,
)
from powerauth_core.verification.jobs import (
    ActivationFacts,
    Decision,
    LockedActivation,
    Outcome,
    VerificationJob,
)
from powerauth_core.verification.steps import (
    ApplicationCheck,
    Attempt,
    Means,
    decide,
    every_failure,
    of_own_device,
)
from powerauth_protocol.v3.counter import advance
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    BiometryKey,
    KnowledgeKey,
    PossessionKey,
    TransportKey,
    VaultKey,
)
from powerauth_protocol.v3.signature import SignatureType, compute_signature, signing_keys
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat

LOOKAHEAD = 20
KEYS = ActivationKeys(
    PossessionKey(bytes([1]) * 16),
    KnowledgeKey(bytes([2]) * 16),
    BiometryKey(bytes([3]) * 16),
    TransportKey(bytes([4]) * 16),
    VaultKey(bytes([5]) * 16),
)
WRONG_PIN = replace(KEYS, knowledge=KnowledgeKey(bytes(16)))
WRONG_FINGER = replace(KEYS, biometry=BiometryKey(bytes(16)))
ANOTHER_PHONE = replace(KEYS, possession=PossessionKey(bytes(16)))
CTR = bytes(range(16))
SIGNED, SECRET = "POST&L3BhL2xvZ2lu&AAAAAAAAAAAAAAAAAAAAAA==&", "c2VjcmV0"
DATA = f"{SIGNED}&{SECRET}".encode()
TWO_FACTORS = SignatureType.POSSESSION_KNOWLEDGE
VERSIONS = {SignatureFormat.BASE64: ProtocolVersion.V3_1, SignatureFormat.DECIMAL: ProtocolVersion.V3_0}
RID = {ApplicationCheck.MATCHES: 1, ApplicationCheck.REFUSED: 2}


class Request(NamedTuple):
    """A job, and the application of its key."""

    job: VerificationJob
    application: ApplicationFacts | None


def activation(**changes: Any) -> ActivationFacts:
    facts = ActivationFacts(
        activation_id="a-1",
        status=ActivationStatus.ACTIVE,
        protocol=ActivationProtocol.POWERAUTH,
        version=3,
        blocked_reason=None,
        counter=7,
        ctr_data=CTR,
        failed_attempts=0,
        max_failed_attempts=5,
    )
    return replace(facts, **changes)


def application_of(rid: int, minimum: str = "3.0") -> ApplicationFacts:
    identity = (rid, f"application-{rid}", (), minimum, NoMasterKeyPair)
    return ApplicationFacts(*identity, 1, "default", "key", SECRET, b"secret", supported=True)


def code(
    step: int = 0, kind: SignatureType = TWO_FACTORS, fmt: SignatureFormat = SignatureFormat.BASE64
) -> str:
    return compute_signature(DATA, signing_keys(KEYS, kind), advance(CTR, step), fmt)


def attempt(
    signature: str | None = None,
    *,
    kinds: tuple[SignatureType, ...] = (TWO_FACTORS,),
    application: ApplicationCheck = ApplicationCheck.MATCHES,
    fmt: SignatureFormat = SignatureFormat.BASE64,
    signed: tuple[str, ...] = (SIGNED,),
) -> Request:
    wrong = os.urandom(32).hex()[:44] if signature is None else signature
    job = VerificationJob("a-1", signed, wrong, kinds, VERSIONS[fmt], "key")
    rid = RID.get(application)
    return Request(job, None if rid is None else application_of(rid))


def decided(
    request: Request, facts: ActivationFacts, counts: Callable[[Attempt], bool] = every_failure
) -> Decision:
    row = LockedActivation(facts, "alice", 1, "application-1", (), (), "", 0, "")
    decision = decide(request.job, row, request.application, Means(lambda _: KEYS, LOOKAHEAD, counts))
    assert decision is not None
    return decision


def test_an_activation_that_nobody_may_see_is_not_decided_about() -> None:
    assert decide(attempt(code()).job, None, None, Means(lambda _: KEYS, LOOKAHEAD, every_failure)) is None


def test_a_version_that_the_application_does_not_accept_is_refused_in_any_state() -> None:
    request = attempt(code())._replace(application=application_of(1, minimum="3.2"))
    with pytest.raises(SignatureNotComputable):
        decided(request, activation(status=ActivationStatus.BLOCKED))


def test_an_offline_code_needs_no_application() -> None:
    signature = compute_signature(
        f"{SIGNED}&offline".encode(), signing_keys(KEYS, TWO_FACTORS), CTR, SignatureFormat.DECIMAL
    )
    request = Request(VerificationJob("a-1", (SIGNED,), signature, (TWO_FACTORS,), None), None)
    assert decided(request, activation()).valid


@pytest.mark.parametrize("step", [0, 1, LOOKAHEAD - 1])
def test_valid_signature_moves_the_counter_one_past_the_match(step: int) -> None:
    decision = decided(attempt(code(step)), activation(failed_attempts=3))
    assert decision.outcome is Outcome.VALID
    assert decision.after.ctr_data == advance(CTR, step + 1)
    assert decision.after.counter == 7 + step + 1
    assert decision.after.failed_attempts == 0
    assert decision.remaining_attempts == 5
    assert decision.before.counter == 7


def test_signature_beyond_the_lookahead_is_refused() -> None:
    assert decided(attempt(code(LOOKAHEAD)), activation()).outcome is Outcome.MISMATCH


def test_an_accepted_signature_is_not_accepted_again() -> None:
    first = decided(attempt(code()), activation())
    assert decided(attempt(code()), first.after).outcome is Outcome.MISMATCH


def test_decimal_code_of_version_3_0_is_accepted() -> None:
    request = attempt(code(fmt=SignatureFormat.DECIMAL), fmt=SignatureFormat.DECIMAL)
    assert decided(request, activation()).valid


def test_valid_possession_signature_does_not_reset_failed_attempts_but_answers_the_maximum() -> None:
    kind = SignatureType.POSSESSION
    decision = decided(attempt(code(kind=kind), kinds=(kind,)), activation(failed_attempts=3))
    assert decision.valid
    assert decision.after.failed_attempts == 3
    assert decision.remaining_attempts == 5


@pytest.mark.parametrize("kind", list(SignatureType))
def test_only_a_wrong_possession_signature_does_not_count(kind: SignatureType) -> None:
    decision = decided(attempt(kinds=(kind,)), activation(failed_attempts=1))
    expected = 1 if kind is SignatureType.POSSESSION else 2
    assert decision.outcome is Outcome.MISMATCH
    assert decision.after.failed_attempts == expected
    assert decision.remaining_attempts == 5 - expected
    assert decision.after.ctr_data == CTR
    assert decision.after.counter == 7


def test_the_attempt_that_reaches_the_maximum_blocks() -> None:
    decision = decided(attempt(), activation(failed_attempts=4))
    assert decision.blocked
    assert decision.after.status is ActivationStatus.BLOCKED
    assert decision.after.blocked_reason == "MAX_FAILED_ATTEMPTS"
    assert decision.remaining_attempts == 0
    assert decision.full_answer


def test_exhausted_but_active_activation_is_blocked_even_for_a_right_signature() -> None:
    decision = decided(attempt(code()), activation(failed_attempts=5))
    assert decision.outcome is Outcome.EXHAUSTED
    assert decision.blocked
    assert not decision.valid
    assert not decision.full_answer


@pytest.mark.parametrize("status", [s for s in ActivationStatus if s is not ActivationStatus.ACTIVE])
def test_signature_in_any_other_state_changes_nothing(status: ActivationStatus) -> None:
    decision = decided(attempt(code()), activation(status=status, failed_attempts=5))
    assert decision.outcome is Outcome.INVALID_STATE
    assert decision.after == decision.before
    assert not decision.counted


@pytest.mark.parametrize("status", [s for s in ActivationStatus if s is not ActivationStatus.ACTIVE])
@pytest.mark.parametrize("application", [ApplicationCheck.REFUSED, ApplicationCheck.UNKNOWN])
def test_wrong_application_never_changes_a_state_other_than_active(
    status: ActivationStatus, application: ApplicationCheck
) -> None:
    decision = decided(attempt(code(), application=application), activation(status=status, failed_attempts=4))
    assert decision.outcome is Outcome.INVALID_APPLICATION
    assert decision.after == decision.before


def test_known_key_of_another_application_counts_and_blocks() -> None:
    request = attempt(code(), application=ApplicationCheck.REFUSED)
    assert decided(request, activation()).after.failed_attempts == 1
    assert decided(request, activation(failed_attempts=4)).blocked


def test_failures_of_an_exhausted_activation_do_not_pass_the_maximum() -> None:
    decision = decided(attempt(application=ApplicationCheck.REFUSED), activation(failed_attempts=5))
    assert decision.after.status is ActivationStatus.BLOCKED
    assert decision.after.failed_attempts == 5


def test_unknown_application_key_does_not_count() -> None:
    decision = decided(attempt(code(), application=ApplicationCheck.UNKNOWN), activation(failed_attempts=4))
    assert decision.after == decision.before
    assert not decision.counted


def test_activation_without_counter_answers_its_state_without_an_audit_row() -> None:
    decision = decided(
        attempt(code()), activation(status=ActivationStatus.CREATED, ctr_data=None, version=None)
    )
    assert decision.outcome is Outcome.INVALID_STATE
    assert not decision.audited


def test_several_types_are_tried_at_each_counter_and_failure_counts_once() -> None:
    kinds = (SignatureType.POSSESSION_KNOWLEDGE, SignatureType.POSSESSION_BIOMETRY)
    biometry = decided(attempt(code(2, SignatureType.POSSESSION_BIOMETRY), kinds=kinds), activation())
    assert biometry.signature_type is SignatureType.POSSESSION_BIOMETRY
    assert biometry.after.counter == 10
    failed = decided(attempt(kinds=kinds, signed=("x", SIGNED)), activation())
    assert failed.signature_type is SignatureType.POSSESSION_KNOWLEDGE
    assert failed.after.failed_attempts == 1
    assert failed.candidate_index == 1


@pytest.mark.parametrize("application", [ApplicationCheck.MATCHES, ApplicationCheck.REFUSED])
@pytest.mark.parametrize("fmt", list(SignatureFormat))
@pytest.mark.parametrize(
    ("made_with", "step", "kinds", "counted"),
    [
        # The right phone with a wrong PIN or finger.
        (WRONG_PIN, 0, (TWO_FACTORS,), True),
        (WRONG_PIN, LOOKAHEAD - 1, (TWO_FACTORS,), True),
        (WRONG_FINGER, 3, (SignatureType.POSSESSION_BIOMETRY,), True),
        (WRONG_PIN, 0, (TWO_FACTORS, SignatureType.POSSESSION_BIOMETRY), True),
        (WRONG_PIN, 0, (SignatureType.KNOWLEDGE,), True),
        # Somebody who knows the activation's id, even one who knows the PIN.
        (ANOTHER_PHONE, 0, (TWO_FACTORS,), False),
        (ANOTHER_PHONE, 0, (SignatureType.POSSESSION,), False),
        (ANOTHER_PHONE, 0, (SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY,), False),
        (WRONG_PIN, LOOKAHEAD, (TWO_FACTORS,), False),
    ],
)
def test_where_only_the_own_device_counts_its_possession_component_tells(
    made_with: ActivationKeys,
    step: int,
    kinds: tuple[SignatureType, ...],
    counted: bool,
    fmt: SignatureFormat,
    application: ApplicationCheck,
) -> None:
    wrong = compute_signature(DATA, signing_keys(made_with, kinds[0]), advance(CTR, step), fmt)
    request = attempt(wrong, kinds=kinds, fmt=fmt, application=application)
    decision = decided(request, activation(failed_attempts=4), of_own_device)
    assert decision.counted is counted
    assert decision.blocked is counted
    assert decision.proves_nothing is not counted
    assert decision.after.ctr_data == CTR


@pytest.mark.parametrize("garbage", ["", "-", "%", "AAAA", "1-2", "12345678-12345678-12345678-1"])
@pytest.mark.parametrize("fmt", list(SignatureFormat))
def test_a_code_of_no_form_is_of_no_device(garbage: str, fmt: SignatureFormat) -> None:
    assert not decided(attempt(garbage, fmt=fmt), activation(), of_own_device).counted


def test_fido2_activation_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        decided(attempt(code()), activation(protocol=ActivationProtocol.FIDO2))


def test_activation_of_version_2_is_refused() -> None:
    with pytest.raises(IncorrectActivationState):
        decided(attempt(code()), activation(version=2))


def test_keys_that_cannot_be_read_are_an_error_not_a_failed_attempt() -> None:
    def broken(_: object) -> ActivationKeys:
        raise InvalidKeyFormat

    row = LockedActivation(activation(), "alice", 1, "application-1", (), (), "", 0, "")
    with pytest.raises(InvalidKeyFormat):
        decide(attempt(code()).job, row, application_of(1), Means(broken, LOOKAHEAD, every_failure))


@given(
    signatures=st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=30),
    kind=st.sampled_from(list(SignatureType)),
    maximum=st.integers(1, 6),
)
def test_counter_never_goes_back_and_failures_never_pass_the_maximum(
    signatures: list[int | None], kind: SignatureType, maximum: int
) -> None:
    facts = activation(max_failed_attempts=maximum)
    accepted: set[int] = set()
    for step in signatures:
        signature = None if step is None else code(step, kind)
        decision = decided(attempt(signature, kinds=(kind,)), facts)
        after = decision.after
        assert after.counter >= facts.counter
        assert after.ctr_data == advance(CTR, after.counter - 7)
        assert after.failed_attempts <= maximum
        assert (after.status is ActivationStatus.BLOCKED) == (after.failed_attempts == maximum)
        if decision.valid:
            assert step is not None
            assert step not in accepted
            accepted.add(step)
        facts = after
