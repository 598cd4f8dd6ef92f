"""Counts what happens to activations and operations, once it is committed (docs/metrics.md)."""

from __future__ import annotations

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.kernel.changes import ActivationChanged, OperationChanged, OperationStep
from servicekit import metrics
from servicekit.additions import Additions

_FACTORS = ("1", "2", "3")

_activations = metrics.counter(
    "powerauth_activations",
    "Changes of the status of activations, by the new one",
    {"status": [status.value for status in ActivationStatus]},
)
_operations = metrics.counter(
    "powerauth_operations",
    "What happened to operations, by how many factors their template asks for at least",
    {"step": [step.name.lower() for step in OperationStep], "factors": _FACTORS},
)


class Keeper:
    """Hears of changes."""

    def activation_changed(self, additions: Additions, change: ActivationChanged) -> None:
        """Count a new status; other changes count nothing."""
        if change.status is not change.previous_status:
            additions.after_commit(_activations.labels(change.status.value).inc)

    def operation_changed(self, additions: Additions, change: OperationChanged) -> None:
        """Count what happened."""
        additions.after_commit(_operations.labels(change.step.name.lower(), _factors(change)).inc)


def _factors(change: OperationChanged) -> str:
    """Of the weakest signature that the template takes, by the names of its types joined with ``_``."""
    least = min([name.count("_") for name in change.signature_types], default=0)
    return _FACTORS[min(least, len(_FACTORS) - 1)]
