"""Use case of telemetry (spec/cloud-api.md §11.8)."""

from __future__ import annotations

from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import InvalidRequest, Violation
from powerauth_contracts.cloud.telemetry import TelemetryReport, TelemetryRequest
from powerauth_contracts.rest import telemetry as contract

WITH_DAYS = "USERS_IN_PAST_DAYS"


@in_area(Area.ADMIN)
async def report(core: CoreClient, request: TelemetryRequest) -> TelemetryReport:
    """A report of the core."""
    if request.name == WITH_DAYS and request.parameters.days is None:
        raise InvalidRequest(Violation("parameters.days", "must not be null"))
    parameters = request.parameters.model_dump(exclude_none=True)
    made = await core.ask(contract.REPORT, name=request.name, parameters=parameters)
    return TelemetryReport(name=made.name, report_data=made.report_data)
