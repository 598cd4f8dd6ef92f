"""JSON as all doors read and write it (D26)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerauth_protocol.common.json_text import JsonError, read_json, read_json_object, write_json

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
        '{"\\uDBFF":1}',
        '{"a":[NaN]}',
        b"[" * 100_000,
        b"1" * 5000,
        b"{} {}",
        b'{"a":1,"a":1}',
        "\ud800",
        '"\ud800"',
    ],
)
def test_what_is_not_json_is_malformed(source: bytes | str) -> None:
    with pytest.raises(JsonError):
        read_json(source)


@pytest.mark.parametrize("source", [b"[]", b"1", b'"a"', b"null"])
def test_an_object_is_an_object(source: bytes) -> None:
    with pytest.raises(JsonError):
        read_json_object(source)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_malformed(source: bytes) -> None:
    try:
        read_json(source)
    except JsonError:
        return


@given(JSON)
def test_what_is_written_is_json(value: object) -> None:
    assert json.loads(write_json(value)) == value


def test_decimals_are_written_with_all_their_digits() -> None:
    value = {"amount": Decimal("0.567567567567567567567"), "list": [Decimal("1E+3"), 1, None, True]}
    assert write_json(value) == b'{"amount":0.567567567567567567567,"list":[1E+3,1,null,true]}'


def test_json_with_a_pair_of_surrogates_is_one_character() -> None:
    assert read_json_object('{"a":"\\ud83d\\udcb0"}') == {"a": "\U0001f4b0"}
