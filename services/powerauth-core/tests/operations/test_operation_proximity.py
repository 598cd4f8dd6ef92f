"""The proximity code: which codes are accepted when (spec/protocol-v3.md §8.9, core-api §19.7)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerauth_core.kernel.errors import OperationFailure
from powerauth_core.operations import proximity
from powerauth_core.operations.rules import ProximityResult
from powerauth_core.settings import ProtocolSettings
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.totp import totp
from servicekit import clock

SEED = b64encode(bytes(range(16)))
START = 1_700_000_010  # the start of a step of 30 s
STEP = 30


@pytest.fixture
def settings() -> ProtocolSettings:
    return ProtocolSettings()


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: int(seconds * 1000))


def code_of(seconds: int, digits: int = 8) -> str:
    return totp(b64decode(SEED), seconds, STEP, digits)


@pytest.mark.parametrize(
    ("age", "accepted"),
    [
        (-STEP, False),
        (-1, False),
        (0, True),
        (STEP - 1, True),
        (STEP, True),
        (2 * STEP - 1, True),
        (2 * STEP, False),
        (10 * STEP, False),
    ],
)
def test_a_code_lives_its_step_and_one_more(
    monkeypatch: pytest.MonkeyPatch, settings: ProtocolSettings, age: int, accepted: bool
) -> None:
    """``age``: seconds since the start of the code's step; a future step is never accepted."""
    at(monkeypatch, START + age)
    result = proximity.check(settings, SEED, {"proximity_otp": code_of(START)})
    assert result is (ProximityResult.SUCCESS if accepted else ProximityResult.FAILED)


@pytest.mark.parametrize(("steps", "accepted"), [(0, False), (1, True), (2, True)])
def test_the_number_of_past_steps_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, steps: int, accepted: bool
) -> None:
    at(monkeypatch, START + STEP)
    settings = ProtocolSettings(proximity_check_step_count=steps)
    result = proximity.check(settings, SEED, {"proximity_otp": code_of(START)})
    assert (result is ProximityResult.SUCCESS) is accepted


@pytest.mark.parametrize("digits", [6, 7, 8])
def test_the_length_is_a_setting(monkeypatch: pytest.MonkeyPatch, digits: int) -> None:
    at(monkeypatch, START)
    settings = ProtocolSettings(proximity_check_otp_length=digits)
    shown = proximity.current_otp(settings, SEED)
    assert shown == code_of(START, digits)
    assert proximity.check(settings, SEED, {"proximity_otp": shown}) is ProximityResult.SUCCESS
    if digits < 8:
        longer = {"proximity_otp": code_of(START)}
        assert proximity.check(settings, SEED, longer) is ProximityResult.ERROR


@pytest.mark.parametrize(
    ("given_otp", "expected"),
    [
        (None, ProximityResult.FAILED),
        ("", ProximityResult.ERROR),
        ("1234567", ProximityResult.ERROR),
        ("123456789", ProximityResult.ERROR),
        (12345678, ProximityResult.ERROR),
        (["12345678"], ProximityResult.ERROR),
        ("abcdefgh", ProximityResult.FAILED),
        ("\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", ProximityResult.FAILED),
    ],
)
def test_what_is_no_code_fails(settings: ProtocolSettings, given_otp: Any, expected: ProximityResult) -> None:
    assert proximity.check(settings, SEED, {"proximity_otp": given_otp}) is expected


def test_a_missing_code_fails(settings: ProtocolSettings) -> None:
    assert proximity.check(settings, SEED, {}) is ProximityResult.FAILED


def test_without_seed_nothing_is_checked_or_shown(settings: ProtocolSettings) -> None:
    assert proximity.check(settings, None, {"proximity_otp": "x"}) is ProximityResult.DISABLED
    assert proximity.current_otp(settings, None) is None


def test_an_unreadable_seed_is_an_error_and_never_a_pass(settings: ProtocolSettings) -> None:
    assert proximity.check(settings, "?", {"proximity_otp": "12345678"}) is ProximityResult.ERROR
    with pytest.raises(OperationFailure):
        proximity.current_otp(settings, "?")


def test_seeds_are_16_random_bytes_that_fit_their_column() -> None:
    seeds = {proximity.new_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert all(len(b64decode(seed)) == 16 and len(seed) == 24 for seed in seeds)


@given(st.text(max_size=10))
def test_any_text_is_survived(text: str) -> None:
    proximity.check(ProtocolSettings(), SEED, {"proximity_otp": text})
