"""Reads the notation of docs/spec/core-calls.md and compares answers with it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core_catalogue import SHAPES

from powerauth_protocol.v3 import activation_code

_FIELD = re.compile(r"(?P<name>\w+)(?P<mark>[?!]?)(?::(?P<type>\[?\w+\]?))?(?P<ours>\+?)")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a request or a response."""

    name: str
    optional: bool
    type: str
    ours: bool


def fields_of(text: str) -> tuple[Field, ...]:
    """The members that the notation lists."""
    found = []
    for part in text.split():
        match = _FIELD.fullmatch(part)
        assert match is not None, part
        optional = match["mark"] == "?" or (match["ours"] == "+" and match["mark"] != "!")
        found.append(Field(match["name"], optional, match["type"] or "string", match["ours"] == "+"))
    return tuple(found)


def check_response(body: dict[str, Any], response: str) -> None:
    """The envelope holds exactly what the catalogue says; absent and additional members are reported."""
    if response == "-":
        assert body == {"status": "OK"}
        return
    assert body.keys() == {"status", "responseObject"}
    assert body["status"] == "OK"
    if response in SHAPES or response.startswith("["):
        _check(body["responseObject"], response, "responseObject")
    else:
        _check_object(body["responseObject"], response, "responseObject")


def _check(value: Any, kind: str, where: str) -> None:
    if kind.startswith("["):
        assert isinstance(value, list), where
        for number, item in enumerate(value):
            _check(item, kind[1:-1], f"{where}[{number}]")
    elif kind in SHAPES:
        _check_object(value, SHAPES[kind], where)
    else:
        assert _is_scalar(kind, value), f"{where} is no {kind}: {value!r}"


def _check_object(value: Any, notation: str, where: str) -> None:
    assert isinstance(value, dict), where
    members = fields_of(notation)
    assert set(value) == {member.name for member in members}, where
    for member in members:
        held = value[member.name]
        if held is not None:
            _check(held, member.type, f"{where}.{member.name}")
        else:
            assert member.optional, f"{where}.{member.name} is null"


def _is_scalar(kind: str, value: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "long":
            return isinstance(value, int) and not isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _DATE.fullmatch(value) is not None
        case "b64":
            return isinstance(value, str) and base64.b64encode(base64.b64decode(value)).decode() == value
        case "map":
            return isinstance(value, dict)
        case "any":
            return True
    raise AssertionError(f"unknown type {kind}")


def includes(actual: Any, expected: Any) -> bool:
    """Whether ``actual`` has all that ``expected`` names: members of objects, items of lists in order.

    ``{"$length": 8}`` and the like ask for something else than a value.
    """
    if isinstance(expected, dict):
        name = next(iter(expected), "")
        if name.startswith("$"):
            return _CHECKS[name](actual, expected[name])
        return isinstance(actual, dict) and all(
            name in actual and includes(actual[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list) and len(actual) == len(expected) and all(map(includes, actual, expected))
        )
    return bool(actual == expected)


def _public_keys(keys: Any) -> bool:
    return all(key["kty"] == "EC" and "d" not in key for key in keys)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "present": lambda actual: actual is not None,
    "activation code": activation_code.validate,
    "public keys": _public_keys,
}
_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "$is": lambda actual, kind: _KINDS[kind](actual),
    "$length": lambda actual, length: len(actual) == length,
    "$matches": lambda actual, pattern: re.fullmatch(pattern, actual, re.DOTALL) is not None,
    "$first": lambda actual, expected: includes(actual[0], expected),
    "$anyOrder": lambda actual, expected: (
        len(actual) == len(expected)
        and all(any(includes(item, each) for item in actual) for each in expected)
    ),
}
