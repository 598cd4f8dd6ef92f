"""Commit in the same call as the key exchange, as the dmz door does it (D1 rule 1)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_phones import InitActivation, MakeDevice

from powerauth_core.container import Core
from powerauth_core.envelopes.service import ClosedEnvelope
from powerauth_core.exchange import key_exchange, recovery
from powerauth_sdk.phone import Phone, Sealed


@pytest.fixture
async def with_recovery(api: Api, application: TestApplication) -> None:
    await api.ok(
        "recovery/config/update",
        applicationId=application.application_id,
        activationRecoveryEnabled=True,
        recoveryPostcardEnabled=False,
        allowMultipleRecoveryCodes=False,
    )


def _closed(device: Phone, sealed: Sealed) -> ClosedEnvelope:
    members = device.env(sealed)
    version = members.pop("protocolVersion")
    return ClosedEnvelope(device.app.key, version, members)


async def _states(api: Api, activation_id: str) -> list[str]:
    items = (await api.ok("activation/history", activationId=activation_id))["items"]
    return [item["activationStatus"] for item in items]


async def test_a_direct_activation_is_active_with_its_recovery_code(
    api: Api, core: Core, make_device: MakeDevice, with_recovery: None
) -> None:
    device = make_device()
    sealed = await device.layer2(api.call)
    answer = await key_exchange.create(core, user_id="user-1", closed=_closed(device, sealed), commit=True)
    assert answer.activation_status.value == "ACTIVE"
    device.accept(sealed, answer.sealed.members)
    assert await _states(api, device.activation_id) == ["ACTIVE", "PENDING_COMMIT", "CREATED"]
    (code,) = (await api.ok("recovery/lookup", userId="user-1"))["recoveryCodes"]
    assert code["status"] == "ACTIVE"

    successor = make_device()
    sealed = await successor.layer2(api.call)
    code, puk = device.open_recovery
    replaced = await recovery.create(core, code=code, puk=puk, closed=_closed(successor, sealed), commit=True)
    assert replaced.activation_status.value == "ACTIVE"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ({}, "ACTIVE"),
        ({"commitPhase": "ON_KEY_EXCHANGE"}, "ACTIVE"),
        ({"activationOtp": "1234"}, "PENDING_COMMIT"),
        ({"activationOtpValidation": "ON_COMMIT", "activationOtp": "1234"}, "PENDING_COMMIT"),
    ],
)
async def test_an_otp_for_the_commit_is_never_skipped(
    core: Core, api: Api, init: InitActivation, make_device: MakeDevice, mode: dict[str, Any], expected: str
) -> None:
    started, device = await init(**mode), make_device()
    sealed = await device.layer2(api.call)
    answer = await key_exchange.prepare(
        core,
        code=started["activationCode"],
        closed=_closed(device, sealed),
        generate_recovery_codes=False,
        commit=True,
    )
    assert answer.activation_status.value == expected


async def test_without_the_keyword_nothing_is_committed(
    core: Core, api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    started, device = await init(), make_device()
    sealed = await device.layer2(api.call)
    answer = await key_exchange.prepare(
        core,
        code=started["activationCode"],
        closed=_closed(device, sealed),
        generate_recovery_codes=False,
    )
    assert answer.activation_status.value == "PENDING_COMMIT"
