"""From init to removal, and every call in every state (spec/core-api.md §7, §22)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_phones import Activate, InitActivation, MakeDevice

from powerauth_contracts.enums import ActivationStatus
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

CREATED, PENDING_COMMIT, ACTIVE, BLOCKED, REMOVED = ActivationStatus
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


async def _status(api: Api, activation_id: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = await api.ok("activation/status", activationId=activation_id)
    return answer


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_a_device_joins_by_code_in_every_protocol_version(
    api: Api, init: InitActivation, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    started = await init()
    device: Phone = make_device(version)
    answer = await device.join(api.call, started["activationCode"])
    assert answer["activationStatus"] == "PENDING_COMMIT"
    assert (answer["userId"], answer["applicationId"]) == ("user-1", "test-application")
    assert device.activation_id == answer["activationId"] == started["activationId"]
    assert (answer["nonce"] is not None) == version.facts.response_nonce
    assert (answer["timestamp"] is not None) == version.facts.timestamp

    found = await _status(api, device.activation_id)
    assert found["devicePublicKeyFingerprint"] == device.fingerprint
    assert found["version"] == 3
    assert (found["activationName"], found["extras"], found["deviceInfo"]) == ("Phone", "extra", "iPhone13,2")
    assert found["platform"] == "ios"

    assert await api.ok("activation/commit", activationId=device.activation_id) == {
        "activationId": device.activation_id,
        "activated": True,
    }
    blob = await device.status(api.call)
    assert blob.activation_status == ACTIVE.code
    assert (blob.failed_attempts, blob.max_failed_attempts) == (0, 5)


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_a_known_user_is_activated_directly(
    api: Api, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    device: Phone = make_device(version)
    answer = await device.create(api.call, "user-9", additionalData={"tier": 1})
    assert (answer["activationStatus"], answer["userId"]) == ("PENDING_COMMIT", "user-9")
    await api.ok("activation/commit", activationId=device.activation_id)
    found = await _status(api, device.activation_id)
    assert (found["activationStatus"], found["additionalData"]) == ("ACTIVE", {"tier": 1})
    history = await api.ok("activation/history", activationId=device.activation_id)
    assert [item["activationStatus"] for item in history["items"]] == ["ACTIVE", "PENDING_COMMIT", "CREATED"]
    assert [item["version"] for item in history["items"]] == [3, 3, None]


async def test_init_answers_a_signed_code_and_stores_what_was_asked_for(
    api: Api, init: InitActivation, application: TestApplication
) -> None:
    started = await init(
        flags=["b", "a", "b"],
        maxFailureCount=9,
        additionalData={"branch": "7"},
        timestampActivationExpire="2100-01-01T00:00:00Z",
    )
    code = started["activationCode"]
    assert activation_code.validate(code)
    assert activation_code.verify_signature(
        code, b64decode(started["activationSignature"]), application.app.master_public_key
    )
    found = await _status(api, started["activationId"])
    assert (found["activationStatus"], found["activationCode"]) == ("CREATED", code)
    assert activation_code.verify_signature(
        code, b64decode(found["activationSignature"]), application.app.master_public_key
    )
    assert found["activationFlags"] == ["b", "a", "b"]
    assert (found["maxFailedAttempts"], found["additionalData"]) == (9, {"branch": "7"})
    assert (found["version"], found["devicePublicKeyFingerprint"]) == (0, None)
    assert (found["commitPhase"], found["activationOtpValidation"]) == ("ON_COMMIT", "NONE")


async def test_status_update_forces_any_state_and_skips_unknown_ids(api: Api, activate: Activate) -> None:
    removed, active = await activate(REMOVED), await activate(ACTIVE)
    ids = [removed.activation_id, UNKNOWN_ID, active.activation_id]
    assert await api.ok("activation/status/update", activationIds=ids, activationStatus="ACTIVE") == {
        "updated": True
    }
    for device, rows in ((removed, 5), (active, 3)):
        assert (await _status(api, device.activation_id))["activationStatus"] == "ACTIVE"
        history = await api.ok("activation/history", activationId=device.activation_id)
        assert len(history["items"]) == rows
    assert await api.error("activation/status/update", activationIds=ids) == "ERR0024"
    assert (
        await api.error("activation/status/update", activationIds=[], activationStatus="ACTIVE") == "ERR0024"
    )


async def test_removing_again_is_recorded_again(api: Api, activate: Activate) -> None:
    device = await activate(REMOVED)
    await api.ok("activation/remove", activationId=device.activation_id, externalUserId="op")
    items = (await api.ok("activation/history", activationId=device.activation_id))["items"]
    assert [item["activationStatus"] for item in items[:2]] == ["REMOVED", "REMOVED"]
    assert [item["externalUserId"] for item in items[:2]] == ["op", None]
