"""Checks of templates and texts, and operation data made of them, without input or output (spec/core-api.md
§19.2, §20, §25; enrollment-api §11).
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from powerauth_contracts.enums import SignatureType
from powerauth_protocol.common.json_text import JsonError, read_json


@dataclass(frozen=True, slots=True)
class NumberMatching:
    """The number that an operation is approved with.

    :ivar choices: among how many the user chooses; 0: the user types it
    """

    digits: int
    choices: int


@dataclass(frozen=True, slots=True)
class UserLimits:
    """How often a user may be asked.

    :ivar pending: operations that wait for the user at a time; None: without limit
    :ivar per_minute: new ones
    """

    pending: int | None
    per_minute: int | None


# What is opened and never closed makes no JSON either; so every character is passed over once.
_PLACEHOLDER = re.compile(r"\$\{[^}]*(?:\}|\Z)")


@lru_cache(maxsize=1_000)
def signature_types(column: str) -> tuple[SignatureType, ...]:
    """The types of a ``signature_type`` column: comma-joined, lower case."""
    return tuple([SignatureType(part.strip().upper()) for part in column.split(",")])


def signature_type_column(types: Sequence[SignatureType]) -> str:
    """The text of a ``signature_type`` column."""
    return ",".join([kind.value.lower() for kind in types])


def is_json_of(kind: type, text: str) -> bool:
    """Whether a text is a JSON array (``list``) or object (``dict``), as it stands or with ``${…}`` filled.

    A placeholder may stand outside of a string, so the text alone need not be JSON (enrollment-api §11.3).
    """
    return isinstance(parsed(text), kind) or isinstance(parsed(_PLACEHOLDER.sub("0", text)), kind)


def etag_of(rows: Sequence[Sequence[str | None]]) -> str:
    """A validator that changes whenever any member of the rows does."""
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def parsed(text: str) -> Any:
    """The JSON value of a text; None for a text that is none."""
    try:
        return read_json(text)
    except JsonError:
        return None


# What is opened and never closed is one match, so that every character is passed over once.
_EXPRESSION = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<expression>[^}]*)(?:(?P<closed>\})|\Z)")
_DEFAULT_MARK = ":-"
# 0x0A, the line feed, is the one control character that a value may contain.
_FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f]")


def has_forbidden_characters(value: str) -> bool:
    """Whether a parameter value contains a control character other than the line feed."""
    return _FORBIDDEN.search(value) is not None


def missing_parameters(template: str, parameters: Mapping[str, str | None]) -> list[str]:
    """Names that the template wants and that have neither a value nor a default, in the template's order."""
    names = dict.fromkeys(
        match["expression"]
        for match in _EXPRESSION.finditer(template)
        if match["expression"] and _DEFAULT_MARK not in match["expression"]
    )
    return [name for name in names if parameters.get(name) is None]


def escape_value(value: str) -> str:
    r"""The value as it stands in operation data: ``\`` and ``*`` escaped, a line feed as ``\n``."""
    return value.replace("\\", "\\\\").replace("*", "\\*").replace("\n", "\\n")


def render(template: str, parameters: Mapping[str, str | None]) -> str:
    """Operation data: the template with its placeholders replaced in a single pass.

    ``${name}`` becomes the escaped value; without a value it becomes the default of ``${name:-default}`` or
    stays as it is. ``$${name}`` stands for the literal ``${name}``. Values are never expanded again.
    """

    def replace(match: re.Match[str]) -> str:
        if match["escape"]:
            return "${"
        if not match["closed"]:
            return match[0]
        name, mark, default = match["expression"].partition(_DEFAULT_MARK)
        value = parameters.get(name)
        if value is not None:
            return escape_value(value)
        return default if mark else match[0]

    return _EXPRESSION.sub(replace, template)
