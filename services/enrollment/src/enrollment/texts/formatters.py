"""The plug-in point of operators who word operations in a way that templates cannot.

A formatter is a callable that an installed package announces under the entry point group
`powerauth.operation_text_formatters`. It is called for every operation that a device sees, with the finished
form data, and returns the form data to show; operations of other types it returns unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from servicekit.logs import get_logger

_log = get_logger(__name__)

ENTRY_POINT_GROUP = "powerauth.operation_text_formatters"

FormData = dict[str, object]


@dataclass(frozen=True, slots=True)
class FormattedOperation:
    """What a formatter may look at."""

    operation_id: str
    operation_type: str
    data: str
    parameters: Mapping[str, object]
    language: str


class OperationTextFormatter(Protocol):
    """Words the form data of an operation; must not block and must not change its arguments."""

    def __call__(self, operation: FormattedOperation, form_data: FormData, /) -> FormData: ...


def installed_formatters() -> tuple[OperationTextFormatter, ...]:
    """Return the announced formatters in the order of their names; a broken one stops the start."""
    announced = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
    return tuple(entry.load() for entry in announced)


def apply_formatters(
    formatters: Sequence[OperationTextFormatter], operation: FormattedOperation, form_data: FormData
) -> FormData:
    """Run the formatters one after the other; the work of one that fails is left out and logged."""
    for formatter in formatters:
        try:
            form_data = formatter(operation, dict(form_data))
        except Exception as error:  # a plug-in's fault must not hide the operation from the user
            _log.error(
                "operation text formatter failed",
                operation_type=operation.operation_type,
                reason=type(error).__name__,
            )
    return form_data
