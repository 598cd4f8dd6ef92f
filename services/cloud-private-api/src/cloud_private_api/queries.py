"""Reading the query of a request (spec/cloud-api.md §1.2).

The framework takes the last of several values in silence, and undecodable bytes for some character. Here a
parameter that is no list stands once, and what is no percent-encoded UTF-8 is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from fastapi.dependencies.models import Dependant
from starlette.datastructures import QueryParams

from cloud_private_api.errors import InvalidRequest, Violation

_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Repeatable:
    """Annotation of a query parameter that is a list: it may be repeated.

    :ivar separator: what separates values of one occurrence too, if anything; inside a value it is encoded
    """

    separator: bytes | None = None


class QueryReader:
    """Reads the query of one endpoint."""

    def __init__(self, dependant: Dependant) -> None:
        self._declared: Mapping[str, Repeatable | None] = {
            parameter.alias: next(
                (note for note in parameter.field_info.metadata if isinstance(note, Repeatable)), None
            )
            for parameter in dependant.query_params
        }

    def read(self, query: bytes) -> QueryParams:
        """The declared parameters; others are ignored.

        :raises InvalidRequest: a parameter stands twice that is no list, or is not percent-encoded UTF-8
        """
        pairs: list[tuple[str, str]] = []
        seen: set[str] = set()
        for item in query.split(b"&"):
            raw_name, _, raw_value = item.partition(b"=")
            name = _decoded(raw_name)
            if name is None or name not in self._declared:
                continue
            repeatable = self._declared[name]
            if name in seen and repeatable is None:
                raise InvalidRequest(Violation(name, "must not be repeated", parameter=True))
            seen.add(name)
            pairs += ((name, value) for value in _values(name, repeatable, raw_value))
        return QueryParams(pairs)


def _values(name: str, repeatable: Repeatable | None, raw_value: bytes) -> Iterator[str]:
    separator = None if repeatable is None else repeatable.separator
    for part in [raw_value] if separator is None else raw_value.split(separator):
        value = _decoded(part)
        if value is None:
            raise InvalidRequest(Violation(name, "must be percent-encoded UTF-8", parameter=True))
        yield value


def _decoded(raw: bytes) -> str | None:
    if _MALFORMED.search(raw):
        return None
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        return None
