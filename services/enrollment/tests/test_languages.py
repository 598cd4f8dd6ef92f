"""The language of a request (spec/enrollment-api.md §3.6, §11.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollment.languages import preferred_language


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en"),
        ("", "en"),
        ("cs", "cs"),
        ("cs-CZ", "cs"),
        ("CS_cz", "cs"),
        ("de-CH, cs;q=0.9", "de"),
        ("de;q=0.1, cs;q=0.9, en;q=0.5", "cs"),
        ("de;q=0.5, cs;q=0.5", "de"),
        ("*", "en"),
        ("*;q=1, fr;q=0.2", "fr"),
        ("cs;q=0", "en"),
        ("cs;q=abc, de;q=0.1", "de"),
        ("cs;q=nan, de;q=0.1", "de"),
        ("cs;q=7, de;q=0.1", "de"),
        ("cs ; q=0.8 , de; q=0.7", "cs"),
        ("12, x, \u010de", "en"),
        ("zh-Hant-TW", "zh"),
    ],
)
def test_language_of_the_best_entry(header: str | None, expected: str) -> None:
    assert preferred_language(header) == expected


def test_languages_not_served_are_passed_over() -> None:
    assert preferred_language("de, cs;q=0.5", served=frozenset({"cs", "en"})) == "cs"
    assert preferred_language("de", default="sk", served=frozenset({"cs"})) == "sk"


@given(st.text(max_size=300))
def test_any_header_gives_a_language(header: str) -> None:
    assert preferred_language(header).isalpha()
