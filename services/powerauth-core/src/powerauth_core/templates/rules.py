"""Checks of templates and texts, without input or output (spec/core-api.md §20, §25; enrollment-api §11)."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from powerauth_contracts.enums import SignatureType
from powerauth_protocol.common.json_text import JsonError, read_json

# What is opened and never closed makes no JSON either; so every character is passed over once.
_PLACEHOLDER = re.compile(r"\$\{[^}]*(?:\}|\Z)")


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
