"""Words that are guessed before anything else (spec/device-trust.md §6.5)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

DICTIONARIES: Final = ("en", "czsk", "ro")
"""English; Czech and Slovak; Romanian."""

_ENGLISH: Final = "en"
_PASSWORDS: Final = "passwords"


@lru_cache(maxsize=1)
def load_dictionary(name: str) -> dict[str, int]:
    """Words in lower case by rank, 1 the most frequent; passwords that many people have are among each.

    The one asked for last stays in memory until `free_dictionary`.

    :raises LookupError: there is no such dictionary
    """
    if name not in DICTIONARIES:
        raise LookupError(f"no dictionary is called so; there are {', '.join(DICTIONARIES)}")
    if name == _ENGLISH:
        return _ranked(*FREQUENCY_LISTS.values())
    words = files("passphrase_meter").joinpath("data", f"{name}.txt").read_text("ascii").splitlines()
    return _ranked(FREQUENCY_LISTS[_PASSWORDS], (word for word in words if not word.startswith("#")))


def free_dictionary() -> None:
    """Give back the memory of what was loaded."""
    load_dictionary.cache_clear()


def _ranked(*lists: Iterable[str]) -> dict[str, int]:
    """Each word with its best rank."""
    ranks: dict[str, int] = {}
    for words in lists:
        for rank, word in enumerate(words, 1):
            ranks[word] = min(rank, ranks.get(word, rank))
    return ranks
