"""The data that authentication codes cover (spec/protocol-v3.md §8.1)."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.request_data import (
    canonical_query,
    canonical_query_predecoded,
    normalized_data,
    signature_base,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=5)


def test_absent_parts_keep_their_separators() -> None:
    assert signature_base(None, None, None, None) == "GET&&&"
    assert signature_base("post", "/pa/login", bytes(16), b"") == (
        "POST&L3BhL2xvZ2lu&AAAAAAAAAAAAAAAAAAAAAA==&"
    )
    assert normalized_data("GET&&&", "offline") == b"GET&&&&offline"


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_the_canonical_form_does_not_depend_on_order_or_encoding(items: list[tuple[str, str]]) -> None:
    shuffled = sorted(items, key=lambda item: (item[1], item[0]))
    percent = "&".join(
        "=".join("".join(f"%{byte:02x}" for byte in text.encode()) for text in item) for item in shuffled
    )
    canonical = canonical_query(urlencode(items))
    assert canonical == canonical_query(percent)
    assert canonical is not None
    assert sorted(parse_qsl(canonical, keep_blank_values=True, strict_parsing=True)) == sorted(items)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_the_canonical_form_is_stable(items: list[tuple[str, str]]) -> None:
    canonical = canonical_query(urlencode(items))
    assert canonical_query(canonical) == canonical


def test_keys_sort_by_utf16_code_units() -> None:
    # U+1F600 has a code point above U+FF21 but starts with a lower code unit.
    assert canonical_query("\uff21=1&\U0001f600=2") == "%F0%9F%98%80=2&%EF%BC%A1=1"


@pytest.mark.parametrize("query", ["a=%", "a=%1", "a=%zz", "%=1", "a=1&b=%g0", "a=\ud800"])
def test_broken_queries_are_refused(query: str) -> None:
    with pytest.raises(EncodingError):
        canonical_query(query)


def test_the_set_of_unencoded_signs_is_that_of_html_forms() -> None:
    assert canonical_query("a=~.-*_ /+&(=)") == "%28=%29&a=%7E.-*_+%2F+"


def test_a_part_without_equals_sign_is_left_out_even_if_broken() -> None:
    assert canonical_query("%zz&a=1") == "a=1"


def test_decoding_once_and_twice_differ_only_for_encoded_signs() -> None:
    assert canonical_query("a=1+2&b=%C5%99") == canonical_query_predecoded("a=1+2&b=%C5%99")
    assert canonical_query("a=%2B") == "a=%2B"
    assert canonical_query_predecoded("a=%2B") == "a=+"
    assert canonical_query_predecoded(None) == ""


def test_a_resource_id_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(EncodingError):
        signature_base("GET", "\ud800", None, None)
