"""Use case of telemetry (spec/cloud-api.md §11.8)."""

from __future__ import annotations

from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import InvalidRequest, Violation
from powerauth_contracts.cloud.telemetry import TelemetryReport
from powerauth_contracts.rest import telemetry as contract

WITH_DAYS = "USERS_IN_PAST_DAYS"


@in_area(Area.ADMIN)
async def report(core: CoreClient, name: str, *, application: str, days: int | None) -> TelemetryReport:
    """A report of the core about an application.

    :param days: only where the report has a choice
    """
    if name == WITH_DAYS and days is None:
        raise InvalidRequest(Violation("parameters.days", "must not be null"))
    parameters = {"application": application} | ({} if days is None else {"days": days})
    made = await core.ask(contract.REPORT, name=name, parameters=parameters)
    return TelemetryReport(name=made.name, report_data=made.report_data)
