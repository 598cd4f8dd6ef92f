"""Telemetry reports (spec/core-api.md §17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from powerauth_core.kernel.errors import TelemetryError
from powerauth_core.telemetry import repository
from servicekit import clock
from servicekit.database import Database

CURRENT_MAU = "CURRENT_MAU"
USERS_IN_PAST_DAYS = "USERS_IN_PAST_DAYS"
MONTH_DAYS = 30
MAX_DAYS = 365


@dataclass(frozen=True, slots=True)
class Report:
    """How many users an application had in the past days; ``name`` is the canonical one."""

    name: str
    application: str
    users: int
    days: int


async def report(database: Database, asked_name: str, parameters: Mapping[str, Any]) -> Report:
    """Make a report by its name, in any case.

    :raises TelemetryError: unknown report, or missing or unusable parameters
    """
    name = asked_name.upper()
    if name == CURRENT_MAU:
        days = MONTH_DAYS
    elif name == USERS_IN_PAST_DAYS:
        days = _days(parameters)
    else:
        raise TelemetryError(f"Unknown report name: {asked_name}")
    application = _application(parameters)
    return Report(name, application, await _users(database, application, days), days)


async def _users(database: Database, application: str, days: int) -> int:
    now = clock.now()
    # A negative number is taken, as in the original, and counts nobody.
    days = max(days, -MAX_DAYS)
    async with database.read() as session:
        return await repository.count_users(session, application, now - timedelta(days=days), now)


def _days(parameters: Mapping[str, Any]) -> int:
    days = parameters.get("days")
    if days is None:
        raise TelemetryError("Missing parameter 'days'.")
    if not isinstance(days, int) or isinstance(days, bool):
        raise TelemetryError("The parameter 'days' must be an integer.")
    if days > MAX_DAYS:
        raise TelemetryError(f"The parameter 'days' must be smaller than {MAX_DAYS}. Provided: {days}")
    return days


def _application(parameters: Mapping[str, Any]) -> str:
    application = parameters.get("application")
    if application is None:
        raise TelemetryError("Missing parameter 'application'.")
    if not isinstance(application, str):
        raise TelemetryError("The parameter 'application' must be a string.")
    return application
