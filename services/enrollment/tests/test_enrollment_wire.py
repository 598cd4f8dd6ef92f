"""JSON as this service reads and writes it (spec/enrollment-api.md §1.3)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollment.wire import (
    MalformedJson,
    ok_object,
    parse_json,
    parse_json_object,
    request_object,
    text_member,
    wire_date,
)
from powerauth_protocol.common.json_text import write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"{",
        b"\xff",
        b"NaN",
        b'"\\ud800"',
        b"[" * 100_000,
        b"1" * 5000,
        b"{} {}",
        b'{"a":1,"a":1}',
        "\ud800",
        '"\ud800"',
    ],
)
def test_what_is_not_json_is_malformed(source: bytes | str) -> None:
    with pytest.raises(MalformedJson):
        parse_json(source)


@pytest.mark.parametrize("source", [b"[]", b"1", b'"a"', b"null"])
def test_an_object_is_an_object(source: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse_json_object(source)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_malformed(source: bytes) -> None:
    try:
        parse_json(source)
    except MalformedJson:
        return


@given(JSON)
def test_what_is_written_is_json(value: object) -> None:
    assert json.loads(write_json(value)) == value


def test_decimals_are_written_with_all_their_digits() -> None:
    value = {"amount": Decimal("0.567567567567567567567"), "list": [Decimal("1E+3"), 1, None, True]}
    assert write_json(value) == b'{"amount":0.567567567567567567567,"list":[1E+3,1,null,true]}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", None),
        (b"{}", None),
        (b'{"requestObject":null}', None),
        (b'{"requestObject":[]}', None),
        (b'{"requestObject":{"a":1},"other":2}', {"a": 1}),
    ],
)
def test_request_object(body: bytes, expected: object) -> None:
    assert request_object(body) == expected


@pytest.mark.parametrize("members", [None, {}, {"a": None}, {"a": ""}, {"a": 1}, {"a": []}])
def test_a_text_member_is_a_text_with_characters(members: dict[str, object] | None) -> None:
    assert text_member(members, "a") is None


def test_an_empty_list_is_written_and_no_object_is_not() -> None:
    assert ok_object([]) == {"status": "OK", "responseObject": []}
    assert ok_object() == {"status": "OK"}


def test_dates_have_seconds_and_an_offset_without_colon() -> None:
    assert wire_date(1_741_531_393_999) == "2025-03-09T14:43:13+0000"
