"""Members that requests of several domains share (spec/core-api.md §31.1)."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from powerauth_contracts.enums import AttributeType
from powerauth_contracts.wire import INT64_MAX

RequiredText = Annotated[str, Field(pattern=r"\S")]
"""A text with something else than white space in it."""

ExactRequiredText = Annotated[RequiredText, Field(strict=True)]
"""The same that no number stands for: keys, codes and ids at the public doors (D26)."""

Name = Annotated[RequiredText, Field(max_length=255)]
"""A required text of a column's usual length."""

FreeText = Annotated[str, Field(max_length=255)]
"""A text of that length that may be empty."""

HeaderValue = Annotated[str, Field(max_length=1024)]
"""What came as a field of a PowerAuth header, which has at most 2 KiB as a whole (D28)."""

MAX_ATTEMPTS = 2**31 - 1
"""What the columns of attempt counters hold."""

MaxFailureCount = Annotated[int, Field(gt=0, le=MAX_ATTEMPTS)]
"""Failures after which an activation is blocked or removed."""

PositiveLong = Annotated[int, Field(gt=0, le=INT64_MAX)]
"""A number of things or seconds."""

PageNumber = Annotated[int, Field(ge=0, le=2**31 - 1)]
PageSize = Annotated[int, Field(ge=1, le=2**31 - 1)]


def _false_if_null(value: Any) -> Any:
    return False if value is None else value


Switch = Annotated[bool, BeforeValidator(_false_if_null)]
"""A boolean of the original's primitive kind: absent and null mean false."""

MANY = 10_000
"""Most subjects that one call names: they become parameters of one statement."""


MAX_NESTING = 32
"""Levels of objects and arrays that an operation's additional data may have: its readers must be able to."""


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


NEEDED_SLOTS: dict[AttributeType, tuple[str, ...]] = {
    AttributeType.AMOUNT: ("amount", "currency"),
    AttributeType.AMOUNT_CONVERSION: ("sourceAmount", "sourceCurrency", "targetAmount", "targetCurrency"),
    AttributeType.KEY_VALUE: ("value",),
    AttributeType.NOTE: ("note",),
    AttributeType.IMAGE: ("thumbnailUrl",),
}
"""Slots without which the app never shows an attribute of the type (spec/enrollment-api.md §11.4)."""


def check_slots(kind: AttributeType, params: Mapping[str, str | None]) -> None:
    """See that an attribute of an operation's text can be shown.

    :param params: the operation's parameter for each slot
    :raises PydanticCustomError: a slot that the type needs has none
    """
    missing = [slot for slot in NEEDED_SLOTS.get(kind, ()) if not params.get(slot)]
    if missing:
        raise PydanticCustomError(
            "missing_slots",
            "must name parameters for {slots} in params",
            {"slots": ", ".join(missing)},
        )
