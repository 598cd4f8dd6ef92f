"""JSON that keeps every character of its numbers: the one reading of all doors (D26).

A whole number is an ``int``; any other number is a `Number`, never a binary float. A member that stands twice
in an object is refused, since two readers could take different ones.
"""

from __future__ import annotations

import codecs
import json
import re
import secrets
from collections import Counter
from decimal import Decimal
from typing import Any

from powerauth_protocol.common.errors import EncodingError

MAX_NUMBER_LENGTH = 100
"""Characters of a number; nobody counts in longer ones, and converting them is work."""

MAX_EXPONENT = 400
"""Largest magnitude of a decimal exponent where a number is wanted."""

_NOT_JSON = "not JSON"
_BLANKS = " \t\r\n"


class Number:
    """A number with a fraction or an exponent (or ``-0``) as the sender wrote it; equal if written alike.

    No dataclass: writers of JSON know how to write those, and must ask us.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Number({self.text})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def decimal(self) -> Decimal:
        """The value.

        :raises EncodingError: its exponent is beyond `MAX_EXPONENT`, judged before conversion
        """
        _, _, exponent = self.text.lower().partition("e")
        if exponent and (len(exponent.lstrip("+-0")) > len(str(MAX_EXPONENT)) or _beyond(int(exponent))):
            raise EncodingError("number out of range")
        return Decimal(self.text)


def _beyond(exponent: int) -> bool:
    return abs(exponent) > MAX_EXPONENT


def characters(value: object) -> object:
    """The characters of a number or boolean, which stand for it where free text is wanted; else the value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | Number) else value


class JsonError(EncodingError, ValueError):
    """The text is not JSON as it is read here; the message says why without repeating a value."""


def read_json(source: bytes | str, *, first: bool = False) -> Any:
    """The value of a JSON text.

    :param source: UTF-8, also after a byte order mark, or text
    :param first: take the first value of the text, whatever follows it
    :raises JsonError: not JSON, NaN or infinity, a lone surrogate, a repeated member, a number of more than
        `MAX_NUMBER_LENGTH` characters, or endless nesting
    """
    try:
        encoded = source if isinstance(source, bytes) else source.encode()
        text = encoded.removeprefix(codecs.BOM_UTF8).decode()
        value = _first(text) if first else _DECODER.decode(text)
        if "\\u" in text and _SURROGATE.search(text):
            # A pair is a character; only one that stands alone cannot be encoded.
            _ENCODER.encode(value).encode()
    except _LongNumber:
        raise _with_member(text.lstrip(_BLANKS)) from None
    except JsonError:
        raise
    except (ValueError, RecursionError):
        raise JsonError(_NOT_JSON) from None
    return value


def read_json_object(source: bytes | str) -> dict[str, Any]:
    """The same for a text that must be an object.

    :raises JsonError: also for any other value
    """
    value = read_json(source)
    if not isinstance(value, dict):
        raise JsonError("not a JSON object")
    return value


def read_first_json(source: bytes | str) -> Any:
    """The same for the first value of a text; whatever follows it is not looked at."""
    return read_json(source, first=True)


def write_json(value: Any) -> bytes:
    """Compact JSON in UTF-8; every `Number` keeps its characters.

    :raises EncodingError: something in the value cannot be written
    """
    try:
        return unmarked(_ENCODER.encode(value).encode())
    except (ValueError, TypeError, RecursionError):
        raise EncodingError("not writable as JSON") from None


def marked(value: object) -> str:
    """What a JSON writer that does not know `Number` is given in its place; see `unmarked`.

    A finite ``Decimal`` is written as a number too.

    :raises TypeError: no number of either kind
    """
    if isinstance(value, Number) or (isinstance(value, Decimal) and value.is_finite()):
        return f"{_MARK}{value}"
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def unmarked(written: bytes) -> bytes:
    """Finished JSON in UTF-8 with the marked texts turned into the numbers that they stand for."""
    return _MARKED.sub(rb"\1", written) if _WRITTEN_MARK in written else written


# Nobody outside this process can write such a text.
_MARK = f"\x00{secrets.token_hex(8)}:"
_WRITTEN_MARK = b'"' + json.dumps(_MARK)[1:-1].encode()
_MARKED = re.compile(re.escape(_WRITTEN_MARK) + rb'([-+.0-9eE]+)"')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _first(text: str) -> Any:
    return _DECODER.raw_decode(text.lstrip(_BLANKS))[0]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise JsonError(f"member {_shown(twice)} stands twice")
    return members


def _shown(name: str) -> str:
    return json.dumps(name[:64])


def _whole(text: str) -> int | Number:
    _check_length(text)
    return Number(text) if text == "-0" else int(text)


def _other(text: str) -> Number:
    _check_length(text)
    return Number(text)


def _check_length(text: str) -> None:
    if len(text) > MAX_NUMBER_LENGTH:
        raise _LongNumber(_LONG_NUMBER)


class _LongNumber(JsonError):
    """Raised where the member that holds the number is not known yet."""


_LONG_NUMBER = f"a number has more than {MAX_NUMBER_LENGTH} characters"


def _with_member(text: str) -> JsonError:
    """The same refusal with the name of the member; for a text that was refused, so it is read once more."""
    too_long = object()

    def measured(number: str) -> object:
        return too_long if len(number) > MAX_NUMBER_LENGTH else None

    def named(pairs: list[tuple[str, Any]]) -> None:
        for name, value in pairs:
            if value is too_long or (isinstance(value, list) and too_long in value):
                raise JsonError(f"member {_shown(name)}: {_LONG_NUMBER}")

    try:
        json.JSONDecoder(object_pairs_hook=named, parse_int=measured, parse_float=measured).raw_decode(text)
    except JsonError as error:
        return error
    except (ValueError, RecursionError):
        pass  # what follows the number is no JSON either
    return JsonError(_LONG_NUMBER)


def _no_constant(name: str) -> None:
    raise JsonError(f"{name} is no number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_whole, parse_float=_other, parse_constant=_no_constant
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=marked)
