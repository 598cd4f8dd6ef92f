"""Required members of requests, refused with messages of their own (spec/core-api.md §19.9, §31.1).

The wire shows ``requestObject.<field> - <message>``, code ERR0024.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import AfterValidator, BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from servicekit.wire import WireModel

_ERROR_TYPE = "required_value"
INT32_MAX = 2**31 - 1


def not_blank(message: str) -> BeforeValidator:
    """Refuse null, the empty text and white space alone with ``message``."""

    def check(value: Any) -> Any:
        if value is None or (isinstance(value, str) and not value.strip()):
            raise PydanticCustomError(_ERROR_TYPE, "{text}", {"text": message})
        return value

    return BeforeValidator(check)


def not_empty(message: str) -> BeforeValidator:
    """Refuse null, the empty text and the empty list with ``message``."""

    def check(value: Any) -> Any:
        if value is None or value in ("", []):
            raise PydanticCustomError(_ERROR_TYPE, "{text}", {"text": message})
        return value

    return BeforeValidator(check)


def not_null(message: str) -> BeforeValidator:
    """Refuse null and the empty text with ``message``; for members that are no texts."""

    def check(value: Any) -> Any:
        if value is None or value == "":
            raise PydanticCustomError(_ERROR_TYPE, "{text}", {"text": message})
        return value

    return BeforeValidator(check)


def at_most(length: int, message: str) -> AfterValidator:
    """Refuse a text of more than ``length`` characters with ``message``."""

    def check(value: str) -> str:
        if len(value) > length:
            raise PydanticCustomError("too_long", "{text}", {"text": message})
        return value

    return AfterValidator(check)


def matching(pattern: str, message: str) -> AfterValidator:
    """Refuse a text that does not match ``pattern`` as a whole with ``message``."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise PydanticCustomError("pattern_mismatch", "{text}", {"text": message})
        return value

    return AfterValidator(check)


def in_range(lowest: int, highest: int, message: str) -> AfterValidator:
    """Refuse a number outside the inclusive range with ``message``."""

    def check(value: int) -> int:
        if not lowest <= value <= highest:
            raise PydanticCustomError("out_of_range", "{text}", {"text": message})
        return value

    return AfterValidator(check)


def is_nested_deeper_than(value: Any, levels: int) -> bool:
    """Whether a JSON value holds more than ``levels`` objects and arrays inside each other."""
    level = [value]
    for _ in range(levels):
        level = [
            member
            for container in level
            if isinstance(container, dict | list)
            for member in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


class CheckedRequest(WireModel):
    """A request whose required members, absent or null, are refused with their own messages.

    Both read as the empty text, which every check of a required member refuses.
    """

    @model_validator(mode="before")
    @classmethod
    def _absent_reads_as_empty(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        absent = {
            field.alias or name: ""
            for name, field in cls.model_fields.items()
            if field.is_required() and value.get(name) is None and value.get(field.alias) is None
        }
        return {**value, **absent} if absent else value
