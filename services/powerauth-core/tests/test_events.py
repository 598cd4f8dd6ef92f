"""Events of the core (D20)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from core_test_changes import MOMENT, activation_change, operation_change
from sqlalchemy import text

from powerauth_contracts.enums import ActivationStatus, OperationStatus
from powerauth_core import events
from powerauth_core.container import Core
from powerauth_core.kernel.changes import OperationStep

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

MILLIS = 1735689600000


Write = Callable[..., Awaitable[tuple[str, str, str, dict[str, Any]]]]


@pytest.fixture
def written(core: Core) -> Write:
    """Write an event; the row of the outbox as type, source, subject and data."""

    async def write(make: Any, *arguments: Any, **options: Any) -> tuple[str, str, str, dict[str, Any]]:
        async with core.database.transaction() as session:
            await make(session, *arguments, **options)
            rows = await session.execute(text("SELECT type, source, subject, data FROM outbox_event"))
            [(kind, source, subject, data)] = rows.all()
        return kind, source, subject, json.loads(data)

    return write


async def test_activation_status_changed(core: Core, written: Write) -> None:
    row = await written(
        core.listeners.activation_changed, activation_change(previous_status=ActivationStatus.PENDING_COMMIT)
    )
    assert row == (
        "activation.status_changed",
        "/powerauth-core",
        "a-1",
        {
            "activationId": "a-1",
            "applicationId": "test-application",
            "userId": "user",
            "protocol": "powerauth",
            "activationStatus": "ACTIVE",
            "previousStatus": "PENDING_COMMIT",
            "timestampChange": MILLIS,
        },
    )


async def test_a_blocked_activation_tells_why_and_a_new_one_has_no_previous_status(
    core: Core, written: Write
) -> None:
    blocked = activation_change(status=ActivationStatus.BLOCKED, blocked_reason="LOST")
    *_, data = await written(core.listeners.activation_changed, blocked)
    assert (data["blockedReason"], data["previousStatus"]) == ("LOST", None)


async def test_activation_flags_changed(written: Write) -> None:
    kind, _source, subject, data = await written(events.activation_flags_changed, "a-1", "bank", "u-1", ["F"])
    assert (kind, subject) == ("activation.flags_changed", "a-1")
    assert data == {"activationId": "a-1", "applicationId": "bank", "userId": "u-1", "flags": ["F"]}


async def test_operation_created_names_all_applications(core: Core, written: Write) -> None:
    kind, _source, subject, data = await written(
        core.listeners.operation_changed,
        operation_change(applications=("a", "b"), user_id="u-1", activation_flag="F"),
    )
    assert (kind, subject) == ("operation.created", "o-1")
    assert data == {
        "operationId": "o-1",
        "operationType": "login",
        "templateName": "t",
        "applications": ["a", "b"],
        "status": "PENDING",
        "userId": "u-1",
        "activationFlag": "F",
    }


async def test_operation_status_changed_tells_reason_failures_and_end(core: Core, written: Write) -> None:
    ended = operation_change(
        step=OperationStep.CANCELED,
        status=OperationStatus.CANCELED,
        status_reason="R",
        finalized=MOMENT,
        activation_id="a-1",
    )
    kind, _source, _subject, data = await written(core.listeners.operation_changed, ended)
    assert kind == "operation.status_changed"
    assert data == {
        "operationId": "o-1",
        "operationType": "login",
        "templateName": "t",
        "applications": ["a"],
        "status": "CANCELED",
        "activationId": "a-1",
        "failureCount": 2,
        "statusReason": "R",
        "timestampFinalized": MILLIS,
    }


async def test_cache_events(written: Write) -> None:
    row = await written(events.application_changed, "bank", "roles")
    assert row[0] == "application.changed"
    assert row[2:] == ("bank", {"applicationId": "bank", "part": "roles"})


async def test_operation_template_changed(written: Write) -> None:
    row = await written(events.operation_template_changed, "login", "en")
    assert row[0] == "operation_template.changed"
    assert row[3] == {"placeholder": "login", "language": "en"}
