"""Telemetry reports (spec/core-api.md §17)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from powerauth_contracts.rest.telemetry import TelemetryReport, TelemetryRequest
from powerauth_core.kernel.errors import TelemetryError
from powerauth_core.telemetry import repository
from servicekit import clock
from servicekit.database import Database

CURRENT_MAU = "CURRENT_MAU"
USERS_IN_PAST_DAYS = "USERS_IN_PAST_DAYS"
MONTH_DAYS = 30
MAX_DAYS = 365


async def report(database: Database, request: TelemetryRequest) -> TelemetryReport:
    """Make a report by its name, in any case.

    :raises TelemetryError: unknown report, or missing or unusable parameters
    """
    name = request.name.upper()
    parameters = request.parameters or {}
    if name == CURRENT_MAU:
        days = MONTH_DAYS
    elif name == USERS_IN_PAST_DAYS:
        days = _days(parameters)
    else:
        raise TelemetryError(f"Unknown report name: {request.name}")
    application = _application(parameters)
    users = await _users(database, application, days)
    return TelemetryReport(name=name, report_data={"application": application, "users": users, "days": days})


async def _users(database: Database, application: str, days: int) -> int:
    now = clock.now()
    # A negative number is taken, as in the original, and counts nobody.
    days = max(days, -MAX_DAYS)
    async with database.read() as session:
        return await repository.count_users(session, application, now - timedelta(days=days), now)


def _days(parameters: dict[str, Any]) -> int:
    days = parameters.get("days")
    if days is None:
        raise TelemetryError("Missing parameter 'days'.")
    if not isinstance(days, int) or isinstance(days, bool):
        raise TelemetryError("The parameter 'days' must be an integer.")
    if days > MAX_DAYS:
        raise TelemetryError(f"The parameter 'days' must be smaller than {MAX_DAYS}. Provided: {days}")
    return days


def _application(parameters: dict[str, Any]) -> str:
    application = parameters.get("application")
    if application is None:
        raise TelemetryError("Missing parameter 'application'.")
    if not isinstance(application, str):
        raise TelemetryError("The parameter 'application' must be a string.")
    return application
