"""Placeholders of texts: parameters of the operation take their place (spec/cloud-api.md §13.2, §14.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

# What is opened and never closed is one match, so that every character is passed over once.
_PLACEHOLDER = re.compile(r"\$?\$\{(?P<name>[^{}:]*)(?::-(?P<default>[^}]*))?(?:(?P<closed>\})|\Z)")

Parameters = Mapping[str, str | None]


def fill_mobile_text(text: str, parameters: Parameters) -> str:
    """A text for the app: unknown placeholders stay; ``${name:-default}`` and ``$${name}`` are known."""
    if not parameters:
        return text
    return _fill(text, parameters, lambda placeholder: placeholder)


def fill_push_text(text: str, parameters: Parameters) -> str:
    """A push text: unknown placeholders vanish (§13.2)."""
    return _fill(text, parameters, lambda _: "")


def _fill(text: str, parameters: Parameters, unknown: Callable[[str], str]) -> str:
    def replace(match: re.Match[str]) -> str:
        placeholder = match.group()
        if not match["closed"]:
            return placeholder
        if placeholder.startswith("$$"):
            return placeholder[1:]
        value = parameters.get(match["name"])
        if value is not None:
            return value
        default = match["default"]
        return unknown(placeholder) if default is None else default

    # One pass: a value that looks like a placeholder is not filled again.
    return _PLACEHOLDER.sub(replace, text)
