"""Wire models of ``telemetry/report`` (spec/core-api.md §17)."""

from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from servicekit.wire import WireModel


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return value


class TelemetryRequest(WireModel):
    """Name of a report, in any case, and its parameters."""

    name: Annotated[str, AfterValidator(_not_blank)]
    parameters: dict[str, Any] | None = None


class TelemetryReport(WireModel):
    """A report under its canonical name."""

    name: str
    report_data: dict[str, Any]
