"""A row of localised texts, and the choice among those of a type (spec/enrollment-api.md §11.1, §11.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FALLBACK_LANGUAGE = "en"


class TextsBroken(Exception):
    """The JSON of a row does not parse or has wrong types; the text of the exception names the part only."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """One language of one operation type; `attributes`, `ui` and `result_texts` are JSON texts as stored."""

    language: str
    title: str
    message: str
    attributes: str | None = None
    ui: str | None = None
    result_texts: str | None = None


def choose_row(rows: Sequence[TextRow], language: str) -> TextRow | None:
    """Return the row of `language`, else the English one, else the alphabetically first; None without."""
    by_language = {row.language: row for row in rows}
    for candidate in (language, FALLBACK_LANGUAGE):
        if candidate in by_language:
            return by_language[candidate]
    return by_language[min(by_language)] if by_language else None
