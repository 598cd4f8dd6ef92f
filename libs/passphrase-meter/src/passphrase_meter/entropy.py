"""What an attacker has to guess of a password, who knows words and patterns (spec/device-trust.md §6.5).

A password is cut into parts, words and patterns that `parts` finds and whatever lies between them, in the way
that leaves the least to guess. Each part after the first costs a little more: that it follows is guessed too.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import inf, log2
from operator import attrgetter
from typing import Final

from passphrase_meter.parts import Part, parts_of

_LAST: Final = 1.0
_BETWEEN: Final = 1.75
"""Bits that it takes to guess that a part follows others, as the last one or not."""

_SYMBOLS: Final = 33
_BEYOND_ASCII: Final = 100
_CLASSES: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


def bits_of(password: str, words: dict[str, int]) -> float:
    """log2 of the guesses that a password withstands; 0 for the empty one.

    :param password: at most as long as its caller bounds it: the work grows with the square of its length
    :param words: ranks by word
    """
    found = [*parts_of(password, words), *_blind(password)]
    return least([*found, *_repeated(password, found)], len(password))


def least(parts: Iterable[Part], length: int) -> float:
    """The fewest bits of parts that stand one after the other and cover everything."""
    best = [0.0, *[inf] * length]
    for end, ending in groupby(sorted(parts, key=attrgetter("end")), attrgetter("end")):
        best[end] = min(best[part.start] + part.bits + _extra(part, length) for part in ending)
    return best[length]


def _extra(part: Part, length: int) -> float:
    if part.start == 0:
        return 0.0
    return _LAST if part.end == length else _BETWEEN


def _blind(password: str) -> Iterable[Part]:
    """Every stretch, guessed character by character from the classes that the password has."""
    each = log2(_cardinality(password)) if password else 0.0
    for start in range(len(password)):
        for end in range(start + 1, len(password) + 1):
            yield Part(start, end, each * (end - start))


def _cardinality(text: str) -> int:
    """How many characters there are of the classes that a text has characters of."""
    known = sum(len(members) for members in _CLASSES if not set(members).isdisjoint(text))
    others = set(text).difference(*_CLASSES)
    symbols = _SYMBOLS if any(each.isascii() for each in others) else 0
    return known + symbols + (_BEYOND_ASCII if any(not each.isascii() for each in others) else 0)


def _repeated(password: str, parts: Sequence[Part]) -> Iterable[Part]:
    """Parts that are followed by themselves: once guessed, only how often."""
    for part in parts:
        text = password[part.start : part.end]
        size = len(text)
        bits = log2(_cardinality(text)) if size == 1 else part.bits
        times, end = 1, part.end
        while password.startswith(text, end):
            times, end = times + 1, end + size
            yield Part(part.start, end, bits + log2(times))
