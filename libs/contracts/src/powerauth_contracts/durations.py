"""Durations on the wire and in the database: ISO-8601 text in the original's form (spec/core-api.md §1)."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from powerauth_protocol.common.json_text import Number

MAX_DURATION = timedelta(days=36_500)

_ISO = re.compile(
    r"(?P<sign>[+-])?P(?:(?P<days>[+-]?\d{1,9})D)?"
    r"(?:T(?:(?P<hours>[+-]?\d{1,9})H)?(?:(?P<minutes>[+-]?\d{1,9})M)?"
    r"(?:(?P<seconds>[+-]?\d{1,12}(?:[.,]\d{1,9})?)S)?)?",
    re.IGNORECASE | re.ASCII,
)
# The format "duration" of JSON schemas knows no hours with seconds but without minutes, like PT844H45S.
_DOCUMENTED = r"^P([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]{1,6})?S)?)?$"
_UNITS = ("days", "hours", "minutes", "seconds")


def parse_duration(text: str) -> timedelta:
    """Read an ISO-8601 duration of days and smaller units, e.g. ``PT2.5S`` or ``P30D``.

    :raises ValueError: malformed
    """
    match = _ISO.fullmatch(text)
    parts = {} if match is None else {unit: match[unit] for unit in _UNITS if match[unit] is not None}
    if match is None or not parts or text[-1] in "Tt":
        raise ValueError("not an ISO-8601 duration")
    duration = timedelta(**{unit: float(value.replace(",", ".")) for unit, value in parts.items()})
    return -duration if match["sign"] == "-" else duration


def format_duration(duration: timedelta) -> str:
    """The text form of the original: hours are the largest unit, ``P30D`` is ``PT720H``, zero is ``PT0S``."""
    microseconds = duration // timedelta(microseconds=1)
    sign = "-" if microseconds < 0 else ""
    minutes_total, rest = divmod(abs(microseconds), 60_000_000)
    hours, minutes = divmod(minutes_total, 60)
    seconds = f"{rest // 1_000_000}.{rest % 1_000_000:06d}".rstrip("0").rstrip(".")
    text = "".join(
        f"{sign}{value}{unit}"
        for value, unit in ((str(hours), "H"), (str(minutes), "M"), (seconds, "S"))
        if value != "0"
    )
    return f"PT{text or '0S'}"


def _from_wire(value: object) -> timedelta:
    try:
        duration = _duration(value)
    except (ValueError, OverflowError):
        duration = None
    if duration is None:
        raise PydanticCustomError("duration_type", "must be an ISO-8601 duration or a number of seconds")
    if duration < timedelta(0):
        raise PydanticCustomError("duration_negative", "must not be negative")
    if duration > MAX_DURATION:
        raise PydanticCustomError("duration_too_long", "must not exceed 36500 days")
    return duration


def _duration(value: object) -> timedelta | None:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | Number) and not isinstance(value, bool):
        return timedelta(seconds=float(value.decimal() if isinstance(value, Number) else value))
    return None


IsoDuration = Annotated[
    timedelta,
    BeforeValidator(_from_wire, json_schema_input_type=str | float),
    PlainSerializer(format_duration, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "pattern": _DOCUMENTED}),
]
"""A duration that is not negative. In: ISO-8601 text or a number of seconds. Out: ``PT720H``, ``PT2S``."""
