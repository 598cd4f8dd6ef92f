"""PINs against the reference's own tests and those of spec/device-trust.md §6.5 (PM-1 to PM-5)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import passphrase_meter as meter
from passphrase_meter import PinIssue, PinTestResult

TODAY = date(2026, 6, 1)
PINS = st.text("0123456789", min_size=4, max_size=100)


def issues(pin: str, today: date = TODAY) -> set[PinIssue]:
    return set(meter.test_pin(pin, today).issues)


@pytest.mark.parametrize(
    ("pin", "found"),
    [
        ("1111", {PinIssue.FREQUENTLY_USED, PinIssue.REPEATING_CHARACTERS, PinIssue.NOT_UNIQUE}),
        ("1357", {PinIssue.HAS_PATTERN, PinIssue.FREQUENTLY_USED}),
        ("1990", {PinIssue.POSSIBLY_DATE}),
        ("1112", {PinIssue.NOT_UNIQUE}),
        ("692692", {PinIssue.REPEATING_CHARACTERS}),
        ("692296", {PinIssue.REPEATING_CHARACTERS}),
        ("1234", {PinIssue.FREQUENTLY_USED, PinIssue.HAS_PATTERN}),
        ("1122", {PinIssue.NOT_UNIQUE}),
    ],
)
def test_what_the_reference_finds(pin: str, found: set[PinIssue]) -> None:
    """PM-1 and PM-3."""
    assert issues(pin) >= found


@pytest.mark.parametrize("pin", ["9562", "7291", "593817"])
def test_a_good_pin(pin: str) -> None:
    result = meter.test_pin(pin, TODAY)
    assert (result.issues, result.bits, result.should_warn) == (frozenset(), PinIssue.OK, False)


@pytest.mark.parametrize("length", [4, 5, 6, 7, 8, 100])
def test_issues_count_by_length(length: int) -> None:
    """PM-1; a date by itself never does."""
    serious = {PinIssue.FREQUENTLY_USED, PinIssue.NOT_UNIQUE}
    serious |= {PinIssue.REPEATING_CHARACTERS} if length > 4 else set()
    serious |= {PinIssue.HAS_PATTERN} if length > 6 else set()
    warned = {issue for issue in PinIssue if PinTestResult(length, frozenset({issue})).should_warn}
    assert warned == serious


def test_steps_alone_do_not_count_in_four_digits() -> None:
    assert issues("1456") == {PinIssue.HAS_PATTERN}
    assert not meter.test_pin("1456", TODAY).should_warn


MOST_OF_A_RUN = "150345 1502345 15081234 150812349 150829123456"
ONE_MORE = "1345 15345 152345 1523456 15034567 150345679 150821234567"


@pytest.mark.parametrize("pin", MOST_OF_A_RUN.split())
def test_as_many_digits_in_a_run_as_may_be(pin: str) -> None:
    assert PinIssue.HAS_PATTERN not in issues(pin)


@pytest.mark.parametrize("pin", ONE_MORE.split())
def test_one_digit_more_in_a_run(pin: str) -> None:
    assert PinIssue.HAS_PATTERN in issues(pin)


@pytest.mark.parametrize(
    ("pin", "enough"),
    [("5335", False), ("5938", True), ("5335995", True), ("53359953", False), ("53359958", True)],
)
def test_different_digits_that_are_enough(pin: str, enough: bool) -> None:
    assert (PinIssue.NOT_UNIQUE not in issues(pin)) is enough


def test_a_pin_with_too_many_groups_to_look_at_is_repeating() -> None:
    assert PinIssue.REPEATING_CHARACTERS in issues("52614990939430682")
    assert PinIssue.REPEATING_CHARACTERS not in issues("526149909394")


@pytest.mark.parametrize(
    "pin",
    [
        "123",
        "",
        "1" * 101,
        "12a4",
        "asdf",
        "12 4",
        "-123",
        "١٢٣٤",
        "\uff11234",
        b"\xff123",
        None,
        1234,
        ["1"] * 4,
    ],
)
def test_what_is_no_pin(pin: Any) -> None:
    """PM-2."""
    with pytest.raises(meter.WrongPinError) as told:
        meter.test_pin(pin)
    assert not pin or str(pin) not in str(told.value)


DATES = "0304 1012 0101 3101 1998 2005 150990 241065 16021998 03122001 2901 2802 2902 290224 29022024"
NO_DATES = "1313 0028 1287 9752 151590 001297 41121987 3002 3102 290223 29022023 31041990 12345 0101199"


@pytest.mark.parametrize("pin", DATES.split())
def test_a_date(pin: str) -> None:
    """PM-4: with leap years."""
    assert PinIssue.POSSIBLY_DATE in issues(pin)


@pytest.mark.parametrize("pin", NO_DATES.split())
def test_no_date(pin: str) -> None:
    assert PinIssue.POSSIBLY_DATE not in issues(pin)


@pytest.mark.parametrize(
    ("pin", "year", "is_date"),
    [
        ("1936", 2026, True),
        ("1935", 2026, False),
        ("2026", 2026, True),
        ("2027", 2026, False),
        ("2027", 2027, True),
        ("150168", 2026, True),  # 2068 has not come, so 1968
        ("150169", 2026, True),
        ("150169", 2060, False),  # 1969 and nobody alive
        ("150169", 2075, False),  # 2069 is none either
        ("150126", 2026, True),
        ("150135", 2026, False),  # 1935
        ("150135", 2035, True),
        ("15011935", 2026, False),
        ("15012027", 2026, False),
    ],
)
def test_years_that_count(pin: str, year: int, is_date: bool) -> None:
    """PM-5: by a clock that the caller sets."""
    assert (PinIssue.POSSIBLY_DATE in issues(pin, date(year, 1, 1))) is is_date


@given(PINS)
def test_a_result_for_every_pin(pin: str) -> None:
    result = meter.test_pin(pin, TODAY)
    assert result == meter.test_pin(pin.encode(), TODAY)
    assert (result.bits is PinIssue.OK) is (not result.issues)
    assert not {PinIssue.OK, PinIssue.WRONG_INPUT} & result.issues
    assert pin not in repr(result) or len(pin) == len(str(len(pin)))


@given(st.integers(0, 9), st.sampled_from([-3, -2, -1, 1, 2, 3]), st.integers(4, 9))
def test_steps_are_found(first: int, step: int, length: int) -> None:
    digits = [first + step * at for at in range(length)]
    if all(0 <= each <= 9 for each in digits):
        assert PinIssue.HAS_PATTERN in issues("".join(map(str, digits)))


@given(st.permutations("0123456789").map(lambda digits: "".join(digits[:5])), st.booleans())
def test_a_group_that_comes_again_is_found(group: str, backwards: bool) -> None:
    assert PinIssue.REPEATING_CHARACTERS in issues(group + (group[::-1] if backwards else group))
