"""PINs: which of them others try first (spec/device-trust.md §6.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntFlag
from typing import Final

from passphrase_meter.digits import has_pattern, is_repeating
from passphrase_meter.frequent_pins import FREQUENT_PINS
from passphrase_meter.pin_dates import may_be_date

SHORTEST: Final = 4
LONGEST: Final = 100
_DIGITS: Final = frozenset("0123456789")


class WrongPinError(ValueError):
    """Not a PIN: other than 4 to 100 ASCII digits. Never says what was given."""


class PinIssue(IntFlag):
    """What may make a PIN easy to guess, with the reference's bits."""

    OK = 1
    NOT_UNIQUE = 2
    """Too few different digits."""
    REPEATING_CHARACTERS = 4
    """A group of digits comes again, forwards or backwards."""
    HAS_PATTERN = 8
    """Digits in equal steps."""
    POSSIBLY_DATE = 16
    """A day, or a year of somebody alive."""
    FREQUENTLY_USED = 32
    WRONG_INPUT = 64
    """Stands for `WrongPinError` where there are no exceptions."""


_ALWAYS = PinIssue.FREQUENTLY_USED | PinIssue.NOT_UNIQUE


@dataclass(frozen=True, slots=True)
class PinTestResult:
    """What was found of a PIN; nothing of the PIN itself.

    :ivar pin_length: digits
    :ivar issues: none, or some of the middle five
    """

    pin_length: int
    issues: frozenset[PinIssue]

    @property
    def bits(self) -> PinIssue:
        """The issues in one number; `PinIssue.OK` only where there is none."""
        found = PinIssue(0)
        for issue in self.issues:
            found |= issue
        return found or PinIssue.OK

    @property
    def should_warn(self) -> bool:
        """Whether to ask for another PIN. The longer, the more issues count; a date alone never does."""
        serious = _ALWAYS
        if self.pin_length > 4:
            serious |= PinIssue.REPEATING_CHARACTERS
        if self.pin_length > 6:
            serious |= PinIssue.HAS_PATTERN
        return bool(self.bits & serious)


def test_pin(pin: str | bytes, today: date | None = None) -> PinTestResult:
    """Look for what makes a PIN easy to guess.

    :param pin: ASCII digits
    :param today: the day from which years are judged; None: today in UTC
    :raises WrongPinError: other than 4 to 100 ASCII digits
    """
    digits = _checked(pin)
    numbers = [int(each) for each in digits]
    distinct = len(set(digits))
    rules = {
        PinIssue.FREQUENTLY_USED: digits in FREQUENT_PINS,
        PinIssue.NOT_UNIQUE: distinct < (3 if len(digits) <= 7 else 4),
        PinIssue.HAS_PATTERN: has_pattern(numbers),
        PinIssue.REPEATING_CHARACTERS: is_repeating(numbers),
        PinIssue.POSSIBLY_DATE: may_be_date(digits, (today or datetime.now(UTC)).year),
    }
    return PinTestResult(len(digits), frozenset(issue for issue, holds in rules.items() if holds))


def _checked(pin: str | bytes) -> str:
    if not isinstance(pin, str | bytes) or not SHORTEST <= len(pin) <= LONGEST:
        raise WrongPinError("a PIN has 4 to 100 digits")
    digits = pin.decode("ascii", "replace") if isinstance(pin, bytes) else pin
    if not _DIGITS.issuperset(digits):
        raise WrongPinError("a PIN has digits only")
    return digits
