"""Counters of signature checks: what an operator sets alarms on (D15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from powerauth_core.verification.jobs import Outcome, Verified
from servicekit import metrics

UNKNOWN_ACTIVATION = "activation_unknown"

_checks = metrics.counter("powerauth_signature_checks", "Signature checks by outcome", ("outcome",))
_blocked = metrics.counter(
    "powerauth_activations_blocked_by_failures", "Activations blocked by failed attempts"
)
_by_outcome: dict[Outcome | None, Callable[[float], None]] = {}


def count(checks: Iterable[Verified]) -> None:
    """Count the checks of a batch; one without a decision stands for an unknown activation."""
    decisions = [check.decision for check in checks]
    outcomes = Counter([None if decision is None else decision.outcome for decision in decisions])
    for outcome, number in outcomes.items():
        child = _by_outcome.get(outcome)
        if child is None:
            child = _by_outcome[outcome] = _checks.labels(outcome or UNKNOWN_ACTIVATION).inc
        child(number)
    blocked = sum([decision is not None and decision.blocked for decision in decisions])
    if blocked:
        _blocked.inc(blocked)
