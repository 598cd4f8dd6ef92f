"""The language of a request: only the language subtag of the best `Accept-Language` entry counts.

spec/enrollment-api.md §3.6, §11.2.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SUBTAG = re.compile(r"[a-z]{2,8}")
_ENTRIES_READ = 32
_LONGEST_KEPT = 64


def preferred_language(
    accept_language: str | None, *, default: str = "en", served: frozenset[str] = frozenset()
) -> str:
    """Return the lower-case language subtag with the highest `q`; the first of equals wins.

    :param accept_language: the header as received, or None.
    :param default: answered when no entry is acceptable.
    :param served: the languages an operator allows; empty allows every language.
    """
    if not accept_language:
        return default
    short = len(accept_language) <= _LONGEST_KEPT
    return (_best if short else _best.__wrapped__)(accept_language, default, served)


# A phone sends the same header with every request.
@lru_cache(maxsize=256)
def _best(accept_language: str, default: str, served: frozenset[str]) -> str:
    best, best_quality = default, 0.0
    for entry in accept_language.split(",")[:_ENTRIES_READ]:
        tag, _, parameters = entry.partition(";")
        language = tag.strip().replace("_", "-").partition("-")[0].lower()
        if not _SUBTAG.fullmatch(language) or (served and language not in served):
            continue
        quality = _quality(parameters)
        if quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameters: str) -> float:
    """The weight of one entry, 0 to 1; no weight means 1 and an unreadable one means 0."""
    for parameter in parameters.split(";"):
        name, separator, value = parameter.partition("=")
        if separator and name.strip().lower() == "q":
            return _bounded(value.strip())
    return 1.0


def _bounded(value: str) -> float:
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
