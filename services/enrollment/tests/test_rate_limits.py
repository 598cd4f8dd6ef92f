"""Rate limits (spec/README.md D18)."""

from __future__ import annotations

import pytest
from enrollment_fakes import Clock

from enrollment.errors import TooManyRequests
from enrollment.limits import Rate, RateLimit


def limit(clock: Clock, per_minute: int, burst: int, keys: int = 100) -> RateLimit:
    return RateLimit(Rate(per_minute, burst), keys=keys, now=clock)


def allowed(subject: RateLimit, key: str, attempts: int) -> int:
    """How many of `attempts` calls at once pass."""
    passed = 0
    for _ in range(attempts):
        try:
            subject.check(key)
        except TooManyRequests:
            continue
        passed += 1
    return passed


def test_burst_passes_at_once_and_no_more() -> None:
    assert allowed(limit(Clock(), 60, 10), "key", 50) == 10


def test_bucket_refills_evenly() -> None:
    clock = Clock()
    subject = limit(clock, 60, 10)
    assert allowed(subject, "key", 10) == 10
    clock.advance(0.9)
    assert allowed(subject, "key", 5) == 0
    clock.advance(0.2)
    assert allowed(subject, "key", 5) == 1
    clock.advance(600)
    assert allowed(subject, "key", 50) == 10


def test_long_run_rate_is_the_configured_one() -> None:
    clock = Clock()
    subject = limit(clock, 30, 30)
    passed = 0
    for _ in range(600):
        passed += allowed(subject, "key", 3)
        clock.advance(1)
    assert passed == pytest.approx(30 + 30 * 10, abs=1)


def test_refused_calls_do_not_lengthen_the_wait() -> None:
    clock = Clock()
    subject = limit(clock, 60, 1)
    subject.check("key")
    assert allowed(subject, "key", 100) == 0
    clock.advance(1.01)
    assert allowed(subject, "key", 1) == 1


def test_refusal_tells_when_to_come_again() -> None:
    subject = limit(Clock(), 6, 1)
    subject.check("key")
    with pytest.raises(TooManyRequests) as refusal:
        subject.check("key")
    assert refusal.value.retry_after == 10


def test_keys_are_counted_apart() -> None:
    subject = limit(Clock(), 60, 1)
    subject.check("one")
    subject.check("two")
    assert allowed(subject, "one", 1) == 0


def test_number_of_keys_is_bounded() -> None:
    subject = limit(Clock(), 60, 1, keys=3)
    for key in ("a", "b", "c", "d"):
        subject.check(key)
    assert allowed(subject, "a", 1) == 1
    assert allowed(subject, "d", 1) == 0


def test_zero_switches_a_limit_off() -> None:
    assert allowed(limit(Clock(), 0, 1), "key", 1000) == 1000
