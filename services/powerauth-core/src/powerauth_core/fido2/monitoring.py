"""What becomes of a passkey's verdicts beside the answer: audit and figures (spec/device-trust.md §4.8)."""

from __future__ import annotations

from typing import Any

from powerauth_contracts.enums import AuditLevel
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.passkeys.refusals import PolicyCode
from servicekit import metrics
from servicekit.additions import Additions

REGISTRATION = "Registration result"
ASSERTION = "Assertion result"
POLICY_DENIED = "fido2.policy.denied"
POLICY_MONITOR = "fido2.policy.monitor"
COUNTER_MISMATCH = "fido2.counter.mismatch"
BE_CHANGED = "fido2.be.changed"

_monitored = metrics.counter(
    "passkey_policy_monitor",
    "Registrations that a policy under trial would have refused, by application and code",
    {
        "application": metrics.APPLICATION,
        "verdict": (
            PolicyCode.MDS_UNAVAILABLE,
            PolicyCode.REQUIRED,
            PolicyCode.UNTRUSTED,
            PolicyCode.REVOKED,
        ),
    },
)


def put(
    additions: Additions,
    message: str,
    params: dict[str, Any],
    user_id: str | None,
    level: AuditLevel = AuditLevel.INFO,
) -> None:
    """Add an audit record of a ceremony; nothing of a response or a challenge belongs there."""
    given = {name: value for name, value in params.items() if value is not None}
    audit.put(additions, AuditType.FIDO2, message, given, user_id, level)


def count_monitored(application_id: str, verdict: PolicyCode) -> None:
    """Count what ``enforce`` would have refused."""
    _monitored.labels(application_id, verdict).inc()
