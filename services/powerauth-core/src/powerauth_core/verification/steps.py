"""What one signature does to an activation: decided from facts alone, without I/O (spec/core-api.md §9.1,
§9.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations.models import BLOCKED_AS_UNSOUND
from powerauth_core.kernel.errors import IncorrectActivationState, InvalidRequest, SignatureNotComputable
from powerauth_core.verification.jobs import (
    BLOCKED_BY_FAILURES,
    OFFLINE_SECRET,
    ActivationFacts,
    Decision,
    LockedActivation,
    Outcome,
    VerificationJob,
)
from powerauth_protocol.common.errors import SignatureError
from powerauth_protocol.generation import generation_of, generation_of_activation, makes_codes
from powerauth_protocol.groups import Codes, FactorKeys, ProtocolVersion
from powerauth_protocol.v3.signature import Match, SignatureType


class KnownApplication(Protocol):
    """What a check needs to know of the application that a key belongs to (`ApplicationFacts`).

    :ivar secret: the application secret as Base64 text
    """

    @property
    def application_rid(self) -> int: ...

    @property
    def secret(self) -> str: ...

    @property
    def supported(self) -> bool: ...

    def accepts(self, version: ProtocolVersion) -> bool:
        """Whether a request of this protocol version is served (D17)."""
        ...


class ApplicationCheck(StrEnum):
    """What the application key of the request is to the activation."""

    MATCHES = "a supported version of the activation's application, or a check that names none (offline)"
    REFUSED = "a known key, but unsupported or of another application"
    UNKNOWN = "no such key"


# Values, never changed. Not frozen: that makes them five times as dear, and every check makes several.
@dataclass(slots=True)
class Attempt:
    """One code, and what it is compared with.

    :ivar signature: the code as received
    :ivar types: allowed types in the order in which they are tried; the first one is reported on failure
    :ivar candidates: complete signed bytes, application secret or ``offline`` included; several only with a
        proximity check
    :ivar codes: the form that the code should have
    """

    signature: str
    types: tuple[SignatureType, ...]
    candidates: tuple[bytes, ...] = field(repr=False)
    codes: Codes
    activation: LockedActivation
    means: Means


@dataclass(frozen=True, slots=True)
class Means:
    """What checks take beside what they are about.

    :ivar keys_of: factor keys of an activation
    :ivar lookahead: counter values to try, 1 to 64
    :ivar counts: whether an attempt that failed on an ACTIVE activation counts, on it and on an operation
        (D14)
    """

    keys_of: Callable[[LockedActivation], FactorKeys]
    lookahead: int
    counts: Callable[[Attempt], bool]


def every_failure(_: Attempt) -> bool:
    """As in the original: whoever knows the activation's id and a public application key can block it."""
    return True


def of_own_device(attempt: Attempt) -> bool:
    """Whether only the activation's own device can have made this code: its possession component is right.

    A code without possession tells nothing about the device and counts: it is not taken at a public door, and
    whoever tries PINs must not leave the component out to try on.
    """
    if not any("possession" in kind.factors for kind in attempt.types):
        return True
    part = replace(
        attempt,
        signature=attempt.codes.possession_part(attempt.signature),
        types=(SignatureType.POSSESSION,),
    )
    return _search(part) is not None


def decide(
    job: VerificationJob,
    activation: LockedActivation | None,
    application: KnownApplication | None,
    means: Means,
) -> Decision | None:
    """Check one signature (spec/core-api.md §9.1).

    1. The activation is known to the caller; if not, there is nothing to decide.
    2. The protocol version tells the form of the code; offline it is decimal (§9.5).
    3. The application key is that of a supported version of the activation's application, or row A.
    4. The signed bytes are the data with the application's secret.
    5. The activation is ACTIVE, or row B.
    6. It has attempts left, or row C.
    7. The code is looked for among the next counters.
    8. It is there: row D. It is not: row E.

    :param activation: None if there is none that the caller may see
    :param application: what is known about the application key; None for an unknown one and offline
    :raises InvalidRequest: a FIDO2 activation
    :raises IncorrectActivationState: the activation does not use the hash counter (version other than 3)
    :raises SignatureNotComputable: the application does not accept this protocol version (D17), or the record
        does not allow to compute a code
    :raises CoreError: the keys cannot be read, as `ActivationKeyCache.keys_of`
    """
    if activation is None:  # (1)
        return None
    facts, kind = activation.facts, job.types[0]
    check = _application_check(job, activation, application)
    attempt = _attempt(job, activation, application, means)
    active = facts.status is ActivationStatus.ACTIVE
    if not facts.sound:
        after = _blocked(facts, BLOCKED_AS_UNSOUND) if active else facts
        return Decision(Outcome.INVALID_STATE, facts, after, kind)
    if check is not ApplicationCheck.MATCHES:  # (3)
        # Only an ACTIVE activation can be blocked: counting on others would lead out of REMOVED (§22.1).
        # An unknown key is anybody's guess and must not lock the user out (D15).
        counted = active and check is ApplicationCheck.REFUSED and means.counts(attempt)
        return _failure(Outcome.INVALID_APPLICATION, attempt, counted)
    if not active or facts.ctr_data is None:  # (5)
        return Decision(Outcome.INVALID_STATE, facts, facts, kind)
    if facts.failed_attempts >= facts.max_failed_attempts:  # (6)
        return Decision(Outcome.EXHAUSTED, facts, _blocked(facts), kind, counted=True)
    if facts.protocol is not ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    if not makes_codes(facts.version, by_hash_counter=job.force_hash_counter):
        raise IncorrectActivationState()
    match = _search(attempt)  # (7)
    if match is None:  # (8)
        return _failure(Outcome.MISMATCH, attempt, means.counts(attempt))
    return _match(facts, match)


def _application_check(
    job: VerificationJob, activation: LockedActivation, application: KnownApplication | None
) -> ApplicationCheck:
    if job.version is None:
        return ApplicationCheck.MATCHES
    if application is None:
        return ApplicationCheck.UNKNOWN
    if not application.supported or application.application_rid != activation.application_rid:
        return ApplicationCheck.REFUSED
    if not application.accepts(job.version):
        raise SignatureNotComputable()
    return ApplicationCheck.MATCHES


def _attempt(
    job: VerificationJob, activation: LockedActivation, application: KnownApplication | None, means: Means
) -> Attempt:
    if job.version is None:
        generation = generation_of_activation(activation.version)
        secret, codes = OFFLINE_SECRET, generation.offline_codes(job.component_length)
    else:
        secret = "" if application is None else application.secret
        codes = generation_of(job.version).codes  # (2)
    candidates = tuple([f"{data}&{secret}".encode() for data in job.signed_data])  # (4)
    return Attempt(job.signature, job.types, candidates, codes, activation, means)


def _search(attempt: Attempt) -> Match | None:
    counter = attempt.activation.facts.ctr_data
    if counter is None:
        return None
    try:
        return attempt.codes.search(
            attempt.candidates,
            attempt.signature,
            attempt.types,
            attempt.means.keys_of(attempt.activation),
            counter,
            attempt.means.lookahead,
        )
    except SignatureError:
        raise SignatureNotComputable() from None


def _match(activation: ActivationFacts, match: Match) -> Decision:
    """Row D: the counter moves past the match."""
    failed = activation.failed_attempts if match.type is SignatureType.POSSESSION else 0
    # Not `replace`, which costs as much as the check itself.
    after = ActivationFacts(
        activation.activation_id,
        activation.status,
        activation.protocol,
        activation.version,
        activation.blocked_reason,
        activation.counter + match.step + 1,
        match.next_ctr_data,
        failed,
        activation.max_failed_attempts,
        activation.sound,
        activation.bound,
    )
    return Decision(Outcome.VALID, activation, after, match.type, match.candidate_index)


def _failure(outcome: Outcome, attempt: Attempt, counted: bool) -> Decision:
    """Rows A and E: at most one failed attempt, however many candidates and types were tried."""
    facts, kind = attempt.activation.facts, attempt.types[0]
    last = len(attempt.candidates) - 1 if outcome is Outcome.MISMATCH else 0
    after = _failed(facts, kind) if counted else facts
    return Decision(outcome, facts, after, kind, candidate_index=last, counted=counted)


def _failed(activation: ActivationFacts, kind: SignatureType) -> ActivationFacts:
    """A failed attempt; possession alone proves no user and does not count (§9.1)."""
    if kind is SignatureType.POSSESSION:
        return activation
    if activation.failed_attempts >= activation.max_failed_attempts:
        return _blocked(activation)
    after = replace(activation, failed_attempts=activation.failed_attempts + 1)
    return _blocked(after) if after.failed_attempts >= after.max_failed_attempts else after


def _blocked(activation: ActivationFacts, reason: str = BLOCKED_BY_FAILURES) -> ActivationFacts:
    return replace(activation, status=ActivationStatus.BLOCKED, blocked_reason=reason)
