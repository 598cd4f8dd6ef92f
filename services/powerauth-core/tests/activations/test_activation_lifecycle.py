"""From init to removal, and every call in every state (spec/core-api.md §7, §22)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.applications.models import MasterKeyPair
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

CREATED, PENDING_COMMIT, ACTIVE, BLOCKED, REMOVED = ActivationStatus
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


async def _status(api: Any, activation_id: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = await api.ok("activation/status", activationId=activation_id)
    return answer


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_a_device_joins_by_code_in_every_protocol_version(
    api: Any, call: Any, init: Any, make_device: Any, version: ProtocolVersion
) -> None:
    started = await init()
    device: Phone = make_device(version)
    answer = await device.join(call, started["activationCode"])
    assert answer["activationStatus"] == "PENDING_COMMIT"
    assert (answer["userId"], answer["applicationId"]) == ("user-1", "test-application")
    assert device.activation_id == answer["activationId"] == started["activationId"]
    assert (answer["nonce"] is not None) == version.response_nonce
    assert (answer["timestamp"] is not None) == version.timestamp

    found = await _status(api, device.activation_id)
    assert found["devicePublicKeyFingerprint"] == device.fingerprint
    assert found["version"] == 3
    assert (found["activationName"], found["extras"], found["deviceInfo"]) == ("Phone", "extra", "iPhone13,2")
    assert found["platform"] == "ios"

    assert await api.ok("activation/commit", activationId=device.activation_id) == {
        "activationId": device.activation_id,
        "activated": True,
    }
    blob = await device.status(call)
    assert blob.activation_status == ACTIVE.code
    assert (blob.failed_attempts, blob.max_failed_attempts) == (0, 5)


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_a_known_user_is_activated_directly(
    api: Any, call: Any, make_device: Any, version: ProtocolVersion
) -> None:
    device: Phone = make_device(version)
    answer = await device.create(call, "user-9", additionalData={"tier": 1})
    assert (answer["activationStatus"], answer["userId"]) == ("PENDING_COMMIT", "user-9")
    await api.ok("activation/commit", activationId=device.activation_id)
    found = await _status(api, device.activation_id)
    assert (found["activationStatus"], found["additionalData"]) == ("ACTIVE", {"tier": 1})
    history = await api.ok("activation/history", activationId=device.activation_id)
    assert [item["activationStatus"] for item in history["items"]] == ["ACTIVE", "PENDING_COMMIT", "CREATED"]
    assert [item["version"] for item in history["items"]] == [3, 3, None]


async def test_init_answers_a_signed_code_and_stores_what_was_asked_for(
    api: Any, init: Any, app_of: Any
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
        code, b64decode(started["activationSignature"]), app_of.master_public_key
    )
    found = await _status(api, started["activationId"])
    assert (found["activationStatus"], found["activationCode"]) == ("CREATED", code)
    assert activation_code.verify_signature(
        code, b64decode(found["activationSignature"]), app_of.master_public_key
    )
    assert found["activationFlags"] == ["b", "a", "b"]
    assert (found["maxFailedAttempts"], found["additionalData"]) == (9, {"branch": "7"})
    assert (found["version"], found["devicePublicKeyFingerprint"]) == (0, None)
    assert (found["commitPhase"], found["activationOtpValidation"]) == ("ON_COMMIT", "NONE")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"userId": ""}, "ERR0024"),
    ({"userId": " "}, "ERR0024"),
    ({"userId": None}, "ERR0024"),
    ({"userId": "x" * 256}, "ERR0024"),
    ({"applicationId": None}, "ERR0024"),
    ({"applicationId": "other"}, "ERR0015"),
    ({"applicationIds": ["other"]}, "ERR0015"),
    ({"maxFailureCount": 0}, "ERR0024"),
    ({"maxFailureCount": -1}, "ERR0024"),
    ({"timestampActivationExpire": 1_000}, "ERR0024"),
    ({"activationOtpValidation": "ON_COMMIT"}, "ERR0024"),
    ({"activationOtpValidation": "ON_COMMIT", "activationOtp": "  "}, "ERR0024"),
    (
        {"activationOtpValidation": "ON_COMMIT", "activationOtp": "1", "commitPhase": "ON_COMMIT"},
        "ERR0024",
    ),
    ({"flags": ["x" * 260]}, "ERR0024"),
    ({"commitPhase": "LATER"}, "ERROR_HTTP_REQUEST"),
]


async def test_init_refuses_what_it_cannot_start(api: Any, application: Any) -> None:
    for change, code in REFUSED:
        request = {"userId": "user-1", "applicationId": application.application_id} | change
        assert await api.error("activation/init", **request) == code, change
    assert (await api.ok("activation/list", userId="user-1"))["activations"] == []


async def test_init_of_an_application_without_master_key_is_err0003(
    api: Any, application: Any, core: Core
) -> None:
    async with core.database.transaction() as session:
        await session.execute(delete(MasterKeyPair))
    core.application_cache.clear()
    assert (
        await api.error("activation/init", userId="u", applicationId=application.application_id) == "ERR0003"
    )


# spec/core-api.md §22.2: CREATED, PENDING_COMMIT, ACTIVE, BLOCKED, REMOVED; "" = success.
CALLS: dict[str, tuple[dict[str, Any], tuple[str, str, str, str, str]]] = {
    "activation/commit": ({}, ("ERR0008", "", "ERR0008", "ERR0008", "ERR0007")),
    "activation/otp/update": ({"activationOtp": "12"}, ("ERR0008", "", "ERR0008", "ERR0008", "ERR0008")),
    "activation/name/update": ({"activationName": "N"}, ("ERR0008", "", "", "ERR0008", "ERR0008")),
    "activation/block": ({"reason": "LOST"}, ("ERR0008", "ERR0008", "", "", "ERR0008")),
    "activation/unblock": ({}, ("ERR0008", "ERR0008", "", "", "ERR0008")),
    "activation/remove": ({}, ("", "", "", "", "")),
    "activation/status": ({}, ("", "", "", "", "")),
    "activation/history": ({}, ("", "", "", "", "")),
    "activation/flags/list": ({}, ("", "", "", "", "")),
    "activation/flags/create": ({"activationFlags": ["A"]}, ("", "", "", "", "")),
}
AFTER: dict[tuple[str, ActivationStatus], ActivationStatus] = {
    ("activation/commit", PENDING_COMMIT): ACTIVE,
    ("activation/block", ACTIVE): BLOCKED,
    ("activation/unblock", BLOCKED): ACTIVE,
    **{("activation/remove", status): REMOVED for status in ActivationStatus},
}


@pytest.mark.parametrize("path", CALLS)
async def test_every_state_answers_the_call_as_the_table_says(api: Any, activate: Any, path: str) -> None:
    request, outcomes = CALLS[path]
    for status, expected in zip(ActivationStatus, outcomes, strict=True):
        device = await activate(status)
        http_status, body = await api.post(path, activationId=device.activation_id, **request)
        answer = (http_status, body["responseObject"].get("code", ""))
        assert answer == (400 if expected else 200, expected), status
        found = await _status(api, device.activation_id)
        assert found["activationStatus"] == AFTER.get((path, status), status)


OUTSIDE: dict[str, dict[str, Any]] = {
    "activation/commit": {},
    "activation/otp/update": {"activationOtp": "1"},
    "activation/name/update": {"activationName": "N"},
    "activation/block": {},
    "activation/unblock": {},
    "activation/remove": {},
    "activation/flags/list": {},
    "activation/flags/create": {"activationFlags": ["A"]},
    "activation/flags/update": {"activationFlags": ["A"]},
    "activation/flags/remove": {"activationFlags": ["A"]},
}


async def test_an_activation_outside_the_callers_applications_is_unknown(api: Any, activate: Any) -> None:
    device = await activate(PENDING_COMMIT)
    for path, request in OUTSIDE.items():
        inside = request | {"activationId": device.activation_id}
        for application_ids in ([], ["other"]):
            assert await api.error(path, **inside, applicationIds=application_ids) == "ERR0009", path
        assert await api.error(path, **request, activationId=UNKNOWN_ID) == "ERR0009", path
        assert await api.error(path, **request, activationId="") == "ERR0024", path
    found = await _status(api, device.activation_id)
    assert (found["activationStatus"], found["activationFlags"]) == ("PENDING_COMMIT", [])
    hidden = await api.ok("activation/history", activationId=device.activation_id, applicationIds=["other"])
    assert hidden["items"] == []


async def test_block_keeps_the_first_reason_and_unblock_clears_it(api: Any, activate: Any) -> None:
    device = await activate()
    first = await api.ok("activation/block", activationId=device.activation_id, reason="LOST")
    assert first == {
        "activationId": device.activation_id,
        "activationStatus": "BLOCKED",
        "blockedReason": "LOST",
    }
    again = await api.ok("activation/block", activationId=device.activation_id, reason="OTHER")
    assert again["blockedReason"] == "LOST"
    await api.ok("activation/unblock", activationId=device.activation_id)
    assert (await _status(api, device.activation_id))["blockedReason"] is None
    assert (await api.ok("activation/block", activationId=device.activation_id))["blockedReason"] == (
        "NOT_SPECIFIED"
    )


async def test_rename_needs_a_name_and_leaves_the_state(api: Any, activate: Any) -> None:
    device = await activate()
    for name in (None, "", "  "):
        assert (
            await api.error("activation/name/update", activationId=device.activation_id, activationName=name)
            == "ERR0024"
        )
    assert await api.ok(
        "activation/name/update", activationId=device.activation_id, activationName="New", externalUserId="op"
    ) == {"activationId": device.activation_id, "activationName": "New", "activationStatus": "ACTIVE"}
    newest = (await api.ok("activation/history", activationId=device.activation_id))["items"][0]
    assert (newest["eventReason"], newest["externalUserId"], newest["activationName"]) == (
        "ACTIVATION_NAME_UPDATED",
        "op",
        "New",
    )


async def test_status_update_forces_any_state_and_skips_unknown_ids(api: Any, activate: Any) -> None:
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


async def test_removing_again_is_recorded_again(api: Any, activate: Any) -> None:
    device = await activate(REMOVED)
    await api.ok("activation/remove", activationId=device.activation_id, externalUserId="op")
    items = (await api.ok("activation/history", activationId=device.activation_id))["items"]
    assert [item["activationStatus"] for item in items[:2]] == ["REMOVED", "REMOVED"]
    assert [item["externalUserId"] for item in items[:2]] == ["op", None]
