"""`${name}` in localised texts (spec/enrollment-api.md §11.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from powerauth_protocol.common.json_text import write_json

Parameters = Mapping[str, object]

# What is opened and never closed is one match, so that every character is passed over once.
_PLACEHOLDER = re.compile(r"(\$?)\$\{([^{}]*?)(?::-([^}]*))?(?:(\})|\Z)")


def substitute(text: str, parameters: Parameters) -> str:
    """Replace the placeholders of a plain text (title, message); values are inserted as they are."""
    return _substitute(text, parameters, str)


def substitute_json(text: str, parameters: Parameters) -> str:
    """Replace the placeholders in JSON source (ui, result texts); values are escaped for a string."""
    return _substitute(text, parameters, lambda value: json.dumps(value, ensure_ascii=False)[1:-1])


def parameter_text(parameters: Parameters, name: str | None) -> str | None:
    """Return the value of a parameter as text; None when it is missing or null."""
    value = parameters.get(name) if name is not None else None
    if value is None or isinstance(value, str):
        return value
    return write_json(value).decode()


def _substitute(text: str, parameters: Parameters, escape: Callable[[str], str]) -> str:
    """One pass: inserted values are never expanded again, so a value cannot name another parameter."""
    if not parameters or "${" not in text:
        return text
    return "".join(
        [part if isinstance(part, str) else part.filled(parameters, escape) for part in _parts(text)]
    )


@dataclass(frozen=True, slots=True)
class _Placeholder:
    """One ``${name:-default}``, and how it is written."""

    written: str
    name: str
    default: str | None

    def filled(self, parameters: Parameters, escape: Callable[[str], str]) -> str:
        value = parameter_text(parameters, self.name)
        if value is not None:
            return escape(value)
        return self.written if self.default is None else self.default


@lru_cache(maxsize=1024)
def _parts(text: str) -> tuple[str | _Placeholder, ...]:
    """A text taken apart: there are few, shown again and again."""
    parts: list[str | _Placeholder] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        escaped, name, default, closed = match.groups()
        parts.append(text[end : match.start()])
        end = match.end()
        if closed and not escaped:
            parts.append(_Placeholder(match.group(), name, default))
        else:
            parts.append(match.group()[1 if closed else 0 :])
    return (*parts, text[end:])
