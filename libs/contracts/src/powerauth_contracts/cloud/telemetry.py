"""Wire models of telemetry (spec/cloud-api.md §11.8)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import RequestModel, WireModel


class ReportParameters(RequestModel):
    """What a report is about; ``days`` only where the report has a choice."""

    application: str = Field(min_length=1, max_length=255)
    days: int | None = Field(default=None, ge=1, le=365)


class TelemetryRequest(RequestModel):
    """``POST /admin/telemetry/report``."""

    name: Literal["CURRENT_MAU", "USERS_IN_PAST_DAYS"]
    parameters: ReportParameters


class TelemetryReport(WireModel):
    name: str
    report_data: dict[str, Any]


TELEMETRY_REPORT = Endpoint(
    "telemetryReport", "POST", "/admin/telemetry/report", TelemetryRequest, TelemetryReport
)
