"""Money as people read it (spec/enrollment-api.md §11.6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollment.money import format_money, parse_decimal

NBSP = "\u00a0"

TABLE = [
    ("1710.9867", "CZK", "CZK1,710.9867", "1_710,9867_Kč"),
    ("1710", "USD", "$1,710.00", "1_710,00_US$"),
    ("1710.1", "EUR", "€1,710.10", "1_710,10_€"),
    ("1710", "JPY", "¥1,710", "1_710_JP¥"),
    ("-1710.9867", "CZK", "-CZK1,710.9867", "-1_710,9867_Kč"),
    ("0.567567567567567567567", "BTC", "0.567567567567567567_BTC", "0,567567567567567567_BTC"),
]


@pytest.mark.parametrize(("amount", "currency", "english", "czech"), TABLE)
def test_values_are_those_of_the_table(amount: str, currency: str, english: str, czech: str) -> None:
    assert format_money(amount, currency, "en").value_formatted == english.replace("_", NBSP)
    assert format_money(amount, currency, "cs").value_formatted == czech.replace("_", NBSP)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", "1.710,50_€"),
        ("sk", "1_710,50_€"),
        ("pl", "1_710,50_€"),
        ("hu", "1_710,50_EUR"),
        ("ro", "1.710,50_EUR"),
        ("fr", "1\u202f710,50_€"),
        ("sv", "1_710,50_€"),
    ],
)
def test_other_languages_have_their_own_pattern(language: str, expected: str) -> None:
    assert format_money("1710.5", "EUR", language).value_formatted == expected.replace("_", NBSP)


@pytest.mark.parametrize(
    ("currency", "english", "czech"),
    [
        ("CZK", "CZK", "Kč"),
        ("USD", "$", "US$"),
        ("CAD", "CA$", "CA$"),
        ("NZD", "NZ$", "NZ$"),
        ("UYU", "UYU", "UYU"),
        ("BTC", "BTC", "BTC"),
        ("czk", "czk", "czk"),
    ],
)
def test_symbols_are_those_of_the_language(currency: str, english: str, czech: str) -> None:
    assert format_money("1", currency, "en").currency_formatted == english
    assert format_money("1", currency, "cs").currency_formatted == czech


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1710.9867", "CZK", "1,710.9867"),
        ("13.7", "EUR", "13.70"),
        ("1E3", "EUR", "1,000.00"),
        ("0", "USD", "0.00"),
        ("5", "KWD", "5.000"),
        ("5", "CLF", "5.0000"),
        ("5", "XXX", "5"),
        ("5", "IQD", "5.000"),
        ("5", "HUF", "5.00"),
        ("5", "BTC", "5"),
        ("0.9999999999999999999", "EUR", "0.999999999999999999"),
        ("-0.0000000000000000001", "EUR", "0.00"),
        ("123456789012345678901234567890.5", "EUR", "123,456,789,012,345,678,901,234,567,890.50"),
    ],
)
def test_fraction_has_the_currencys_digits_and_rounds_down(amount: str, currency: str, expected: str) -> None:
    assert format_money(amount, currency, "en").amount_formatted == expected


def test_minus_sign_is_the_languages() -> None:
    assert format_money("-1", "EUR", "sv").amount_formatted == "\u22121,00"


@pytest.mark.parametrize(
    "amount", ["", "abc", "1,5", "NaN", "Infinity", "1e99999", "9" * 101, "٣", "1e101", " 1"]
)
def test_text_that_is_no_number_is_shown_as_it_is(amount: str) -> None:
    money = format_money(amount, "EUR", "en")
    assert money.amount is None
    assert money.amount_formatted == amount
    assert money.currency_formatted == "€"
    assert money.value_formatted == f"{amount} EUR"


def test_language_without_data_reads_like_english() -> None:
    assert format_money("1710", "USD", "qqq").value_formatted == "$1,710.00"


def test_number_keeps_all_digits() -> None:
    text = "0.567567567567567567567"
    assert format_money(text, "BTC", "en").amount == Decimal(text)


@given(st.text(max_size=40), st.text(max_size=6), st.text(alphabet="abcdefghijklmnopqrstuvwxyz", max_size=8))
def test_any_text_can_be_formatted(amount: str, currency: str, language: str) -> None:
    money = format_money(amount, currency, language)
    assert isinstance(money.value_formatted, str)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_every_decimal_is_a_number(number: Decimal) -> None:
    text = f"{number:f}"
    if len(text) <= 100 and abs(number.adjusted()) <= 100:
        assert parse_decimal(text) == number
