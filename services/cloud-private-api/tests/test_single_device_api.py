"""The single-device view: registrations, operations, replacement (spec/cloud-api.md §4, §6, §13.4)."""

from __future__ import annotations

from typing import Any

import pytest
from cloud_bus import DirectBus
from cloud_client import Client, Service, Start
from cloud_fake_core import GOOD_OFFLINE_CODE, FakeCore

from cloud_private_api.registrations import repository
from servicekit.bus import Event
from servicekit.testing import DIALECTS

PATH = "/registration"
NONCE = "AAECAwQFBgcICQoLDA0ODw=="

both = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)


async def _rows(service: Service) -> list[str]:
    async with service.cloud.database.read() as session:
        return list(await repository.ids_of_user(session, user_id="user-1", app_id="app-a"))


def _status(core: FakeCore, activation_id: str) -> str:
    status: str = core.activations[activation_id]["activationStatus"]
    return status


def _newest(core: FakeCore) -> str:
    return list(core.activations)[-1]


async def test_creation_answers_the_qr_code_only(bank: Client) -> None:
    made = await bank.ok("POST", PATH, {"userId": "user-1"})
    assert set(made) == {"activationQrCodeData", "activationCode", "activationCodeSignature"}


@both
async def test_creation_replaces_what_is_in_progress_and_keeps_what_is_in_use(
    service: Service, bank: Client
) -> None:
    core = service.core
    active, blocked = core.activation("app-a"), core.activation("app-a", status="BLOCKED")
    created = core.activation("app-a", status="CREATED")
    pending = core.activation("app-a", status="PENDING_COMMIT")
    passkey = core.activation("app-a", status="CREATED", protocol="fido2")
    await bank.ok("POST", PATH, {"userId": "user-1"})
    states = [_status(core, item) for item in (active, blocked, created, pending, passkey)]
    assert states == ["ACTIVE", "BLOCKED", "REMOVED", "REMOVED", "CREATED"]
    assert await _rows(service) == [_newest(core)]


@both
async def test_commit_removes_the_others(service: Service, bank: Client) -> None:
    core = service.core
    old = core.activation("app-a")
    other_user, other_app = core.activation("app-a", "user-2"), core.activation("app-x")
    await bank.ok("POST", PATH, {"userId": "user-1"})
    new = _newest(core)
    core.exchange_keys(new)
    assert await bank.ok("POST", f"{PATH}/commit", {"userId": "user-1"}) == {"status": "OK"}
    assert [_status(core, item) for item in (old, new, other_user, other_app)] == [
        "REMOVED",
        "ACTIVE",
        "ACTIVE",
        "ACTIVE",
    ]
    assert await _rows(service) == []


async def test_failed_commit_removes_nothing(service: Service, bank: Client) -> None:
    core = service.core
    old = core.activation("app-a")
    await bank.ok("POST", PATH, {"userId": "user-1", "otp": "1234"})
    core.exchange_keys(_newest(core))
    await bank.refused("POST", f"{PATH}/commit", {"userId": "user-1", "otp": "0"}, code="ERROR_OTP_INVALID")
    assert _status(core, old) == "ACTIVE"
    assert len(await _rows(service)) == 1


async def test_commit_of_a_registration_of_version_2_removes_nothing(bank: Client) -> None:
    old = bank.core.activation("app-a")
    bank.core.activation("app-a", status="PENDING_COMMIT")
    await bank.ok("POST", f"{PATH}/commit", {"userId": "user-1"})
    assert _status(bank.core, old) == "ACTIVE"


def _event(activation_id: str, status: str = "ACTIVE") -> Event:
    data = {
        "activationId": activation_id,
        "applicationId": "app-a",
        "userId": "user-1",
        "protocol": "powerauth",
        "activationStatus": status,
    }
    return Event.create("activation.status_changed", "/powerauth-core", activation_id, data)


@both
async def test_event_triggers_the_replacement_once(start: Start, core: FakeCore) -> None:
    bus = DirectBus()
    service = await start(bus=bus)
    bank = await service.user("bank", ["app-a"])
    old = core.activation("app-a")
    await bank.ok("POST", PATH, {"userId": "user-1", "commitPhase": "ON_KEY_EXCHANGE"})
    new = _newest(core)
    core.exchange_keys(new)
    assert _status(core, new) == "ACTIVE"
    event = _event(new)
    await bus.deliver(event, event)
    assert [_status(core, old), _status(core, new)] == ["REMOVED", "ACTIVE"]
    assert await _rows(service) == []
    later = core.activation("app-a")
    await bus.deliver(_event(new), event)
    assert _status(core, later) == "ACTIVE"


async def test_event_of_a_registration_of_version_2_triggers_nothing(start: Start, core: FakeCore) -> None:
    bus = DirectBus()
    service = await start(bus=bus)
    await service.user("bank", ["app-a"])
    old, new = core.activation("app-a"), core.activation("app-a")
    await bus.deliver(_event(new))
    assert _status(core, old) == "ACTIVE"
    assert core.paths() == []


async def test_event_of_a_removed_registration_ends_its_replacement(start: Start, core: FakeCore) -> None:
    bus = DirectBus()
    service = await start(bus=bus)
    bank = await service.user("bank", ["app-a"])
    await bank.ok("POST", PATH, {"userId": "user-1"})
    new = _newest(core)
    await bus.deliver(_event(new, "PENDING_COMMIT"))
    assert await _rows(service) == [new]
    await bus.deliver(_event(new, "REMOVED"))
    assert await _rows(service) == []


async def test_replacement_that_no_event_brought_is_done_before_the_next(
    service: Service, bank: Client
) -> None:
    core = service.core
    first = core.activation("app-a")
    await bank.ok("POST", PATH, {"userId": "user-1", "commitPhase": "ON_KEY_EXCHANGE"})
    second = _newest(core)
    core.exchange_keys(second)
    await bank.ok("POST", PATH, {"userId": "user-1"})
    assert [_status(core, first), _status(core, second)] == ["REMOVED", "ACTIVE"]
    assert await _rows(service) == [_newest(core)]


@pytest.mark.parametrize(
    ("status", "members"),
    [
        ("CREATED", {"activationQrCodeData"}),
        ("PENDING_COMMIT", {"name", "platform", "deviceInfo", "activationFingerprint"}),
        ("ACTIVE", {"name", "platform", "deviceInfo"}),
        ("BLOCKED", {"name", "platform", "deviceInfo"}),
    ],
)
async def test_current_registration(bank: Client, status: str, members: set[str]) -> None:
    bank.core.activation("app-a", status="ACTIVE")
    bank.core.activation("app-a", status=status)
    bank.core.activation("app-a", status="REMOVED")
    found = await bank.ok("GET", PATH, userId="user-1")
    assert found.pop("registration") == status
    assert set(found) == members


async def test_no_registration(bank: Client) -> None:
    bank.core.activation("app-a", status="REMOVED")
    bank.core.activation("app-a", protocol="fido2")
    assert await bank.ok("GET", PATH, userId="user-1") == {"registration": "NONE"}


async def test_block_unblock_and_remove_the_current_one(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    await bank.ok("PUT", PATH, {"userId": "user-1", "change": "BLOCK", "blockedReason": "LOST"})
    assert bank.core.activations[activation_id]["blockedReason"] == "LOST"
    await bank.ok("PUT", PATH, {"userId": "user-1", "change": "UNBLOCK"})
    assert await bank.ok("DELETE", PATH, userId="user-1") == {"status": "OK"}
    assert _status(bank.core, activation_id) == "REMOVED"
    await bank.refused("DELETE", PATH, userId="user-1", code="ERROR_REGISTRATION_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "body", "query"),
    [
        ("POST", f"{PATH}/commit", {"userId": "user-1"}, {}),
        ("PUT", PATH, {"userId": "user-1", "change": "BLOCK"}, {}),
        ("DELETE", PATH, None, {"userId": "user-1"}),
    ],
)
async def test_changes_need_a_current_registration(
    service: Service, bank: Client, method: str, path: str, body: Any, query: dict[str, Any]
) -> None:
    await bank.refused(method, path, body, code="ERROR_REGISTRATION_NOT_FOUND", **query)
    nobody = await service.user("nobody")
    await nobody.refused(method, path, body, code="ERROR_REGISTRATION_NOT_FOUND", **query)


async def test_wrong_state(bank: Client) -> None:
    bank.core.activation("app-a", status="CREATED")
    for method, path, body in (
        ("POST", f"{PATH}/commit", {"userId": "user-1"}),
        ("PUT", PATH, {"userId": "user-1", "change": "BLOCK"}),
    ):
        await bank.refused(method, path, body, code="ERROR_REGISTRATION_CHANGE")


async def test_application_of_others(bank: Client, other_bank: Client) -> None:
    calls: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("POST", PATH, {"userId": "u", "appId": "app-b"}, {}),
        ("GET", PATH, None, {"userId": "u", "appId": "app-b"}),
        ("POST", f"{PATH}/commit", {"userId": "u", "appId": "app-b"}, {}),
        ("PUT", PATH, {"userId": "u", "appId": "app-b", "change": "BLOCK"}, {}),
        ("DELETE", PATH, None, {"userId": "u", "appId": "app-b"}),
    ]
    for method, path, body, query in calls:
        await bank.refused(method, path, body, code="ERROR_REGISTRATION", **query)


async def test_registration_in_progress_is_told_only_if_asked(bank: Client) -> None:
    bank.core.activation("app-a", status="CREATED")
    await bank.refused(
        "POST",
        PATH,
        {"userId": "user-1"},
        code="ERROR_REGISTRATION_NOT_ALLOWED",
        incompleteStatusCheck="true",
    )


async def test_operation_of_version_1(bank: Client) -> None:
    bank.core.template("login")
    made = await bank.ok(
        "POST", "/operations", {"userId": "user-1", "template": "login", "parameters": {"a": 1}}
    )
    operation_id = made["operationId"]
    assert set(made) == {
        "operationId",
        "userId",
        "status",
        "operationType",
        "template",
        "parameters",
        "failureCount",
        "maxFailureCount",
        "timestampCreated",
        "timestampExpires",
        "pushSent",
        "warnings",
    }
    found = await bank.ok("GET", "/operations", operationId=operation_id)
    assert made.pop("pushSent") is False
    del made["warnings"]
    assert found == {**made, "additionalData": {}}
    await bank.ok("DELETE", "/operations", operationId=operation_id, statusReason="X")
    await bank.refused("DELETE", "/operations", operationId=operation_id, code="ERROR_OPERATION_STATE_CHANGE")


async def test_offline_approval_by_the_current_registration(bank: Client) -> None:
    bank.core.activation("app-a")
    current = bank.core.activation("app-a")
    operation_id = bank.core.operation("app-a")
    made = await bank.ok("GET", "/operations/offline/qr", operationId=operation_id)
    assert bank.core.last("signature/offline/personalized/create")["activationId"] == current
    request = {"operationId": operation_id, "otp": GOOD_OFFLINE_CODE, "nonce": made["nonce"]}
    answer = await bank.ok("POST", "/operations/offline/otp", request)
    assert (answer["otpValid"], answer["registrationId"]) == (True, current)


async def test_offline_approval_needs_a_current_registration(bank: Client) -> None:
    for operation_id in (bank.core.operation("app-a"), bank.core.operation("app-a", user_id=None)):
        await bank.refused(
            "GET", "/operations/offline/qr", operationId=operation_id, code="ERROR_REGISTRATION_NOT_FOUND"
        )
        request = {"operationId": operation_id, "otp": GOOD_OFFLINE_CODE, "nonce": NONCE}
        await bank.refused("POST", "/operations/offline/otp", request, code="ERROR_REGISTRATION_NOT_FOUND")
