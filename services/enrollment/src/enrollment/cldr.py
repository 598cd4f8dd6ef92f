"""Number formats and currency symbols of languages, from the locale data.

Import this where an amount is formatted, not at start-up: loading the library takes tens of milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, localcontext
from functools import lru_cache

from babel.core import Locale, UnknownLocaleError
from babel.numbers import NumberPattern

MAXIMUM_FRACTION_DIGITS = 18

_LANGUAGES_REMEMBERED = 512
_CURRENCY_SIGN = "\u00a4"
_SMALLEST = Decimal(1).scaleb(-MAXIMUM_FRACTION_DIGITS)
# Wide enough for every number that money accepts, so that the only rounding is the one asked for.
_CONTEXT = Context(prec=400, rounding=ROUND_DOWN)


@dataclass(frozen=True, slots=True)
class Formats:
    """How one language writes numbers and amounts."""

    locale: Locale
    minus_sign: str
    decimal: NumberPattern
    currency: NumberPattern

    def number(self, number: Decimal, minimum_fraction_digits: int) -> str:
        """Return the number in the language's decimal format, rounded toward zero to at most 18 digits."""
        return self._apply(self.decimal, number, minimum_fraction_digits)

    def amount(self, number: Decimal, symbol: str, minimum_fraction_digits: int) -> str:
        """Return the number in the language's currency pattern, with `symbol` exactly as it is."""
        return self._apply(self.currency, number, minimum_fraction_digits).replace(_CURRENCY_SIGN, symbol)

    def symbol(self, currency: str) -> str:
        """Return the symbol of a currency in this language; its code when it has none."""
        return str(self.locale.currency_symbols.get(currency, currency))

    def _apply(self, pattern: NumberPattern, number: Decimal, minimum_fraction_digits: int) -> str:
        fitted = NumberPattern(
            pattern.pattern,
            (pattern.prefix[0], pattern.prefix[1].replace("-", self.minus_sign)),
            (pattern.suffix[0], pattern.suffix[1].replace("-", self.minus_sign)),
            pattern.grouping,
            pattern.int_prec,
            (minimum_fraction_digits, MAXIMUM_FRACTION_DIGITS),
            None,
            None,
            pattern.number_pattern,
        )
        with localcontext(_CONTEXT):
            rounded = number.quantize(_SMALLEST)
            return str(fitted.apply(rounded if rounded else Decimal(0), self.locale))


@lru_cache(maxsize=_LANGUAGES_REMEMBERED)
def formats_of(language: str) -> Formats:
    """Return the formats of a language; those of English when there is no data for it."""
    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        locale = Locale.parse("en")
    return Formats(
        locale,
        str(locale.number_symbols["latn"]["minusSign"]),
        locale.decimal_formats[None],
        locale.currency_formats["standard"],
    )


def is_currency(code: str) -> bool:
    """Whether `code` is a currency's, upper case as it is written."""
    return code in formats_of("en").locale.currencies
