"""Where a device may take its user: the values of the configuration key `activation_transfer`
(spec/device-trust.md §5.2).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from powerauth_contracts.enums import TransferType
from powerauth_contracts.wire import WireModel
from powerauth_core.kernel.base import json_text

Name = Annotated[str, Field(min_length=1, max_length=255)]
_FLAGS_LENGTH = 255


class Destination(WireModel):
    """One item of the configuration.

    :ivar allowed_target_application_ids: destinations, exact and case-sensitive
    :ivar initial_flags: of the new activation
    :ivar require_flags: all of which the source activation must have
    :ivar forbid_flags: none of which the source activation may have
    :ivar max_per_day: codes per source activation and 24 hours
    :ivar remove_parent_on: when a MOVE removes the source activation
    """

    allowed_target_application_ids: list[Name] = Field(min_length=1)
    type: TransferType
    initial_flags: list[Name] = Field(default_factory=list)
    require_flags: list[Name] = Field(default_factory=list)
    forbid_flags: list[Name] = Field(default_factory=list)
    max_per_day: int = Field(default=5, ge=1, le=1000)
    remove_parent_on: Literal["ACTIVE"] = "ACTIVE"

    def admits(self, flags: Collection[str]) -> bool:
        """Whether a source activation with these flags may use the item."""
        return set(self.require_flags) <= set(flags) and not set(self.forbid_flags) & set(flags)


def is_usable(values: Sequence[Any]) -> bool:
    """Whether the values may be written: every item parses, and a destination stands in one item only."""
    items = [read_item(value) for value in values]
    targets: list[str] = []
    for item in items:
        if item is None or len(json_text(item.initial_flags)) > _FLAGS_LENGTH:
            return False
        targets += item.allowed_target_application_ids
    return len(targets) == len(set(targets))


def choose(values: Sequence[Any], target: str) -> Destination | None:
    """The first item that names the destination; items of an adopted database that do not parse are passed
    over.
    """
    for item in map(read_item, values):
        if item is not None and target in item.allowed_target_application_ids:
            return item
    return None


def read_item(value: Any) -> Destination | None:
    """An item as configured; None if it does not parse."""
    try:
        return Destination.model_validate(value)
    except ValidationError:
        return None
