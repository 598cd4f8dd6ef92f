"""Counters of signature checks: what an operator sets alarms on (D15)."""

from __future__ import annotations

from collections.abc import Callable

from powerauth_core.verification.jobs import Decision
from servicekit import metrics

UNKNOWN_ACTIVATION = "activation_unknown"

_checks = metrics.counter("powerauth_signature_checks", "Signature checks by outcome", ("outcome",))
_blocked = metrics.counter(
    "powerauth_activations_blocked_by_failures", "Activations blocked by failed attempts"
)
_by_outcome: dict[str, Callable[[], None]] = {}


def count(decision: Decision | None) -> None:
    """Count one answered check; None stands for an unknown activation."""
    outcome = UNKNOWN_ACTIVATION if decision is None else decision.outcome.value
    child = _by_outcome.get(outcome)
    if child is None:
        child = _by_outcome[outcome] = _checks.labels(outcome).inc
    child()
    if decision is not None and decision.blocked:
        _blocked.inc()
