"""Changes of activations that come together: one statement for all, and each for itself if it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_phones import Activate, InitActivation, MakeDevice
from core_test_rows import execute, found, statements_of_the_driver, unsound
from sqlalchemy import delete, select

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.history import changed
from powerauth_core.activations.models import Activation, ActivationHistory
from powerauth_core.activations.stored import FoundActivation
from powerauth_core.activations.writing import ActivationWriter, Write
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.kernel.changes import Cause
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import activation_code
from powerauth_sdk.phone import Phone

PENDING_COMMIT, ACTIVE = ActivationStatus.PENDING_COMMIT, ActivationStatus.ACTIVE
TOGETHER = 6


def committed(read: FoundActivation) -> Write:
    """The commit of an activation that was read."""
    read.row.activation_status = ACTIVE
    return Write(
        read, changed(read.row, read.application_id, previous_status=PENDING_COMMIT, cause=Cause.COMMIT)
    )


async def read(core: Core, device: Phone) -> FoundActivation:
    """A device's activation, as a hot call reads it."""
    row = await core.activation_writer.find(device.activation_id)
    assert row is not None
    return row


async def test_changes_that_come_together_are_one_statement(core: Core, api: Api, activate: Activate) -> None:
    """Also those of several kinds; each with its history and audit."""
    devices = [await activate(PENDING_COMMIT) for _ in range(TOGETHER)]
    commits = [committed(await read(core, device)) for device in devices]
    statements = await statements_of_the_driver(core)
    assert (
        await asyncio.gather(*[core.activation_writer.write(each) for each in commits]) == [True] * TOGETHER
    )
    assert len(statements) == 1
    ids = [device.activation_id for device in devices]
    active = ActivationHistory.activation_status == ACTIVE
    assert sorted(await found(core, select(ActivationHistory.activation_id).where(active))) == sorted(ids)
    logged = await found(core, select(AuditLog.param).where(AuditLog.message == "Activation status: ACTIVE"))
    assert len(logged) == TOGETHER
    assert await unsound(core) == set()


async def test_new_temporary_keys_go_along(
    core: Core, api: Api, activate: Activate, make_device: MakeDevice
) -> None:
    devices = [await activate(PENDING_COMMIT) for _ in range(2)]
    commits = [committed(await read(core, device)) for device in devices]
    before = len(await found(core, select(TemporaryKey)))
    statements = await statements_of_the_driver(core)
    await asyncio.gather(
        *[core.activation_writer.write(each) for each in commits],
        *[make_device().new_temporary_key(api.call, Scope.APPLICATION) for _ in range(2)],
    )
    # Two, if the requests for keys arrive after the first one has gone.
    assert len(statements) <= 2
    assert len(await found(core, select(TemporaryKey))) == before + 2


async def test_a_key_of_an_activation_that_somebody_holds_keeps_nobody_waiting(
    core: Core, api: Api, activate: Activate, make_device: MakeDevice
) -> None:
    held, other = await activate(ACTIVE), await activate(PENDING_COMMIT)
    commit = committed(await read(core, other))
    async with core.database.transaction() as session:
        await session.execute(
            select(Activation).where(Activation.activation_id == held.activation_id).with_for_update()
        )
        waiting = asyncio.create_task(held.new_temporary_key(api.call, Scope.ACTIVATION))
        await make_device().new_temporary_key(api.call, Scope.APPLICATION)
        assert await core.activation_writer.write(commit)
        assert not waiting.done()
    assert (await waiting).activation_id == held.activation_id


async def test_what_has_changed_meanwhile_is_left_alone_and_its_neighbours_are_written(
    core: Core, api: Api, activate: Activate
) -> None:
    devices = [await activate(PENDING_COMMIT) for _ in range(3)]
    commits = [committed(await read(core, device)) for device in devices]
    await api.ok("activation/remove", activationId=devices[1].activation_id)
    outcomes = await asyncio.gather(*[core.activation_writer.write(each) for each in commits])
    assert outcomes == [True, False, True]
    for device, status in zip(devices, ("ACTIVE", "REMOVED", "ACTIVE"), strict=True):
        state = await api.ok("activation/status", activationId=device.activation_id)
        assert state["activationStatus"] == status
    items = (await api.ok("activation/history", activationId=devices[1].activation_id))["items"]
    assert [item["activationStatus"] for item in items] == ["REMOVED", "PENDING_COMMIT", "CREATED"]


async def test_a_second_change_of_one_activation_does_not_undo_its_neighbours(
    core: Core, api: Api, activate: Activate
) -> None:
    devices = [await activate(PENDING_COMMIT) for _ in range(3)]
    commits = [committed(await read(core, device)) for device in (*devices, devices[1])]
    statements = await statements_of_the_driver(core)
    outcomes = await asyncio.gather(*[core.activation_writer.write(each) for each in commits])
    assert (outcomes, len(statements)) == ([True, True, True, False], 2)


async def test_what_was_decided_on_an_old_state_is_decided_again(
    core: Core, api: Api, activate: Activate, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await activate(PENDING_COMMIT)
    find = ActivationWriter.find

    async def removed_meanwhile(writer: ActivationWriter, activation_id: str) -> FoundActivation | None:
        row = await find(writer, activation_id)
        await api.ok("activation/remove", activationId=activation_id)
        return row

    monkeypatch.setattr(ActivationWriter, "find", removed_meanwhile)
    assert await api.error("activation/commit", activationId=device.activation_id) == "ERR0007"


@pytest.mark.dialects("sqlite", "postgresql")
async def test_each_column_of_a_new_activation_holds_its_value(
    core: Core, api: Api, application: TestApplication, init: InitActivation
) -> None:
    started = await init(
        user_id='ž"\\',
        flags=["F1", 'ž"'],
        additionalData={"n": [1, None, 'ž"\\']},
        maxFailureCount=7,
        commitPhase="ON_KEY_EXCHANGE",
        timestampActivationExpire="2099-01-02T03:04:05.678+01:00",
        protocol="fido2",
    )
    (row,) = await found(core, select(Activation))
    assert row.sound
    assert row.timestamp_created == row.timestamp_last_used
    assert row.timestamp_last_change >= row.timestamp_created
    assert row.timestamp_activation_expire.isoformat() == "2099-01-02T02:04:05.678000"
    values: dict[str, Any] = {
        column.name: getattr(row, column.name)
        for column in Activation.__table__.columns
        if "timestamp" not in column.name and "_key_" not in column.name and column.name != "row_mac"
    }
    assert {name: value for name, value in values.items() if value is not None} == {
        "activation_id": started["activationId"],
        "application_id": row.application_id,
        "user_id": 'ž"\\',
        "activation_code": started["activationCode"],
        "activation_status": ActivationStatus.CREATED,
        "activation_otp_validation": row.activation_otp_validation,
        "commit_phase": row.commit_phase,
        "counter": 0,
        "failed_attempts": 0,
        "max_failed_attempts": 7,
        "master_keypair_id": row.master_keypair_id,
        "protocol": "fido2",
        "flags": ["F1", 'ž"'],
        "additional_data": {"n": [1, None, 'ž"\\']},
    }
    assert (row.activation_otp_validation.name, row.commit_phase.name) == ("NONE", "ON_KEY_EXCHANGE")
    assert row.server_private_key_encryption == 1
    assert await unsound(core) == set()


async def test_a_code_that_is_taken_becomes_another_one(
    init: InitActivation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first half decides."""
    taken = (await init())["activationCode"]
    generate, given = activation_code.generate, iter([taken])
    monkeypatch.setattr(activation_code, "generate", lambda: next(given, None) or generate())
    assert (await init())["activationCode"][:11] != taken[:11]


async def test_a_key_exchange_needs_its_temporary_key_to_be_there(
    core: Core, api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    """Though this process has it in memory."""
    started, device = await init(), make_device()
    request = {"activationCode": started["activationCode"], "applicationKey": device.app.key}
    request |= device.env(await device.layer2(api.call))
    await execute(core, delete(TemporaryKey))
    assert await api.error("activation/prepare", **request) == "ERR0045"
    state = await api.ok("activation/status", activationId=started["activationId"])
    assert state["activationStatus"] == "CREATED"
