"""Amounts of money as people of a language read them (spec/enrollment-api.md §11.6).

The language decides digits, grouping, pattern and symbol; the currency is always the operation's own. A
region is never looked at, since it would bring its own currency into the pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

NO_BREAK_SPACE = "\u00a0"

_DECIMAL_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_LONGEST_NUMBER = 100
_LONGEST_KEPT = 64
_LARGEST_EXPONENT = 100

# Minor units of ISO 4217 where they are not two. The locale data has other numbers for several currencies,
# those of cash practice.
_MINOR_UNITS = {
    code: digits
    for digits, codes in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ADP BEF BYB BYR ESP GRD ITL "
        "LUF MGF PTE TPE TRL XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for code in codes.split()
}
_USUAL_MINOR_UNITS = 2


@dataclass(frozen=True, slots=True)
class FormattedMoney:
    """An amount in every form that a client shows; `amount` is None when the text is not a decimal number."""

    amount: Decimal | None
    amount_formatted: str
    currency_formatted: str
    value_formatted: str


def format_money(amount: str, currency: str, language: str) -> FormattedMoney:
    """Format `amount` (decimal text, an exponent is allowed) of `currency` for readers of `language`.

    The fraction has at least the currency's minor units (none for an unknown code) and at most 18 digits,
    rounded toward zero. Text that is not a number is shown as it is.
    """
    short = len(amount) + len(currency) <= _LONGEST_KEPT
    return (_formatted if short else _formatted.__wrapped__)(amount, currency, language)


# Whoever waits for an answer sees the same amounts again and again, and locale data is slow.
@lru_cache(maxsize=4096)
def _formatted(amount: str, currency: str, language: str) -> FormattedMoney:
    from enrollment import cldr  # noqa: PLC0415 - locale data is loaded with the first amount

    formats = cldr.formats_of(language)
    known = cldr.is_currency(currency)
    symbol = formats.symbol(currency) if known else currency
    number = parse_decimal(amount)
    if number is None:
        return FormattedMoney(None, amount, symbol, f"{amount} {currency}")
    minimum = _MINOR_UNITS.get(currency, _USUAL_MINOR_UNITS) if known else 0
    amount_formatted = formats.number(number, minimum)
    if known:
        value_formatted = formats.amount(number, symbol, minimum)
    else:
        value_formatted = f"{amount_formatted}{NO_BREAK_SPACE}{currency}"
    return FormattedMoney(number, amount_formatted, symbol, value_formatted)


def parse_decimal(text: str) -> Decimal | None:
    """Return the number that `text` writes, or None; absurdly long or large numbers are not numbers here."""
    if len(text) > _LONGEST_NUMBER or not _DECIMAL_NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    return number if abs(number.adjusted()) <= _LARGEST_EXPONENT else None
