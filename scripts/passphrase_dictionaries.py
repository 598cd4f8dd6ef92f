"""Writes the dictionaries of `libs/passphrase-meter` that no library brings: Czech and Slovak, Romanian.

    python -m venv words && words/bin/pip install wordfreq==3.1.1
    words/bin/python scripts/passphrase_dictionaries.py

Needed only for another release of the source; what it writes is committed, what it reads is not. The source
is wordfreq (Apache-2.0; its data CC BY-SA 4.0, and so what is written here too: see `data/LICENSE.md` there).

A file has a word a line, most frequent first, so that the number of a word's line among the words is its
rank. Words are as people type them into a password: lower case, without diacritics, ASCII letters only. Left
out is what trying all letters finds sooner than going through the list: n letters beyond place 26ⁿ.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain, zip_longest
from pathlib import Path

import wordfreq

FOLDER = Path(__file__).parents[1] / "libs/passphrase-meter/src/passphrase_meter/data"
DICTIONARIES = {"czsk": ("cs", "sk"), "ro": ("ro",)}
LIST = "small"
"""Words that occur at least once in a million."""
LONGEST = 32
MOST_BYTES = 1_000_000


def folded(word: str) -> str:
    """In lower case, without diacritics."""
    letters = unicodedata.normalize("NFD", word.lower())
    return "".join(each for each in letters if not unicodedata.combining(each))


def ranked(languages: tuple[str, ...]) -> Iterator[str]:
    """Words of the languages in turns, each once, by falling frequency."""
    lists = [wordfreq.iter_wordlist(language, LIST) for language in languages]
    seen: set[str] = set()
    for word in map(folded, filter(None, chain.from_iterable(zip_longest(*lists)))):
        if word in seen or not (word.isascii() and word.isalpha()) or len(word) > LONGEST:
            continue
        seen.add(word)
        if len(seen) < 26 ** len(word):
            yield word


def write(name: str, languages: tuple[str, ...]) -> None:
    head = f"# {', '.join(languages)}: wordfreq {version('wordfreq')}, CC BY-SA 4.0, see LICENSE.md\n"
    text = head + "".join(f"{word}\n" for word in ranked(languages))
    if len(text) > MOST_BYTES:
        sys.exit(f"{name}: {len(text)} bytes, more than {MOST_BYTES}")
    (FOLDER / f"{name}.txt").write_text(text, encoding="ascii")


if __name__ == "__main__":
    for each, spoken in DICTIONARIES.items():
        write(each, spoken)
