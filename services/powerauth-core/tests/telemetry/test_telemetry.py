"""Telemetry reports (spec/core-api.md §17)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from core_test_api import Api, TestApplication

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.applications.repository import rids_of
from powerauth_core.container import Core
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


async def add_activation(core: Core, application_id: str, user_id: str, days_ago: float) -> None:
    used = clock.now() - timedelta(days=days_ago)
    async with core.database.transaction() as session:
        rid = (await rids_of(session, [application_id]))[application_id]
        session.add(
            Activation(
                activation_id=f"{user_id}-{days_ago}"[:37],
                application_id=rid,
                user_id=user_id,
                activation_status=ActivationStatus.ACTIVE,
                server_private_key_base64="",
                server_public_key_base64="",
                timestamp_activation_expire=used,
                timestamp_created=used,
                timestamp_last_used=used,
            )
        )


async def test_users_are_counted_once_and_by_last_use(
    api: Api, core: Core, application: TestApplication
) -> None:
    for user, days in (("a", 1), ("a", 2), ("b", 29), ("c", 31), ("d", 366)):
        await add_activation(core, application.application_id, user, days)
    parameters = {"application": application.application_id}
    month = await api.ok("telemetry/report", name="current_mau", parameters=parameters)
    assert month == {
        "name": "CURRENT_MAU",
        "reportData": {"application": application.application_id, "users": 2, "days": 30},
    }
    for days, users in ((1, 0), (5, 1), (40, 3), (365, 3), (0, 0), (-5, 0)):
        report = await api.ok(
            "telemetry/report", name="USERS_IN_PAST_DAYS", parameters=parameters | {"days": days}
        )
        assert report["reportData"] == parameters | {"users": users, "days": days}


async def test_an_unknown_application_has_no_users(api: Api) -> None:
    report = await api.ok("telemetry/report", name="CURRENT_MAU", parameters={"application": "unknown"})
    assert report["reportData"]["users"] == 0


@pytest.mark.parametrize(
    ("request_object", "message"),
    [
        ({"name": "OTHER"}, "Unknown report name: OTHER"),
        ({"name": "USERS_IN_PAST_DAYS", "parameters": {"application": "a"}}, "Missing parameter 'days'."),
        (
            {"name": "USERS_IN_PAST_DAYS", "parameters": {"application": "a", "days": 366}},
            "The parameter 'days' must be smaller than 365. Provided: 366",
        ),
        (
            {"name": "USERS_IN_PAST_DAYS", "parameters": {"application": "a", "days": "7"}},
            "The parameter 'days' must be an integer.",
        ),
        (
            {"name": "USERS_IN_PAST_DAYS", "parameters": {"application": "a", "days": True}},
            "The parameter 'days' must be an integer.",
        ),
        ({"name": "CURRENT_MAU"}, "Missing parameter 'application'."),
        (
            {"name": "CURRENT_MAU", "parameters": {"application": 1}},
            "The parameter 'application' must be a string.",
        ),
    ],
)
async def test_unusable_reports_say_why(api: Api, request_object: dict[str, Any], message: str) -> None:
    status, body = await api.post("telemetry/report", **request_object)
    assert status == 400
    assert body["responseObject"]["code"] == "ERROR_TELEMETRY"
    assert body["responseObject"]["message"] == message


async def test_a_blank_name_is_an_invalid_request(api: Api) -> None:
    _status, body = await api.post("telemetry/report", name="  ")
    assert body["responseObject"]["code"] == "ERR0024"
    assert body["responseObject"]["message"] == "requestObject.name - must not be blank"
