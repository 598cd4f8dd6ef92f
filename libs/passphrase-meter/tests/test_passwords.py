"""Passwords against the reference's own tests (spec/device-trust.md §6.5, PM-6)."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zxcvbn import matching

import passphrase_meter as meter
from passphrase_meter import PasswordStrength
from passphrase_meter.entropy import bits_of, least
from passphrase_meter.parts import Part
from passphrase_meter.passwords import LOOKED_AT

ENGLISH = (
    "international january development different television established championship performance "
    "municipality approximately background administrative"
)
CZECH_AND_SLOVAK = (
    "spolecnosti rozcestnik rimskokatolicka ceskoslovenske historicke ostrava bratislava organizacie "
    "juhovychodnej demokratickej vydavatelstvo svajciarsko"
)
ROMANIAN = "dezvoltarea universitatea bucuresti întotdeauna"
WORDS = [
    (dictionary, word)
    for dictionary, words in (("en", ENGLISH), ("czsk", CZECH_AND_SLOVAK), ("ro", ROMANIAN))
    for word in words.split()
]


@pytest.fixture(scope="module", autouse=True)
def _no_dictionary_stays() -> Iterator[None]:
    yield
    meter.free_dictionary()


@pytest.mark.parametrize(
    ("password", "strength"),
    [
        ("qwerty", PasswordStrength.WEAK),
        ("12345678", PasswordStrength.VERY_WEAK),
        ("ap", PasswordStrength.VERY_WEAK),
        ("apwu", PasswordStrength.WEAK),
        ("apwunb", PasswordStrength.GOOD),
        ("ap,wu92nbSm;#/", PasswordStrength.STRONG),
        ("apwun", PasswordStrength.MODERATE),
        ("apwunbe", PasswordStrength.GOOD),
        ("apwunbei", PasswordStrength.STRONG),
        ("", PasswordStrength.VERY_WEAK),
        ("aaaaaaaaaaaaaaaa", PasswordStrength.VERY_WEAK),
        ("apwunapwunapwun", PasswordStrength.MODERATE),
        ("15.9.1990", PasswordStrength.WEAK),
    ],
)
def test_levels_without_words(password: str, strength: PasswordStrength) -> None:
    assert meter.test_password(password) is strength


@pytest.mark.parametrize(
    ("password", "characters"),
    [
        ("ap", 26),
        ("AP", 26),
        ("37", 10),
        (";)", 33),
        ("éß", 100),
        ("aP", 52),
        ("aP3;é", 26 + 26 + 10 + 33 + 100),
    ],
)
def test_what_is_unknown_is_guessed_from_its_classes(password: str, characters: int) -> None:
    assert bits_of(password, {}) == pytest.approx(len(password) * log2(characters))


def test_parts_cost_what_they_take_and_that_they_follow() -> None:
    whole = [Part(0, 2, 3.0), Part(2, 3, 4.0), Part(3, 6, 5.0)]
    assert least(whole, 6) == 3 + (4 + 1.75) + (5 + 1)
    assert least([*whole, Part(2, 6, 10.75), Part(0, 6, 99.0)], 6) == 3 + (10.75 + 1)
    assert least([*whole, Part(0, 6, 14.5)], 6) == 14.5


@pytest.mark.parametrize(("dictionary", "word"), WORDS)
def test_words_are_weak_where_their_dictionary_is_asked(dictionary: str, word: str) -> None:
    assert meter.test_password(word) >= PasswordStrength.GOOD
    assert meter.test_password(word, dictionary) <= PasswordStrength.WEAK


@pytest.mark.parametrize(
    ("password", "dictionary"),
    [
        ("P4$$w0rd", "ro"),
        ("oksraicjavs", "czsk"),
        ("Bratislava1", "czsk"),
        ("švajčiarsko", "czsk"),
        ("s\u030cvajc\u030ciarsko", "czsk"),
        ("iloveyou", "en"),
        ("letmeinletmein", "en"),
    ],
)
def test_words_that_are_dressed_up(password: str, dictionary: str) -> None:
    assert meter.test_password(password, dictionary) <= PasswordStrength.WEAK


@pytest.mark.parametrize("password", [None, 1234, "a\0b", b"a\0b", b"\xff\xfe", b"\xc5", "a" * 400 + "\0"])
def test_what_is_no_password(password: Any) -> None:
    with pytest.raises(meter.WrongPasswordError) as told:
        meter.test_password(password)
    assert str(password) not in str(told.value)


@pytest.mark.parametrize("dictionary", ["", "EN", "../en", "LICENSE.md"])
def test_an_unknown_dictionary(dictionary: str) -> None:
    with pytest.raises(LookupError, match="en, czsk, ro"):
        meter.test_password("apwunb", dictionary)


@settings(max_examples=60)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=100))
@example("\u0130stanbul")
@example("\u0345" * 300)
def test_a_level_for_every_text(password: str) -> None:
    strength = meter.test_password(password)
    assert strength is meter.test_password(password.encode())
    assert strength is not PasswordStrength.WRONG_INPUT
    assert meter.test_password(password, "en") <= strength, "words only make it easier"


@settings(max_examples=40)
@given(st.text("abcdefgh123!", max_size=40), st.sampled_from("xyzXYZ;"))
def test_one_more_character_of_another_kind_never_makes_it_weaker(password: str, more: str) -> None:
    assert meter.test_password(password + more) >= meter.test_password(password)


@pytest.mark.parametrize("pump", ["a", "4@8(3691!|10$5+7%2", "1qaz", "password", "1.1.91", "\u0345", "é"])
def test_what_follows_costs_nothing(pump: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is handed a bounded text, a bounded number of times."""
    asked: list[int] = []
    look_up = matching.dictionary_match

    def counted(password: str, ranks: dict[str, dict[str, int]]) -> Any:
        asked.append(len(password))
        return look_up(password, ranks)

    monkeypatch.setattr(matching, "dictionary_match", counted)
    long = pump * (LOOKED_AT * 4)
    assert meter.test_password(long * 500, "en") is meter.test_password(long, "en")
    assert meter.test_password(long.encode() * 500, "en") is meter.test_password(long, "en")
    assert max(asked) <= LOOKED_AT
    assert len(asked) <= 4 * 4, "as it is, backwards, and in two spellings"


def test_a_dictionary_has_words_as_they_are_compared() -> None:
    for name in meter.DICTIONARIES:
        words = meter.load_dictionary(name)
        assert len(words) > 30_000
        assert min(words.values()) == 1
        assert all(word == word.lower() and word.isascii() for word in words)
        assert meter.load_dictionary(name) is words
    meter.free_dictionary()
    assert meter.load_dictionary("ro") is not words
