"""Of several callers at the same time exactly one wins (spec/core-api.md §26, D9, D10)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from core_test_api import Api
from core_test_phones import Activate, InitActivation, MakeDevice, RunOutOfTime

from powerauth_contracts.enums import ActivationStatus

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

PENDING_COMMIT = ActivationStatus.PENDING_COMMIT
CALLERS = 8


async def _codes(*posts: Coroutine[Any, Any, tuple[int, dict[str, Any]]]) -> Counter[str]:
    """How often each outcome came; success counts as ``OK``."""
    answers = await asyncio.gather(*posts)
    return Counter("OK" if status == 200 else body["responseObject"]["code"] for status, body in answers)


async def test_one_of_several_devices_gets_the_activation(
    api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    started = await init()
    devices = [make_device() for _ in range(CALLERS)]
    sealed = [await device.layer2(api.call) for device in devices]
    requests = [
        {"activationCode": started["activationCode"], "applicationKey": device.app.key} | device.env(envelope)
        for device, envelope in zip(devices, sealed, strict=True)
    ]
    outcomes = await _codes(*[api.post("activation/prepare", **request) for request in requests])
    assert outcomes["OK"] == 1
    # The others either waited for the lock or did not find the code any more.
    assert outcomes["ERR0007"] + outcomes["ERR0009"] == CALLERS - 1
    history = await api.ok("activation/history", activationId=started["activationId"])
    assert [item["activationStatus"] for item in history["items"]] == ["PENDING_COMMIT", "CREATED"]


async def test_one_of_several_copies_of_an_envelope_is_accepted(api: Api, make_device: MakeDevice) -> None:
    device = make_device()
    sealed = await device.layer2(api.call)
    request = {"userId": "user-1", "applicationKey": device.app.key} | device.env(sealed)
    outcomes = await _codes(*[api.post("activation/create", **request) for _ in range(CALLERS)])
    assert outcomes == {"OK": 1, "ERR0024": CALLERS - 1}
    assert len((await api.ok("activation/list", userId="user-1"))["activations"]) == 1


async def test_one_of_several_commits_wins(api: Api, activate: Activate) -> None:
    device = await activate(PENDING_COMMIT)
    outcomes = await _codes(
        *[api.post("activation/commit", activationId=device.activation_id) for _ in range(CALLERS)]
    )
    assert outcomes == {"OK": 1, "ERR0008": CALLERS - 1}


async def test_guesses_of_an_otp_take_turns(api: Api, activate: Activate) -> None:
    device = await activate(PENDING_COMMIT, activationOtp="1234", maxFailureCount=3)
    guesses = [
        api.post("activation/commit", activationId=device.activation_id, activationOtp=str(guess))
        for guess in range(CALLERS)
    ]
    # Three guesses are compared; the rest finds the activation removed.
    assert await _codes(*guesses) == {"ERR0031": 3, "ERR0007": CALLERS - 3}
    found = await api.ok("activation/status", activationId=device.activation_id)
    assert (found["activationStatus"], found["failedAttempts"]) == ("REMOVED", 3)


async def test_one_of_several_blocks_is_recorded(api: Api, activate: Activate) -> None:
    device = await activate()
    reasons = [str(number) for number in range(CALLERS)]
    outcomes = await _codes(
        *[
            api.post("activation/block", activationId=device.activation_id, reason=reason)
            for reason in reasons
        ]
    )
    assert outcomes == {"OK": CALLERS}
    items = (await api.ok("activation/history", activationId=device.activation_id))["items"]
    assert [item["activationStatus"] for item in items].count("BLOCKED") == 1
    found = await api.ok("activation/status", activationId=device.activation_id)
    assert found["blockedReason"] == items[0]["eventReason"]


async def test_no_flag_is_lost(api: Api, activate: Activate) -> None:
    device = await activate()
    flags = [f"F{number}" for number in range(CALLERS)]
    await asyncio.gather(
        *[
            api.ok("activation/flags/create", activationId=device.activation_id, activationFlags=[flag])
            for flag in flags
        ]
    )
    found = await api.ok("activation/flags/list", activationId=device.activation_id)
    assert found["activationFlags"] == flags


async def test_batches_in_opposite_order_do_not_block_each_other(api: Api, activate: Activate) -> None:
    ids = [(await activate()).activation_id for _ in range(4)]
    outcomes = await _codes(
        *[
            api.post(
                "activation/status/update",
                activationIds=order,
                activationStatus="BLOCKED" if number % 2 else "ACTIVE",
            )
            for number in range(CALLERS)
            for order in (ids, ids[::-1])
        ]
    )
    assert outcomes == {"OK": 2 * CALLERS}


async def test_one_of_several_readers_removes_what_is_late(
    api: Api, activate: Activate, run_out_of_time: RunOutOfTime
) -> None:
    device = await activate(PENDING_COMMIT)
    await run_out_of_time(device.activation_id)
    outcomes = await _codes(
        *[api.post("activation/status", activationId=device.activation_id) for _ in range(CALLERS)]
    )
    assert outcomes == {"OK": CALLERS}
    items = (await api.ok("activation/history", activationId=device.activation_id))["items"]
    assert [item["activationStatus"] for item in items].count("REMOVED") == 1
