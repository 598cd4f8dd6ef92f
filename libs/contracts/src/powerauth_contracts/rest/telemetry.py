"""Wire models of ``telemetry/report`` (spec/core-api.md §17)."""

from typing import Any

from powerauth_contracts.calls import Call
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import RequestModel, WireModel


class TelemetryRequest(RequestModel):
    """Name of a report, in any case, and its parameters."""

    name: RequiredText
    parameters: dict[str, Any] | None = None


class TelemetryReport(WireModel):
    """A report under its canonical name."""

    name: str
    report_data: dict[str, Any]


REPORT = Call("/rest/v3/telemetry/report", TelemetryRequest, TelemetryReport, "Make a report by its name.")
