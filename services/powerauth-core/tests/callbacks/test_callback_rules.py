"""Decisions about callbacks (spec/core-api.md §18.3, §18.4, §18.6) and durations (§1)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from core_test_changes import activation_change
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from powerauth_contracts.durations import MAX_DURATION, IsoDuration, format_duration, parse_duration
from powerauth_contracts.enums import ActivationStatus, OperationStatus
from powerauth_core.callbacks import rules
from powerauth_core.callbacks.rules import CircuitBreaker, RetryPolicy
from powerauth_core.kernel.changes import OperationChanged, OperationStep

NOW = datetime(2026, 1, 1)
POLICY = RetryPolicy(
    max_attempts=3,
    initial_backoff=timedelta(seconds=2),
    multiplier=1.5,
    max_backoff=timedelta(seconds=32),
    retention=timedelta(days=30),
    force_rerun=timedelta(seconds=75),
)


@pytest.mark.parametrize(
    ("text", "seconds", "output"),
    [
        ("PT2S", 2, "PT2S"),
        ("PT2.5S", 2.5, "PT2.5S"),
        ("P30D", 30 * 86400, "PT720H"),
        ("PT90M", 5400, "PT1H30M"),
        ("P1DT1H1M1.001S", 90061.001, "PT25H1M1.001S"),
        ("pt1h", 3600, "PT1H"),
        ("PT0S", 0, "PT0S"),
        ("-PT1S", -1, "PT-1S"),
        ("PT-1M", -60, "PT-1M"),
    ],
)
def test_durations_are_read_and_written_in_the_original_form(text: str, seconds: float, output: str) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert format_duration(timedelta(seconds=seconds)) == output


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1S", "PT1", "P1Y", "P1M", "PT1S ", "PT1.S", "P٣D"])
def test_malformed_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=40_000)))
def test_a_written_duration_reads_as_itself(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.timedeltas(min_value=timedelta(0), max_value=MAX_DURATION))
def test_every_duration_is_written_as_the_document_says(duration: timedelta) -> None:
    documented = TypeAdapter(IsoDuration).json_schema(mode="serialization")["pattern"]
    assert re.search(documented, format_duration(duration))


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 2), (2, 3), (3, 4.5), (7, 22.78125), (8, 32), (9, 32), (10_000, 32)]
)
def test_backoff_grows_up_to_its_limit(attempts: int, seconds: float) -> None:
    assert POLICY.backoff(attempts) == timedelta(seconds=seconds)


def test_a_failure_is_tried_again_after_backoff_and_jitter() -> None:
    values = rules.after_failure(POLICY, 0, NOW)
    delay = values.pop("timestamp_next_call") - NOW
    assert timedelta(seconds=2) <= delay <= timedelta(seconds=2.4)
    assert values == {"status": "PENDING", "attempts": 1, "timestamp_rerun_after": None}


def test_jitter_spreads_retries() -> None:
    assert len({rules.after_failure(POLICY, 0, NOW)["timestamp_next_call"] for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("values", "status", "attempts"),
    [
        (rules.after_failure(POLICY, 2, NOW), "FAILED", 3),
        (rules.after_success(POLICY, 0, NOW), "COMPLETED", 1),
        (rules.given_up(POLICY, 1, NOW), "FAILED", 1),
    ],
)
def test_an_end_starts_the_retention(values: dict[str, Any], status: str, attempts: int) -> None:
    assert values == {
        "status": status,
        "attempts": attempts,
        "timestamp_delete_after": NOW + timedelta(days=30),
        "timestamp_next_call": None,
        "timestamp_rerun_after": None,
    }


def test_a_start_is_rerun_if_no_outcome_comes_unless_there_is_one_attempt_only() -> None:
    assert rules.started(POLICY, NOW) == {
        "status": "PROCESSING",
        "timestamp_last_call": NOW,
        "timestamp_next_call": None,
        "timestamp_rerun_after": NOW + timedelta(seconds=75),
    }
    once = RetryPolicy(1, *[getattr(POLICY, name) for name in POLICY.__slots__[1:]])
    assert rules.started(once, NOW)["timestamp_rerun_after"] is None


ACTIVATION = activation_change(
    application_id="bank",
    user_id="u-1",
    device_info="iPhone14,2",
    platform="ios",
    status=ActivationStatus.BLOCKED,
    blocked_reason="LOST",
)


def test_activation_payload_holds_type_id_and_what_is_asked_for() -> None:
    assert rules.activation_payload(ACTIVATION, []) == {"type": "ACTIVATION", "activationId": "a-1"}
    everything = [
        "userId",
        "activationName",
        "deviceInfo",
        "platform",
        "protocol",
        "activationFlags",
        "activationStatus",
        "blockedReason",
        "applicationId",
        "unknown",
    ]
    assert rules.activation_payload(ACTIVATION, everything) == {
        "type": "ACTIVATION",
        "activationId": "a-1",
        "userId": "u-1",
        "activationName": None,
        "deviceInfo": "iPhone14,2",
        "platform": "ios",
        "protocol": "POWERAUTH",
        "activationFlags": [],
        "activationStatus": "BLOCKED",
        "blockedReason": "LOST",
        "applicationId": "bank",
    }


OPERATION = OperationChanged(
    step=OperationStep.CREATED,
    operation_id="o-1",
    user_id=None,
    applications=("a", "b"),
    operation_type="login",
    template_name="t",
    data="A1",
    parameters={"a": "1"},
    additional_data={"device": {}},
    activation_flag="FLAG",
    status=OperationStatus.PENDING,
    signature_types=("POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"),
    failure_count=1,
    max_failure_count=5,
    external_id=None,
    created=datetime(2025, 1, 1),
    expires=datetime(2025, 1, 1, 0, 5),
    finalized=None,
    activation_id="a-1",
    status_reason="R",
)


def test_operation_payload_has_epoch_milliseconds() -> None:
    attributes = [
        "userId",
        "applications",
        "operationType",
        "parameters",
        "additionalData",
        "activationFlag",
        "status",
        "data",
        "failureCount",
        "maxFailureCount",
        "signatureType",
        "externalId",
        "timestampCreated",
        "timestampExpires",
        "timestampFinalized",
        "statusReason",
        "riskFlags",
        "templateName",
        "activationId",
    ]
    payload = rules.operation_payload(OPERATION, attributes)
    assert payload == {
        "type": "OPERATION",
        "operationId": "o-1",
        "userId": None,
        "applications": ["a", "b"],
        "operationType": "login",
        "parameters": {"a": "1"},
        "additionalData": {"device": {}},
        "activationFlag": "FLAG",
        "status": "PENDING",
        "statusReason": "R",
        "data": "A1",
        "failureCount": 1,
        "maxFailureCount": 5,
        "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
        "externalId": None,
        "timestampCreated": 1735689600000,
        "timestampExpires": 1735689900000,
        "timestampFinalized": None,
    }


def test_the_circuit_opens_at_the_threshold_and_lets_one_through_after_the_timeout() -> None:
    breaker = CircuitBreaker(threshold=2, reset_seconds=60)
    assert breaker.allows(0)
    breaker.failed(0)
    assert breaker.allows(1)
    breaker.failed(1)
    assert not breaker.allows(60)
    assert breaker.allows(61)
    assert not breaker.allows(62)
    breaker.succeeded()
    assert breaker.allows(63)


def test_minus_one_switches_the_circuit_off() -> None:
    breaker = CircuitBreaker(threshold=-1, reset_seconds=60)
    for _ in range(1_000):
        breaker.failed(0)
    assert breaker.allows(0)
