"""What one signature does to an activation: decided from facts alone, without I/O (spec/core-api.md §9.1,
§9.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations.models import BLOCKED_AS_UNSOUND
from powerauth_core.kernel.errors import IncorrectActivationState, InvalidRequest, SignatureNotComputable
from powerauth_protocol.common.errors import SignatureError
from powerauth_protocol.v3.keys import ActivationKeys
from powerauth_protocol.v3.signature import (
    DEFAULT_COMPONENT_LENGTH,
    Match,
    SignatureType,
    possession_component,
    verify_with_lookahead,
)
from powerauth_protocol.v3.versions import SignatureFormat

BLOCKED_BY_FAILURES = "MAX_FAILED_ATTEMPTS"
HASH_COUNTER_VERSION = 3
OLD_COUNTER_VERSION = 2


class Outcome(StrEnum):
    """Row of the decision table of spec/core-api.md §9.1; the value is the note in the signature audit."""

    INVALID_APPLICATION = "activation_invalid_application"
    INVALID_STATE = "activation_invalid_state"
    EXHAUSTED = "activation_invalid_state_ctr_mismatch"
    VALID = "signature_ok"
    MISMATCH = "signature_does_not_match"


class ApplicationCheck(StrEnum):
    """What the application key of the request is to the activation."""

    MATCHES = "a supported version of the activation's application, or a check that names none (offline)"
    REFUSED = "a known key, but unsupported or of another application"
    UNKNOWN = "no such key"


# Values, never changed. Not frozen: that makes them five times as dear, and every check makes several.
@dataclass(slots=True)
class ActivationFacts:
    """What the decision needs of an activation row.

    :ivar ctr_data: next expected counter data, 16 bytes; None before the key exchange
    :ivar version: major protocol version of the activation; None before the key exchange
    :ivar sound: the row is as this core left it (D32)
    :ivar bound: what its MAC covers; None if there is no MAC to renew
    """

    activation_id: str
    status: ActivationStatus
    protocol: ActivationProtocol
    version: int | None
    blocked_reason: str | None
    counter: int
    ctr_data: bytes | None = field(repr=False)
    failed_attempts: int
    max_failed_attempts: int
    sound: bool = True
    bound: tuple[Any, ...] | None = field(default=None, repr=False)


@dataclass(slots=True)
class Attempt:
    """One signature to check.

    :ivar signature: the code as received
    :ivar types: allowed types in the order in which they are tried; the first one is reported on failure
    :ivar candidates: complete signed bytes, application secret or ``offline`` included; several only with a
        proximity check
    :ivar application: what the application key is to this activation
    :ivar component_length: digits per factor of a decimal code
    :ivar force_hash_counter: use the counter data also for an activation of version 2 (upgrade commit)
    """

    signature: str
    types: tuple[SignatureType, ...]
    candidates: tuple[bytes, ...] = field(repr=False)
    format: SignatureFormat
    application: ApplicationCheck
    component_length: int = DEFAULT_COMPONENT_LENGTH
    force_hash_counter: bool = False


@dataclass(slots=True)
class Decision:
    """What to store and what to answer.

    :ivar before: the activation as it was locked; what the audit shows
    :ivar after: the activation as it has to be stored
    :ivar signature_type: the type that matched, otherwise the first requested one
    :ivar candidate_index: which of the candidates matched or was tried last
    :ivar counted: the attempt counts as a failed one, on the activation and on an operation it was meant for
    """

    outcome: Outcome
    before: ActivationFacts
    after: ActivationFacts
    signature_type: SignatureType
    candidate_index: int = 0
    counted: bool = False

    @property
    def valid(self) -> bool:
        """The signature was accepted."""
        return self.outcome is Outcome.VALID

    @property
    def blocked(self) -> bool:
        """The activation becomes BLOCKED by this attempt."""
        return self.after.status is not self.before.status

    @property
    def proves_nothing(self) -> bool:
        """The attempt was not accepted and does not count: whoever knows the activation's id can make it."""
        return not self.valid and not self.counted and not self.blocked

    @property
    def full_answer(self) -> bool:
        """The answer shows user, application, type and remaining attempts (rows D and E)."""
        return self.outcome in (Outcome.VALID, Outcome.MISMATCH)

    @property
    def audited(self) -> bool:
        """An activation that never had a counter leaves no row in the signature audit (§33 no. 4)."""
        return self.before.ctr_data is not None

    @property
    def remaining_attempts(self) -> int:
        """Attempts left; the maximum after a valid signature, of any type (§9.1)."""
        if self.valid:
            return self.after.max_failed_attempts
        return self.after.max_failed_attempts - self.after.failed_attempts


@dataclass(frozen=True, slots=True)
class Counting:
    """Which failed attempts count, on the activation and on an operation (D14).

    :ivar counts: judges an attempt that failed on an ACTIVE activation, with its factor keys and look-ahead
    :ivar keyed: for which application keys it needs the factor keys
    """

    counts: Callable[[Attempt, ActivationFacts, ActivationKeys | None, int], bool]
    keyed: frozenset[ApplicationCheck]


def _of_own_device(
    attempt: Attempt, activation: ActivationFacts, keys: ActivationKeys | None, lookahead: int
) -> bool:
    """Whether only the activation's own device can have made this code: its possession component is right.

    A code without possession tells nothing about the device and counts: it is not taken at a public door, and
    whoever tries PINs must not leave the component out to try on.
    """
    if not any("possession" in kind.factors for kind in attempt.types):
        return True
    if keys is None or activation.ctr_data is None:
        return False
    part = replace(
        attempt,
        signature=possession_component(attempt.signature, attempt.format),
        types=(SignatureType.POSSESSION,),
    )
    return _search(part, activation, keys, lookahead) is not None


EVERY_FAILURE = Counting(lambda *_: True, frozenset({ApplicationCheck.MATCHES}))
"""As in the original: whoever knows the activation's id and a public application key can block it."""

OWN_DEVICE = Counting(_of_own_device, frozenset({ApplicationCheck.MATCHES, ApplicationCheck.REFUSED}))
"""Only failures of the activation's own device."""


def decide(
    attempt: Attempt,
    activation: ActivationFacts,
    keys: ActivationKeys | None,
    lookahead: int,
    counting: Counting = EVERY_FAILURE,
) -> Decision:
    """Check one signature against the locked activation (spec/core-api.md §9.1 steps 3 to 8).

    :param keys: factor keys of the activation; needed only while it is ACTIVE, as `counting` says
    :param lookahead: counter values to try, 1 to 64
    :param counting: which failures count
    :raises InvalidRequest: a FIDO2 activation
    :raises IncorrectActivationState: the activation does not use the hash counter (version other than 3)
    :raises SignatureNotComputable: keys or counter of the record do not allow to compute a code
    """
    refused = _refusal(attempt, activation, keys, lookahead, counting)
    if refused is not None:
        return refused
    if activation.protocol is not ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    if activation.version != HASH_COUNTER_VERSION and not (
        attempt.force_hash_counter and activation.version == OLD_COUNTER_VERSION
    ):
        raise IncorrectActivationState()
    match = _search(attempt, activation, keys, lookahead)
    if match is None:
        return _mismatch(attempt, activation, counting.counts(attempt, activation, keys, lookahead))
    return _match(attempt, activation, match)


def _refusal(
    attempt: Attempt,
    activation: ActivationFacts,
    keys: ActivationKeys | None,
    lookahead: int,
    counting: Counting,
) -> Decision | None:
    """Rows A to C: answered before any code is computed."""
    active = activation.status is ActivationStatus.ACTIVE
    kind = attempt.types[0]
    if not activation.sound:
        after = _blocked(activation, BLOCKED_AS_UNSOUND) if active else activation
        return Decision(Outcome.INVALID_STATE, activation, after, kind)
    if attempt.application is not ApplicationCheck.MATCHES:
        # Only an ACTIVE activation can be blocked: counting on others would lead out of REMOVED (§22.1).
        # An unknown key is anybody's guess and must not lock the user out (D15).
        counted = (
            active
            and attempt.application is ApplicationCheck.REFUSED
            and counting.counts(attempt, activation, keys, lookahead)
        )
        after = _failed(activation, kind) if counted else activation
        return Decision(Outcome.INVALID_APPLICATION, activation, after, kind, counted=counted)
    if not active or activation.ctr_data is None:
        return Decision(Outcome.INVALID_STATE, activation, activation, kind)
    if activation.failed_attempts >= activation.max_failed_attempts:
        return Decision(Outcome.EXHAUSTED, activation, _blocked(activation), kind, counted=True)
    return None


def _search(
    attempt: Attempt, activation: ActivationFacts, keys: ActivationKeys | None, lookahead: int
) -> Match | None:
    if keys is None or activation.ctr_data is None:
        raise SignatureNotComputable()
    try:
        return verify_with_lookahead(
            attempt.candidates,
            attempt.signature,
            attempt.types,
            keys,
            activation.ctr_data,
            lookahead,
            attempt.format,
            attempt.component_length,
        )
    except SignatureError:
        raise SignatureNotComputable() from None


def _match(attempt: Attempt, activation: ActivationFacts, match: Match) -> Decision:
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


def _mismatch(attempt: Attempt, activation: ActivationFacts, counted: bool) -> Decision:
    """Row E: one failed attempt, however many candidates and types were tried."""
    kind = attempt.types[0]
    last = len(attempt.candidates) - 1
    after = _failed(activation, kind) if counted else activation
    return Decision(Outcome.MISMATCH, activation, after, kind, candidate_index=last, counted=counted)


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
