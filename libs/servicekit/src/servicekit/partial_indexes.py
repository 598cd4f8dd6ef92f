"""Indexes of some of a table's rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.util import PopulateDict


class PartialIndex(Index):
    """An index of the rows for which a condition holds, on either database.

    As an argument of :class:`~sqlalchemy.Index` the condition has a name for each database, and what names it
    loads the database's dialect, which only one of them needs.
    """

    def __init__(self, name: str, *columns: str, where: str, unique: bool = False) -> None:
        super().__init__(name, *columns, unique=unique)
        self._where = text(where)

    @property
    def dialect_options(self) -> PopulateDict[str, Any]:
        """By dialect, the options that it has for an index; read when one is asked for."""
        return PopulateDict(self._options_of)

    def _options_of(self, dialect: str) -> Any:
        found = super().dialect_options[dialect]
        found["where"] = self._where
        return found
