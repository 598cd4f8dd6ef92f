"""Operation data from templates (spec/core-api.md §19.2, enrollment-api §12.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerauth_core.templates.rules import escape_value, has_forbidden_characters, render

ALLOWED = st.text(
    st.characters(codec="utf-8", exclude_characters=[chr(code) for code in range(0x20) if code != 0x0A])
)


def parse_fields(data: str) -> list[str]:
    """The fields of operation data as a device reads them: split at bare asterisks, then unescape."""
    fields, current, position = [], "", 0
    while position < len(data):
        character = data[position]
        if character == "\\":
            position += 1
            current += {"n": "\n"}.get(data[position], data[position])
        elif character == "*":
            fields.append(current)
            current = ""
        else:
            current += character
        position += 1
    return [*fields, current]


@pytest.mark.parametrize(
    ("template", "parameters", "expected"),
    [
        (
            "A1*A${AMOUNT}${CURRENCY}*I${IBAN}",
            {"AMOUNT": "10", "CURRENCY": "EUR", "IBAN": "CZ1"},
            "A1*A10EUR*ICZ1",
        ),
        ("A2", {}, "A2"),
        ("A1*N${note}", {}, "A1*N${note}"),
        ("A1*N${note}", {"note": None}, "A1*N${note}"),
        ("A1*N${note}", {"note": ""}, "A1*N"),
        ("A1*N${note:-none}", {}, "A1*Nnone"),
        ("A1*N${note:-none}", {"note": None}, "A1*Nnone"),
        ("A1*N${note:-}", {}, "A1*N"),
        ("A1*N${note:-none}", {"note": "some"}, "A1*Nsome"),
        ("A1*N$${note}", {"note": "some"}, "A1*N${note}"),
        ("A1*N$$${note}", {"note": "some"}, "A1*N$${note}"),
        ("$${a ${b}}", {"b": "x"}, "${a x}"),
        ("${a}${a}", {"a": "1"}, "11"),
        ("${}", {"": "x"}, "x"),
        ("${a", {"a": "1"}, "${a"),
        ("$a}", {"a": "1"}, "$a}"),
        ("${ a }", {"a": "1"}, "${ a }"),
        ("${a}", {"a": "x*y"}, "x\\*y"),
        ("${a}", {"a": "x\\y"}, "x\\\\y"),
        ("${a}", {"a": "x\ny"}, "x\\ny"),
        ("${a}", {"a": "\\*\n"}, "\\\\\\*\\n"),
        ("${a:-x*y}", {}, "x*y"),
    ],
)
def test_placeholders(template: str, parameters: dict[str, str | None], expected: str) -> None:
    assert render(template, parameters) == expected


def test_values_are_never_expanded_again() -> None:
    assert render("${a}", {"a": "${b}", "b": "secret"}) == "${b}"
    assert render("${a}${b}", {"a": "${", "b": "a}"}) == "${a}"
    assert render("${a}", {"a": "${a}"}) == "${a}"


@given(st.dictionaries(st.sampled_from("abcde"), ALLOWED, min_size=5, max_size=5))
def test_every_value_survives_parsing_as_one_field(parameters: dict[str, str]) -> None:
    data = render("A1*T${a}*T${b}*T${c}*T${d}*T${e}", parameters)
    assert parse_fields(data) == ["A1", *("T" + parameters[name] for name in "abcde")]


@given(ALLOWED)
def test_rendered_data_never_holds_a_control_character(value: str) -> None:
    assert not any(ord(character) < 0x20 for character in render("${a}", {"a": value}))


@given(st.text(), st.dictionaries(st.text(max_size=3), st.none() | st.text(), max_size=4))
def test_any_template_renders(template: str, parameters: dict[str, str | None]) -> None:
    rendered = render(template, parameters)
    if "${" not in template:
        assert rendered == template


@given(st.text())
def test_escaping_is_reversible(value: str) -> None:
    assert parse_fields(escape_value(value)) == [value]


@pytest.mark.parametrize("code", range(0x20))
def test_control_characters_other_than_the_line_feed_are_forbidden(code: int) -> None:
    assert has_forbidden_characters(f"a{chr(code)}b") is (code != 0x0A)


@given(ALLOWED)
def test_everything_else_is_allowed(value: str) -> None:
    assert not has_forbidden_characters(value)
