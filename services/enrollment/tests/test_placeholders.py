"""`${name}` in localised texts (spec/enrollment-api.md §11.3)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollment.texts.placeholders import parameter_text, substitute, substitute_json


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("Pay ${amount}", {"amount": "100"}, "Pay 100"),
        ("${a}${a}${b}", {"a": "1", "b": "2"}, "112"),
        ("Pay ${amount}", {}, "Pay ${amount}"),
        ("${x:-none}", {}, "${x:-none}"),
        ("Pay ${unknown}", {"amount": "100"}, "Pay ${unknown}"),
        ("Pay ${amount}", {"amount": None}, "Pay ${amount}"),
        ("Pay ${amount:-nothing}", {"other": "1"}, "Pay nothing"),
        ("Pay ${amount:-nothing}", {"amount": None}, "Pay nothing"),
        ("Pay ${amount:-nothing}", {"amount": "5"}, "Pay 5"),
        ("Pay ${amount:-}", {"other": "1"}, "Pay "),
        ("$${amount}", {"amount": "100"}, "${amount}"),
        ('"quoted" ${a}/ž', {"a": '"b"/č'}, '"quoted" "b"/č/ž'),
        ("${a}", {"a": "${b}", "b": "${a}"}, "${b}"),
        ("${a} $b {c}", {"b": "1", "c": "2"}, "${a} $b {c}"),
        ("${number} ${flag}", {"number": 5, "flag": True}, "5 true"),
    ],
)
def test_plain_texts(text: str, parameters: dict[str, object], expected: str) -> None:
    assert substitute(text, parameters) == expected


def test_values_are_escaped_inside_json() -> None:
    source = '{"heading":"Hello ${name}"}'
    result = substitute_json(source, {"name": 'A"},\n{"b":"\\'})
    assert json.loads(result) == {"heading": 'Hello A"},\n{"b":"\\'}


def test_values_are_not_escaped_in_plain_texts() -> None:
    assert substitute("${name}", {"name": 'č"/\\'}) == 'č"/\\'


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4), st.text(max_size=10))
def test_any_value_keeps_json_well_formed(parameters: dict[str, str], name: str) -> None:
    source = json.dumps({"heading": "${" + name.replace("}", "").replace("{", "") + "}"})
    parsed = json.loads(substitute_json(source, {**parameters, "x": '"'}))
    assert set(parsed) == {"heading"}


@given(st.text(max_size=200))
def test_any_text_can_be_substituted(text: str) -> None:
    assert isinstance(substitute(text, {"a": "1"}), str)


def test_missing_and_null_parameters_are_empty() -> None:
    assert parameter_text({"a": None}, "a") is None
    assert parameter_text({}, "a") is None
    assert parameter_text({"a": "x"}, None) is None
