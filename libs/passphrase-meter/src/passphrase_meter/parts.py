"""Words and patterns in a password, each with what it takes to guess it (spec/device-trust.md §6.5).

Keyboards, sequences, dates and how many guesses each takes are zxcvbn's. It looks for the words of one list
in a fixed number of spellings, not in all that may be combined: the password's length bounds the work.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from math import log2
from typing import Any, Final, NamedTuple

from zxcvbn import matching, scoring

_BOTH: Final = {
    "@": "a",
    "4": "a",
    "8": "b",
    "(": "c",
    "3": "e",
    "6": "g",
    "9": "g",
    "!": "i",
    "0": "o",
    "$": "s",
    "5": "s",
    "+": "t",
    "%": "x",
    "2": "z",
}
_SPELLINGS: Final = (_BOTH | {"1": "i", "|": "i", "7": "t"}, _BOTH | {"1": "l", "|": "l", "7": "l"})
"""Which letter a symbol stands for, in the two ways that exclude each other."""


class Part(NamedTuple):
    """From one place in a password to another.

    :ivar bits: log2 of the guesses that it takes
    """

    start: int
    end: int
    bits: float


def parts_of(password: str, words: dict[str, int]) -> Iterator[Part]:
    """What somebody would recognise in a password."""
    plain = "".join(map(_without_mark, password))
    for found in _matches(plain, {"words": words} if words else {}):
        guesses = scoring.estimate_guesses(found, plain)
        yield Part(found["i"], found["j"] + 1, log2(guesses))


def _without_mark(character: str) -> str:
    """A letter without its diacritic, where an ASCII letter is left; one for one, so that places stay."""
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character


def _matches(password: str, ranks: dict[str, dict[str, int]]) -> Iterable[Any]:
    yield from matching.spatial_match(password)
    yield from matching.sequence_match(password)
    yield from matching.regex_match(password)
    yield from matching.date_match(password)
    if ranks:
        yield from matching.dictionary_match(password, ranks)
        yield from matching.reverse_dictionary_match(password, ranks)
        for letters in _SPELLINGS:
            yield from _respelled(password, letters, ranks)


def _respelled(password: str, letters: Mapping[str, str], ranks: dict[str, dict[str, int]]) -> Iterator[Any]:
    """Words in which symbols stand for letters."""
    if letters.keys().isdisjoint(password):
        return
    for found in matching.dictionary_match("".join(letters.get(each, each) for each in password), ranks):
        token = password[found["i"] : found["j"] + 1]
        used = {symbol: letter for symbol, letter in letters.items() if symbol in token}
        if used:
            yield {**found, "token": token, "l33t": True, "sub": used}
