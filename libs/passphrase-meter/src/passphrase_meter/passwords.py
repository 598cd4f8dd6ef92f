"""Passwords: how long guessing takes (spec/device-trust.md §6.5)."""

from __future__ import annotations

import codecs
import unicodedata
from bisect import bisect_right
from enum import IntEnum
from math import log10
from typing import Final

from passphrase_meter.dictionaries import load_dictionary
from passphrase_meter.entropy import bits_of

LOOKED_AT: Final = 72
"""Characters that decide; what follows makes no password weaker."""

_MOST_BYTES: Final = 4 * LOOKED_AT
_LIMITS: Final = (3, 6, 8, 10)


class WrongPasswordError(ValueError):
    """Not a text that a password can be. Never says what was given."""


class PasswordStrength(IntEnum):
    """Levels, by how many guesses a password withstands, with the reference's numbers."""

    VERY_WEAK = 0
    """Fewer than 10³."""
    WEAK = 1
    """Fewer than 10⁶."""
    MODERATE = 2
    """Fewer than 10⁸."""
    GOOD = 3
    """Fewer than 10¹⁰."""
    STRONG = 4
    WRONG_INPUT = 5
    """Stands for `WrongPasswordError` where there are no exceptions."""


def test_password(password: str | bytes, dictionary: str | None = None) -> PasswordStrength:
    """Estimate how long guessing a password takes.

    :param password: text, or its UTF-8; the first 72 characters are looked at
    :param dictionary: name of the words that are guessed first (`DICTIONARIES`); None: none, only patterns
    :raises WrongPasswordError: no text, a NUL in it, not UTF-8
    :raises LookupError: there is no such dictionary
    """
    text = _checked(password)
    words = {} if dictionary is None else load_dictionary(dictionary)
    return PasswordStrength(bisect_right(_LIMITS, bits_of(text, words) * log10(2)))


def _checked(password: str | bytes) -> str:
    if not isinstance(password, str | bytes):
        raise WrongPasswordError("a password is a text")
    if (b"\0" if isinstance(password, bytes) else "\0") in password:  # type: ignore[operator]
        raise WrongPasswordError("no password holds a NUL")
    text = _decoded(password) if isinstance(password, bytes) else password
    return unicodedata.normalize("NFC", text[:_MOST_BYTES])[:LOOKED_AT]


def _decoded(password: bytes) -> str:
    """The beginning, more than is looked at; a character cut off by that is no error."""
    start = password[:_MOST_BYTES]
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(start, final=start == password)
    except UnicodeDecodeError:
        raise WrongPasswordError("a password is UTF-8") from None
