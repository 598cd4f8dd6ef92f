"""Unfinished activations end when their time is up (spec/core-api.md §22.4, §30)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from core_test_api import Api
from core_test_phones import Activate, InitActivation, MakeDevice, RunOutOfTime
from core_test_rows import execute
from sqlalchemy import event, update

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations import expiry
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

CREATED, PENDING_COMMIT, ACTIVE = (
    ActivationStatus.CREATED,
    ActivationStatus.PENDING_COMMIT,
    ActivationStatus.ACTIVE,
)


async def _stored_status(core: Core, activation_id: str) -> ActivationStatus:
    """The state as stored: reading it through the API would expire it."""
    async with core.database.read() as session:
        row = await session.get(Activation, activation_id)
    assert row is not None
    return row.activation_status


@pytest.mark.parametrize("status", [CREATED, PENDING_COMMIT])
async def test_reading_the_status_removes_what_is_late(
    api: Api, activate: Activate, run_out_of_time: RunOutOfTime, status: ActivationStatus
) -> None:
    device = await activate(status)
    await run_out_of_time(device.activation_id)
    found = await api.ok("activation/status", activationId=device.activation_id)
    assert found["activationStatus"] == "REMOVED"
    items = (await api.ok("activation/history", activationId=device.activation_id))["items"]
    assert (items[0]["activationStatus"], items[0]["eventReason"]) == ("REMOVED", None)


@pytest.mark.parametrize(
    ("path", "request_object", "code"),
    [("activation/commit", {}, "ERR0007"), ("activation/otp/update", {"activationOtp": "1"}, "ERR0008")],
)
async def test_a_late_call_removes_the_activation_and_keeps_that(
    api: Api,
    core: Core,
    activate: Activate,
    run_out_of_time: RunOutOfTime,
    path: str,
    request_object: dict[str, Any],
    code: str,
) -> None:
    device = await activate(PENDING_COMMIT)
    await run_out_of_time(device.activation_id)
    assert await api.error(path, activationId=device.activation_id, **request_object) == code
    assert await _stored_status(core, device.activation_id) is ActivationStatus.REMOVED


async def test_a_late_key_exchange_finds_nothing(
    api: Api, init: InitActivation, make_device: MakeDevice, run_out_of_time: RunOutOfTime
) -> None:
    started, device = await init(), make_device()
    await run_out_of_time(started["activationId"])
    sealed = await device.layer2(api.call)
    request = {"activationCode": started["activationCode"], "applicationKey": device.app.key}
    assert await api.error("activation/prepare", **request, **device.env(sealed)) == "ERR0009"


async def test_other_calls_leave_late_activations_alone(
    api: Api, core: Core, activate: Activate, run_out_of_time: RunOutOfTime
) -> None:
    device = await activate(PENDING_COMMIT)
    await run_out_of_time(device.activation_id)
    for path in ("block", "name/update", "flags/list", "history"):
        await api.post(f"activation/{path}", activationId=device.activation_id, activationName="N")
        assert await _stored_status(core, device.activation_id) is PENDING_COMMIT, path


async def test_an_active_activation_never_expires(
    api: Api, core: Core, activate: Activate, run_out_of_time: RunOutOfTime
) -> None:
    device = await activate()
    await run_out_of_time(device.activation_id)
    assert await expiry.expire_overdue(core) == 0
    found = await api.ok("activation/status", activationId=device.activation_id)
    assert found["activationStatus"] == "ACTIVE"


async def test_the_job_removes_all_that_ran_out_lately_in_batches(
    core: Core,
    init: InitActivation,
    activate: Activate,
    run_out_of_time: RunOutOfTime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    late = [(await init())["activationId"] for _ in range(3)]
    pending = (await activate(PENDING_COMMIT)).activation_id
    for activation_id in (*late, pending):
        await run_out_of_time(activation_id)
    fresh = (await init())["activationId"]
    ancient = (await init())["activationId"]
    await execute(
        core,
        update(Activation)
        .where(Activation.activation_id == ancient)
        .values(timestamp_activation_expire=clock.now() - timedelta(hours=2)),
    )
    assert await expiry.expire_overdue(core) == 4
    for activation_id in (*late, pending):
        assert await _stored_status(core, activation_id) is ActivationStatus.REMOVED
    # Older leftovers wait until somebody looks at them.
    assert await _stored_status(core, fresh) is CREATED
    assert await _stored_status(core, ancient) is CREATED
    assert await expiry.expire_overdue(core) == 0


@pytest.mark.dialects("postgresql")
async def test_a_list_removes_all_that_is_late_by_as_many_statements_as_one(
    api: Api, core: Core, init: InitActivation, run_out_of_time: RunOutOfTime
) -> None:
    await core.relay.stop()
    statements: list[str] = []
    event.listen(
        core.database.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_more: statements.append(statement),
    )

    async def late(user_id: str, count: int) -> int:
        for _ in range(count):
            await run_out_of_time((await init(userId=user_id))["activationId"])
        statements.clear()
        found = await api.ok("activation/list", userId=user_id)
        assert [each["activationStatus"] for each in found["activations"]] == ["REMOVED"] * count
        return len(statements)

    await late("first", 1)
    one = await late("one", 1)
    assert await late("many", 5) == one
