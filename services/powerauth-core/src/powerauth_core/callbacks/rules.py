"""Decisions about callbacks, without I/O (spec/core-api.md §18.3, §18.4, §18.6)."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from powerauth_contracts import moments
from powerauth_core.kernel.changes import ActivationChanged, OperationChanged, PasskeyJudged
from powerauth_core.kernel.enums import CallbackUrlEventStatus

JITTER = 0.2
"""A retry comes later than its backoff by up to this share of it, so that failures do not return together."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast one callback's deliveries are retried, defaults filled in."""

    max_attempts: int
    initial_backoff: timedelta
    multiplier: float
    max_backoff: timedelta
    retention: timedelta
    force_rerun: timedelta

    def backoff(self, attempts: int) -> timedelta:
        """Delay after the ``attempts``-th failed attempt, without jitter."""
        # Beyond this the delay is the maximum anyway, and the power would overflow.
        exponent = min(attempts - 1, 1_000)
        try:
            seconds = self.initial_backoff.total_seconds() * self.multiplier**exponent
        except OverflowError:
            return self.max_backoff
        return min(timedelta(seconds=min(seconds, self.max_backoff.total_seconds())), self.max_backoff)

    def rerun_after(self, now: datetime) -> datetime | None:
        """When a delivery started now counts as lost; None if there is only one attempt."""
        return None if self.max_attempts == 1 else now + self.force_rerun


def after_success(policy: RetryPolicy, attempts: int, now: datetime) -> dict[str, Any]:
    """Column values after a delivery that was accepted."""
    return _finished(CallbackUrlEventStatus.COMPLETED, policy, attempts + 1, now)


def after_failure(policy: RetryPolicy, attempts: int, now: datetime) -> dict[str, Any]:
    """Column values after a delivery that failed: one more try, or the end."""
    made = attempts + 1
    if made >= policy.max_attempts:
        return _finished(CallbackUrlEventStatus.FAILED, policy, made, now)
    delay = policy.backoff(made)
    return {
        "status": CallbackUrlEventStatus.PENDING.value,
        "attempts": made,
        "timestamp_next_call": now + delay + delay * random.uniform(0, JITTER),  # noqa: S311 no secret
        "timestamp_rerun_after": None,
    }


def given_up(policy: RetryPolicy, attempts: int, now: datetime) -> dict[str, Any]:
    """Column values of a delivery that is not tried: circuit open, or the callback is gone."""
    return _finished(CallbackUrlEventStatus.FAILED, policy, attempts, now)


def postponed(last_call: datetime | None, now: datetime) -> dict[str, Any]:
    """Column values of a delivery that this process could not start; the attempt does not count."""
    return {
        "status": CallbackUrlEventStatus.PENDING.value,
        "timestamp_next_call": last_call or now,
        "timestamp_rerun_after": None,
    }


def started(policy: RetryPolicy, now: datetime) -> dict[str, Any]:
    """Column values of a delivery that is about to be tried."""
    return {
        "status": CallbackUrlEventStatus.PROCESSING.value,
        "timestamp_last_call": now,
        "timestamp_next_call": None,
        "timestamp_rerun_after": policy.rerun_after(now),
    }


def _finished(
    status: CallbackUrlEventStatus, policy: RetryPolicy, attempts: int, now: datetime
) -> dict[str, Any]:
    return {
        "status": status.value,
        "attempts": attempts,
        "timestamp_delete_after": now + policy.retention,
        "timestamp_next_call": None,
        "timestamp_rerun_after": None,
    }


def activation_payload(change: ActivationChanged, attributes: Collection[str]) -> dict[str, Any]:
    """Body of an activation callback: what the callback's attributes ask for."""
    values = {
        "userId": change.user_id,
        "activationName": change.name,
        "deviceInfo": change.device_info,
        "platform": change.platform,
        "protocol": change.protocol.name,
        "activationFlags": list(change.flags),
        "activationStatus": change.status.value,
        "blockedReason": change.blocked_reason,
        "applicationId": change.application_id,
    }
    return {"type": "ACTIVATION", "activationId": change.activation_id} | _chosen(values, attributes)


def passkey_payload(change: PasskeyJudged, attributes: Collection[str]) -> dict[str, Any]:
    """Body of a callback about a passkey."""
    values = {
        "userId": change.user_id,
        "applicationId": change.application_id,
        "aaguid": change.aaguid,
        "trust": change.trust,
        "previousTrust": change.previous_trust,
        "reason": change.reason,
        "mdsNo": change.mds_no,
    }
    return {"type": "PASSKEY", "activationId": change.activation_id} | _chosen(values, attributes)


def operation_payload(change: OperationChanged, attributes: Collection[str]) -> dict[str, Any]:
    """Body of an operation callback; timestamps are epoch milliseconds (D22)."""
    values = {
        "userId": change.user_id,
        "applications": list(change.applications),
        "operationType": change.operation_type,
        "parameters": change.parameters,
        "additionalData": change.additional_data,
        "activationFlag": change.activation_flag,
        "status": change.status.value,
        "statusReason": change.status_reason,
        "data": change.data,
        "failureCount": change.failure_count,
        "maxFailureCount": change.max_failure_count,
        "signatureType": list(change.signature_types),
        "externalId": change.external_id,
        "timestampCreated": _millis(change.created),
        "timestampExpires": _millis(change.expires),
        "timestampFinalized": _millis(change.finalized),
    }
    return {"type": "OPERATION", "operationId": change.operation_id} | _chosen(values, attributes)


def _chosen(values: Mapping[str, Any], attributes: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in attributes}


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else moments.to_ms(moment)


@dataclass(slots=True)
class CircuitBreaker:
    """Consecutive failures of one callback in this process (§18.6). Times are monotonic seconds.

    :ivar threshold: failures that open the circuit; -1 never
    :ivar reset_seconds: after the last failure one attempt is let through
    """

    threshold: int
    reset_seconds: float
    failures: int = 0
    last_failure: float = 0.0

    def allows(self, now: float) -> bool:
        """Whether a delivery may start. Letting one through an open circuit closes it for another period."""
        if self.threshold < 0 or self.failures < self.threshold:
            return True
        if now - self.last_failure < self.reset_seconds:
            return False
        self.last_failure = now
        return True

    def opened_since(self, moment: float) -> bool:
        """Whether the circuit opened after it let a delivery through, which then has waited in vain."""
        return 0 <= self.threshold <= self.failures and self.last_failure > moment

    def succeeded(self) -> None:
        """A delivery was accepted."""
        self.failures = 0

    def failed(self, now: float) -> None:
        """A delivery failed."""
        self.failures += 1
        self.last_failure = now
