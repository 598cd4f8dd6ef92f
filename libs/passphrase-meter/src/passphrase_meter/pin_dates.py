"""PINs that may be dates (spec/device-trust.md §6.5)."""

from __future__ import annotations

from calendar import monthrange

_ALIVE = 90
"""Years back in which somebody who types a PIN was born, married, …"""
_CENTURY_BEGINS = 69
_LEAP_YEAR = 2000


def may_be_date(digits: str, this_year: int) -> bool:
    """DDMM, MMDD, YYYY, and DDMM or MMDD before a year of two or four digits."""
    if len(digits) == 4:
        return _near(int(digits), this_year) or _is_day(digits, _LEAP_YEAR)
    if len(digits) not in (6, 8):
        return False
    year = _year_of(digits[4:], this_year)
    return _near(year, this_year) and _is_day(digits[:4], year)


def _near(year: int, this_year: int) -> bool:
    return this_year - _ALIVE <= year <= this_year


def _is_day(digits: str, year: int) -> bool:
    first, second = int(digits[:2]), int(digits[2:])
    return _exists(first, second, year) or _exists(second, first, year)


def _exists(day: int, month: int, year: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]


def _year_of(digits: str, this_year: int) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    year += 1900 if year >= _CENTURY_BEGINS else 2000
    return year - 100 if year > this_year else year
