"""`${name}` in localised texts (spec/enrollment-api.md §11.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from powerauth_protocol.common.json_text import write_json

Parameters = Mapping[str, object]

# What is opened and never closed is one match, so that every character is passed over once.
_PLACEHOLDER = re.compile(r"(\$?)\$\{([^{}]*?)(?::-([^}]*))?(?:(\})|\Z)")


def substitute(text: str, parameters: Parameters) -> str:
    """Replace the placeholders of a plain text (title, message); values are inserted as they are."""
    return _substitute(text, parameters, lambda value: value)


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
    if not parameters:
        return text

    def replacement(match: re.Match[str]) -> str:
        escaped, name, default, closed = match.groups()
        if not closed:
            return match.group()
        if escaped:
            return match.group()[1:]
        value = parameter_text(parameters, name)
        if value is not None:
            return escape(value)
        return default if default is not None else match.group()

    return _PLACEHOLDER.sub(replacement, text)
