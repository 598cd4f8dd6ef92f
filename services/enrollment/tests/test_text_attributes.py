"""Attributes of an operation's form (spec/enrollment-api.md §11.4)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollment.texts.attributes import render_attributes
from enrollment.texts.rows import TextsBroken

Parameters = dict[str, object]


def render(element: dict[str, Any], parameters: Parameters, language: str = "en") -> list[dict[str, object]]:
    return render_attributes(json.dumps([element]), parameters, language)


def test_example_of_the_specification() -> None:
    source = (
        '[{"id":"operation.amount","type":"AMOUNT","text":"Amount","params":{"amount":"amount","currency":"currency"}},'
        '{"id":"operation.account","type":"KEY_VALUE","text":"To account","params":{"value":"iban"}}]'
    )
    assert render_attributes(source, {"amount": "13.7", "currency": "EUR", "iban": "CZ27"}, "en") == [
        {
            "type": "AMOUNT",
            "id": "operation.amount",
            "label": "Amount",
            "amount": Decimal("13.7"),
            "currency": "EUR",
            "amountFormatted": "13.70",
            "currencyFormatted": "€",
            "valueFormatted": "€13.70",
        },
        {"type": "KEY_VALUE", "id": "operation.account", "label": "To account", "value": "CZ27"},
    ]


HEAD = {"id": "i", "text": "L"}
OUT = {"id": "i", "label": "L"}


@pytest.mark.parametrize(
    ("element", "parameters", "expected"),
    [
        ({"type": "KEY_VALUE", "params": {"value": "v"}}, {"v": "x"}, {"type": "KEY_VALUE", "value": "x"}),
        ({"type": "NOTE", "params": {"note": "n"}}, {"n": "a\nb"}, {"type": "NOTE", "note": "a\nb"}),
        ({"type": "HEADING"}, {}, {"type": "HEADING", "level": 0}),
        ({"type": "HEADING", "params": {"level": "l"}}, {"l": "3"}, {"type": "HEADING", "level": 3}),
        ({"type": "HEADING", "params": {"level": "l"}}, {"l": "three"}, {"type": "HEADING", "level": 0}),
        ({"type": "HEADING", "params": {"level": "l"}}, {"l": "9" * 30}, {"type": "HEADING", "level": 0}),
        ({"type": "ALERT"}, {}, {"type": "ALERT", "alertType": "INFO"}),
        (
            {"type": "ALERT", "params": {"type": "t", "title": "h", "message": "m"}},
            {"t": "warning", "h": "H", "m": "M"},
            {"type": "ALERT", "alertType": "WARNING", "title": "H", "message": "M"},
        ),
        ({"type": "ALERT", "params": {"type": "t"}}, {"t": "odd"}, {"type": "ALERT", "alertType": "INFO"}),
        (
            {"type": "IMAGE", "params": {"thumbnailUrl": "t", "originalUrl": "o"}},
            {"t": "T", "o": "O"},
            {"type": "IMAGE", "thumbnailUrl": "T", "originalUrl": "O"},
        ),
        (
            {"type": "IMAGE", "params": {"thumbnailUrl": "t", "originalUrl": "o"}},
            {"t": "T"},
            {"type": "IMAGE", "thumbnailUrl": "T"},
        ),
        (
            {"type": "PARTY_INFO", "params": {"name": "n", "logoUrl": "l"}},
            {"n": "Shop"},
            {"type": "PARTY_INFO", "partyInfo": {"name": "Shop"}},
        ),
        ({"type": "PARTY_INFO"}, {}, {"type": "PARTY_INFO", "partyInfo": {}}),
        ({"type": "SOMETHING", "params": {"value": "v"}}, {"v": "x"}, {"type": "KEY_VALUE", "value": "x"}),
    ],
)
def test_types(element: dict[str, Any], parameters: Parameters, expected: dict[str, object]) -> None:
    assert render(element | HEAD, parameters) == [expected | OUT]


@pytest.mark.parametrize(
    ("element", "parameters"),
    [
        ({"type": "KEY_VALUE"}, {"value": "x"}),
        ({"type": "KEY_VALUE", "params": {"value": "v"}}, {}),
        ({"type": "KEY_VALUE", "params": {"value": "v"}}, {"v": None}),
        ({"type": "KEY_VALUE", "params": {"value": None}}, {"v": "x"}),
        ({"type": "NOTE", "params": {}}, {"note": "x"}),
        ({"type": "IMAGE", "params": {"originalUrl": "o"}}, {"o": "O"}),
        ({"type": "AMOUNT", "params": {"amount": "a", "currency": "c"}}, {"a": "1"}),
        ({"type": "AMOUNT", "params": {"amount": "a", "currency": "c"}}, {"c": "EUR"}),
        (
            {
                "type": "AMOUNT_CONVERSION",
                "params": {
                    "sourceAmount": "a",
                    "sourceCurrency": "c",
                    "targetAmount": "b",
                    "targetCurrency": "d",
                },
            },
            {"a": "1", "b": "2", "c": "EUR"},
        ),
        ({"type": "OTHER", "params": {"value": "v"}}, {}),
    ],
)
def test_elements_without_their_values_are_left_out(element: dict[str, Any], parameters: Parameters) -> None:
    assert render(element | HEAD, parameters) == []


@pytest.mark.parametrize(
    ("dynamic", "expected"), [("true", True), ("TRUE", True), ("yes", False), (None, False)]
)
def test_amount_conversion_has_both_sides(dynamic: str | None, expected: bool) -> None:
    slots = ("dynamic", "sourceAmount", "sourceCurrency", "targetAmount", "targetCurrency")
    parameters: Parameters = {
        "dynamic": dynamic,
        "sourceAmount": "10",
        "sourceCurrency": "EUR",
        "targetAmount": "1710",
        "targetCurrency": "JPY",
    }
    element = {"type": "AMOUNT_CONVERSION", "params": {slot: slot for slot in slots}}
    assert render(element | HEAD, parameters) == [
        {
            "type": "AMOUNT_CONVERSION",
            **OUT,
            "dynamic": expected,
            "sourceAmount": Decimal(10),
            "sourceCurrency": "EUR",
            "sourceAmountFormatted": "10.00",
            "sourceCurrencyFormatted": "€",
            "sourceValueFormatted": "€10.00",
            "targetAmount": Decimal(1710),
            "targetCurrency": "JPY",
            "targetAmountFormatted": "1,710",
            "targetCurrencyFormatted": "¥",
            "targetValueFormatted": "¥1,710",
        }
    ]


def test_amount_that_is_no_number_has_no_number_member() -> None:
    element = {"type": "AMOUNT", "params": {"amount": "a", "currency": "c"}}
    (attribute,) = render(element | HEAD, {"a": "much", "c": "EUR"})
    assert "amount" not in attribute
    assert attribute["amountFormatted"] == "much"
    assert attribute["valueFormatted"] == "much EUR"


def test_order_is_kept_and_gaps_close() -> None:
    elements = [
        {"type": "KEY_VALUE", "id": name, "text": name, "params": {"value": name}} for name in ("a", "b", "c")
    ]
    rendered = render_attributes(json.dumps(elements), {"a": "1", "c": "3"}, "en")
    assert [attribute["id"] for attribute in rendered] == ["a", "c"]


def test_attributes_are_not_substituted() -> None:
    element = {"type": "KEY_VALUE", "id": "i", "text": "${v}", "params": {"value": "v"}}
    (attribute,) = render(element, {"v": "x"})
    assert attribute["label"] == "${v}"


@pytest.mark.parametrize("source", [None, "", "  "])
def test_no_attributes(source: str | None) -> None:
    assert render_attributes(source, {}, "en") == []


@pytest.mark.parametrize(
    "source",
    [
        "{",
        "{}",
        '"text"',
        "[1]",
        "[[]]",
        "[null]",
        '[{"type":1}]',
        '[{"params":[]}]',
        '[{"params":{"value":1}}]',
        '[{"id":{}}]',
        "[NaN]",
        "[" * 5000,
    ],
)
def test_broken_attributes_are_reported(source: str) -> None:
    with pytest.raises(TextsBroken):
        render_attributes(source, {"a": "b"}, "en")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "type", "text", "params", "value"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_any_template_renders_or_is_broken(template: object) -> None:
    try:
        rendered = render_attributes(json.dumps(template), {"a": "1"}, "en")
    except TextsBroken:
        return
    assert isinstance(rendered, list)
