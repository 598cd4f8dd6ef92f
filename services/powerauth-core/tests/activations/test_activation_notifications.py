"""Who hears of a change: history, audit, events and callbacks (spec/core-api.md §18.2, §22.5, D20)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_phones import Activate, MakeDevice
from sqlalchemy import select

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.audit.models import AuditLog
from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.container import Core
from servicekit.additions import Additions
from servicekit.bus import Event

CREATED, PENDING_COMMIT, ACTIVE = (
    ActivationStatus.CREATED,
    ActivationStatus.PENDING_COMMIT,
    ActivationStatus.ACTIVE,
)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Events written to the outbox while the test runs."""
    written: list[Event] = []

    def remember(_additions: Additions, event: Event) -> None:
        written.append(event)

    monkeypatch.setattr("servicekit.outbox.put_event", remember)
    return written


@pytest.fixture
async def callback(api: Api, application: TestApplication) -> None:
    """A callback for all attributes; nobody listens."""
    await api.ok(
        "application/callback/create",
        applicationId=application.application_id,
        name="c",
        type="ACTIVATION_STATUS_CHANGE",
        callbackUrl="http://127.0.0.1:1/callback",
        attributes=["activationStatus", "blockedReason", "platform", "activationFlags"],
    )


async def _callback_states(core: Core) -> list[str]:
    async with core.database.read() as session:
        rows = await session.execute(
            select(CallbackUrlEvent.callback_data).order_by(CallbackUrlEvent.timestamp_created)
        )
    return [json.loads(row)["activationStatus"] for row in rows.scalars()]


async def test_every_step_of_a_life_is_called_back_and_announced(
    api: Api, core: Core, callback: None, announced: list[Event], activate: Activate
) -> None:
    device = await activate()
    request = {"activationId": device.activation_id}
    await api.ok("activation/block", **request, reason="LOST")
    await api.ok("activation/block", **request)
    await api.ok("activation/unblock", **request)
    await api.ok("activation/unblock", **request)
    await api.ok("activation/name/update", **request, activationName="N")
    await api.ok("activation/flags/create", **request, activationFlags=["A"])
    await api.ok("activation/remove", **request)
    await api.ok("activation/remove", **request)
    assert await _callback_states(core) == [
        "CREATED",
        "PENDING_COMMIT",
        "ACTIVE",
        "BLOCKED",
        "ACTIVE",
        "REMOVED",
    ]
    changes = [event for event in announced if event.type == "activation.status_changed"]
    assert [(event.data["previousStatus"], event.data["activationStatus"]) for event in changes] == [
        (None, "CREATED"),
        ("CREATED", "PENDING_COMMIT"),
        ("PENDING_COMMIT", "ACTIVE"),
        ("ACTIVE", "BLOCKED"),
        ("BLOCKED", "ACTIVE"),
        ("ACTIVE", "REMOVED"),
    ]
    blocked = changes[3]
    assert (blocked.source, blocked.subject) == ("/powerauth-core", device.activation_id)
    assert blocked.data["blockedReason"] == "LOST"
    assert (blocked.data["userId"], blocked.data["applicationId"]) == ("user-1", "test-application")
    flags = [event.data["flags"] for event in announced if event.type == "activation.flags_changed"]
    assert flags == [["A"]]


async def test_a_failed_otp_is_recorded_but_called_back_only_at_the_end(
    api: Api, core: Core, callback: None, announced: list[Event], activate: Activate
) -> None:
    device = await activate(PENDING_COMMIT, activationOtp="1234", maxFailureCount=2)
    request = {"activationId": device.activation_id, "activationOtp": "0"}
    for _ in range(2):
        assert await api.error("activation/commit", **request) == "ERR0031"
    assert await _callback_states(core) == ["CREATED", "PENDING_COMMIT", "REMOVED"]
    assert [event.data["activationStatus"] for event in announced] == ["CREATED", "PENDING_COMMIT", "REMOVED"]


async def test_an_otp_update_is_called_back_without_a_change_of_state(
    api: Api, core: Core, callback: None, announced: list[Event], activate: Activate
) -> None:
    device = await activate(PENDING_COMMIT)
    await api.ok("activation/otp/update", activationId=device.activation_id, activationOtp="1")
    assert await _callback_states(core) == ["CREATED", "PENDING_COMMIT", "PENDING_COMMIT"]
    assert len(announced) == 2


async def test_direct_activation_reports_both_states_and_a_failure_none(
    api: Api, core: Core, callback: None, make_device: MakeDevice
) -> None:
    device = make_device()
    sealed = await device.layer2(api.call)
    broken = device.env(sealed) | {"mac": "A" * 43 + "="}
    await api.error("activation/create", userId="user-1", applicationKey=device.app.key, **broken)
    assert await _callback_states(core) == []
    await device.create(api.call, "user-1")
    assert await _callback_states(core) == ["CREATED", "PENDING_COMMIT"]


async def test_the_audit_tells_what_happened_without_secrets(
    api: Api, core: Core, activate: Activate
) -> None:
    device = await activate(activationOtp=None)
    await api.ok("activation/block", activationId=device.activation_id, reason="LOST", externalUserId="op")
    async with core.database.read() as session:
        rows = (
            await session.execute(
                select(AuditLog)
                .where(AuditLog.audit_type == "activation")
                .order_by(AuditLog.timestamp_created)
            )
        ).scalars()
    records = [(row.subject_id, json.loads(row.param or "{}")) for row in rows]
    assert [params["status"] for _, params in records] == ["CREATED", "PENDING_COMMIT", "ACTIVE", "BLOCKED"]
    assert {subject for subject, _ in records} == {"user-1"}
    assert records[0][1].keys() == {"activationId", "userId", "applicationId", "status", "maxFailedAttempts"}
    assert records[3][1] | {"activationId": ""} == {
        "activationId": "",
        "userId": "user-1",
        "applicationId": "test-application",
        "status": "BLOCKED",
        "maxFailedAttempts": 5,
        "activationName": "Phone",
        "platform": "ios",
        "failedAttempts": 0,
        "deviceInfo": "iPhone13,2",
        "reason": "LOST",
        "activationVersion": 3,
        "externalUserId": "op",
    }


async def test_a_change_and_its_records_share_one_moment(api: Api, activate: Activate) -> None:
    device = await activate()
    found = await api.ok("activation/status", activationId=device.activation_id)
    newest = (await api.ok("activation/history", activationId=device.activation_id))["items"][0]
    assert newest["timestampCreated"] == found["timestampLastChange"]


async def test_a_change_that_a_listener_cannot_take_does_not_happen(
    api: Api, activate: Activate, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await activate()

    async def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("the last listener is broken")

    listeners = replace(core.listeners, activations=(*core.listeners.activations, fail))
    monkeypatch.setattr(core, "changes", replace(core.changes, listeners=listeners))
    status, body = await api.post("activation/block", activationId=device.activation_id)
    assert (status, body["responseObject"]["code"]) == (500, "ERR0000")
    monkeypatch.undo()
    found = await api.ok("activation/status", activationId=device.activation_id)
    assert found["activationStatus"] == "ACTIVE"


NOTHING_NEW: list[tuple[str, ActivationStatus, dict[str, Any]]] = [
    ("activation/remove", ActivationStatus.REMOVED, {}),
    ("activation/block", ActivationStatus.BLOCKED, {"reason": "AGAIN"}),
    ("activation/unblock", ActivationStatus.ACTIVE, {}),
    ("activation/commit", ActivationStatus.ACTIVE, {}),
    ("activation/flags/update", ActivationStatus.ACTIVE, {"activationFlags": ["A"]}),
    ("activation/flags/create", ActivationStatus.ACTIVE, {"activationFlags": ["A"]}),
    ("activation/flags/remove", ActivationStatus.ACTIVE, {"activationFlags": ["B"]}),
]


@pytest.mark.parametrize(("path", "status", "request_object"), NOTHING_NEW, ids=str)
async def test_what_changes_nothing_tells_nobody(
    api: Api,
    core: Core,
    activate: Activate,
    callback: None,
    announced: list[Event],
    path: str,
    status: ActivationStatus,
    request_object: dict[str, Any],
) -> None:
    device = await activate(status)
    await api.ok("activation/flags/update", activationId=device.activation_id, activationFlags=["A"])
    told = await _callback_states(core)
    announced.clear()
    for _ in range(2):
        await api.post(path, activationId=device.activation_id, **request_object)
    assert (await _callback_states(core), announced) == (told, [])
