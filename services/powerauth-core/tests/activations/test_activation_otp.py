"""OTP at the key exchange and at the commit (spec/core-api.md §7.4, §7.5, §22.3)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api
from core_test_phones import Activate, InitActivation, MakeDevice
from core_test_rows import rewrite

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.kernel import hashing
from powerauth_protocol.common.password_hash import hash_password
from powerauth_sdk.phone import Phone

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


async def _state(api: Api, activation_id: str) -> tuple[str, int]:
    found = await api.ok("activation/status", activationId=activation_id)
    return found["activationStatus"], found["failedAttempts"]


async def _try(api: Api, device: Phone, code: str, otp: str | None) -> str:
    """Key exchange with an OTP; the new state or the error code."""
    sealed = await device.layer2(api.call, otp=otp)
    request = {"activationCode": code, "applicationKey": device.app.key} | device.env(sealed)
    _, body = await api.post("activation/prepare", **request)
    answer = body["responseObject"]
    if "code" in answer:
        return str(answer["code"])
    device.accept(sealed, answer)
    return str(answer["activationStatus"])


EXCHANGE_MODES: list[dict[str, Any]] = [
    {"commitPhase": "ON_KEY_EXCHANGE", "activationOtp": "918273"},
    {"activationOtpValidation": "ON_KEY_EXCHANGE", "activationOtp": "918273"},
]
COMMIT_MODES: list[dict[str, Any]] = [
    {"activationOtp": "918273"},
    {"commitPhase": "ON_COMMIT", "activationOtp": "918273"},
    {"activationOtpValidation": "ON_COMMIT", "activationOtp": "918273"},
]


@pytest.mark.parametrize("mode", EXCHANGE_MODES)
async def test_an_otp_for_the_key_exchange_activates_at_once(
    api: Api, init: InitActivation, make_device: MakeDevice, mode: dict[str, Any]
) -> None:
    started, device = await init(**mode), make_device()
    code, activation_id = started["activationCode"], started["activationId"]
    for missing in (None, "", "   "):
        assert await _try(api, device, code, missing) == "ERR0031"
    assert await _state(api, activation_id) == ("CREATED", 0)
    assert await _try(api, device, code, "000000") == "ERR0031"
    assert await _state(api, activation_id) == ("CREATED", 1)
    assert await _try(api, device, code, "918273") == "ACTIVE"
    assert await _state(api, activation_id) == ("ACTIVE", 0)
    assert await api.error("activation/commit", activationId=activation_id) == "ERR0008"


@pytest.mark.parametrize("mode", COMMIT_MODES)
async def test_an_otp_for_the_commit_guards_the_commit(
    api: Api, init: InitActivation, make_device: MakeDevice, mode: dict[str, Any]
) -> None:
    started, device = await init(**mode), make_device()
    code, activation_id = started["activationCode"], started["activationId"]
    assert await _try(api, device, code, "918273") == "ERR0031"
    assert await _state(api, activation_id) == ("CREATED", 0)
    assert await _try(api, device, code, None) == "PENDING_COMMIT"
    for missing in (None, "", " "):
        assert (
            await api.error("activation/commit", activationId=activation_id, activationOtp=missing)
            == "ERR0031"
        )
    assert await _state(api, activation_id) == ("PENDING_COMMIT", 0)
    wrong = {"activationId": activation_id, "activationOtp": "000000", "externalUserId": "clerk"}
    assert await api.error("activation/commit", **wrong) == "ERR0031"
    assert await _state(api, activation_id) == ("PENDING_COMMIT", 1)
    newest = (await api.ok("activation/history", activationId=activation_id))["items"][0]
    assert (newest["eventReason"], newest["externalUserId"]) == ("OTP_FAILED_ATTEMPT", "clerk")
    await api.ok("activation/commit", activationId=activation_id, activationOtp="918273")
    assert await _state(api, activation_id) == ("ACTIVE", 0)


async def test_the_last_wrong_otp_removes_the_activation(
    api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    started = await init(**EXCHANGE_MODES[0], maxFailureCount=2)
    device = make_device()
    for expected in (("CREATED", 1), ("REMOVED", 2)):
        assert await _try(api, device, started["activationCode"], "000000") == "ERR0031"
        assert await _state(api, started["activationId"]) == expected
    assert await _try(api, device, started["activationCode"], "918273") == "ERR0009"
    reasons = [
        item["eventReason"]
        for item in (await api.ok("activation/history", activationId=started["activationId"]))["items"]
    ]
    assert reasons == ["OTP_MAX_FAILED_ATTEMPTS", "OTP_FAILED_ATTEMPT", None]


async def test_a_damaged_hash_counts_as_a_mismatch(api: Api, core: Core, activate: Activate) -> None:

    device = await activate(ActivationStatus.PENDING_COMMIT, activationOtp="1234")
    await rewrite(core, activation_otp="$argon2i$damaged")
    request = {"activationId": device.activation_id, "activationOtp": "1234"}
    assert await api.error("activation/commit", **request) == "ERR0031"
    assert await _state(api, device.activation_id) == ("PENDING_COMMIT", 1)


async def test_an_updated_otp_replaces_the_first_and_is_asked_for_at_the_commit(
    api: Api, activate: Activate
) -> None:

    device = await activate(ActivationStatus.PENDING_COMMIT)
    request = {"activationId": device.activation_id}
    for blank in (None, ""):
        assert await api.error("activation/otp/update", **request, activationOtp=blank) == "ERR0024"
    assert await api.ok("activation/otp/update", **request, activationOtp="1111", externalUserId="op") == {
        "activationId": device.activation_id,
        "updated": True,
    }
    await api.ok("activation/otp/update", **request, activationOtp="2222")
    newest = (await api.ok("activation/history", **request))["items"][:2]
    assert [(item["eventReason"], item["externalUserId"]) for item in newest] == [
        ("OTP_VALUE_UPDATE", None),
        ("OTP_VALUE_UPDATE", "op"),
    ]
    found = await api.ok("activation/status", **request)
    assert (found["activationOtpValidation"], found["commitPhase"]) == ("ON_COMMIT", "ON_COMMIT")
    assert await api.error("activation/commit", **request) == "ERR0031"
    assert await api.error("activation/commit", **request, activationOtp="1111") == "ERR0031"
    await api.ok("activation/commit", **request, activationOtp="2222")


async def test_direct_activation_accepts_an_otp_for_its_commit(api: Api, make_device: MakeDevice) -> None:
    device = make_device()
    answer = await device.create(api.call, "user-1", activationOtp="4711")
    assert answer["activationStatus"] == "PENDING_COMMIT"
    found = await api.ok("activation/status", activationId=device.activation_id)
    assert (found["activationOtpValidation"], found["commitPhase"]) == ("NONE", "ON_COMMIT")
    assert await api.error("activation/commit", activationId=device.activation_id) == "ERR0031"
    await api.ok("activation/commit", activationId=device.activation_id, activationOtp="4711")


async def test_the_otp_is_stored_as_an_argon2i_hash(
    core: Core, init: InitActivation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "hash_password", hash_password)
    started = await init(activationOtp="918273")
    async with core.database.read() as session:
        row = await session.get(Activation, started["activationId"])
    assert row is not None
    assert row.activation_otp is not None
    assert row.activation_otp.startswith("$argon2i$v=19$m=32768,t=3,p=16$")
