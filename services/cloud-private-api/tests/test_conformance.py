"""The flows of spec/cloud-api.md §19 that need no real device or core."""

from __future__ import annotations

from cloud_client import Client, Service
from cloud_fake_core import BAD_CODE, GOOD_CODE, GOOD_OFFLINE_CODE, FakeCore

NONCE = "AAECAwQFBgcICQoLDA0ODw=="


def _verify(core: FakeCore, activation_id: str, code: str) -> dict[str, str]:
    header = (
        f'PowerAuth pa_activation_id="{activation_id}", pa_application_key="{core.key_of("app-a")}", '
        f'pa_nonce="{NONCE}", pa_signature_type="possession_knowledge", pa_signature="{code}", '
        'pa_version="3.3"'
    )
    return {"method": "POST", "uriId": "/login", "authHeader": header, "requestBody": "e30="}


async def test_1_and_2_registration_from_qr_code_to_active(bank: Client, core: FakeCore) -> None:
    made = await bank.ok("POST", "/v2/registrations", {"userId": "user-1", "appId": "app-a"})
    code, signature = made["activationQrCodeData"].split("#")
    assert (code, signature) == (made["activationCode"], made["activationCodeSignature"])
    path = f"/v2/registrations/{made['registrationId']}"
    core.exchange_keys(made["registrationId"])
    pending = await bank.ok("GET", path)
    assert pending["registrationStatus"] == "PENDING_COMMIT"
    assert len(pending["activationFingerprint"]) == 8
    assert "activationCode" not in pending
    await bank.ok("POST", f"{path}/commit", {"externalUserId": None})
    active = await bank.ok("GET", path)
    assert active["registrationStatus"] == "ACTIVE"
    assert "activationFingerprint" not in active
    await bank.refused("POST", f"{path}/commit", {}, code="ERROR_REGISTRATION_CHANGE")


async def test_3_second_registration_in_progress(bank: Client) -> None:
    body = {"userId": "user-1", "appId": "app-a"}
    await bank.ok("POST", "/v2/registrations", body)
    await bank.refused(
        "POST",
        "/v2/registrations",
        body,
        code="ERROR_REGISTRATION_NOT_ALLOWED",
        incompleteStatusCheck="true",
    )
    await bank.ok("POST", "/v2/registrations", body)


async def test_4_blocking_and_removing(bank: Client, core: FakeCore) -> None:
    activation_id = core.activation("app-a")
    path = f"/v2/registrations/{activation_id}"
    for _ in range(2):
        await bank.ok("PUT", path, {"change": "BLOCK"})
    verified = await bank.ok("POST", "/v2/signature/verify", _verify(core, activation_id, GOOD_CODE))
    assert (verified["signatureValid"], verified["registrationStatus"]) == (False, "BLOCKED")
    await bank.ok("PUT", path, {"change": "UNBLOCK"})
    await bank.ok("DELETE", path)
    assert (await bank.ok("GET", "/v2/registrations", userId="user-1"))["registrations"] == []
    shown = (await bank.ok("GET", "/v2/registrations", userId="user-1", removed="true"))["registrations"]
    assert [item["registrationStatus"] for item in shown] == ["REMOVED"]


async def test_5_five_wrong_codes(bank: Client, core: FakeCore) -> None:
    activation_id = core.activation("app-a")
    request = _verify(core, activation_id, BAD_CODE)
    answers = [await bank.ok("POST", "/v2/signature/verify", request) for _ in range(5)]
    assert [answer["remainingAttempts"] for answer in answers] == [4, 3, 2, 1, 0]
    assert answers[4]["registrationStatus"] == "BLOCKED"
    assert answers[4]["blockedReason"] == "MAX_FAILED_ATTEMPTS"


async def test_7_operation_is_canceled_once(bank: Client, core: FakeCore) -> None:
    core.template("login")
    made = await bank.ok(
        "POST", "/v2/operations", {"userId": "user-1", "template": "login", "language": "en", "silent": True}
    )
    assert made["status"] == "PENDING"
    path = f"/v2/operations/{made['operationId']}"
    await bank.ok("DELETE", path, statusReason="X")
    canceled = await bank.ok("GET", path)
    assert (canceled["status"], canceled["statusReason"]) == ("CANCELED", "X")
    await bank.refused("DELETE", path, statusReason="X", code="ERROR_OPERATION_STATE_CHANGE")


async def test_8_expired_operation_reads_as_expired(bank: Client, core: FakeCore) -> None:
    operation_id = core.operation("app-a", status="EXPIRED")
    assert (await bank.ok("GET", f"/v2/operations/{operation_id}"))["status"] == "EXPIRED"


async def test_9_offline_approval(bank: Client, core: FakeCore) -> None:
    activation_id, operation_id = core.activation("app-a"), core.operation("app-a")
    path = f"/v2/operations/{operation_id}/offline"
    made = await bank.ok("GET", f"{path}/qr", registrationId=activation_id)
    request = {"nonce": made["nonce"], "registrationId": activation_id, "otp": "0000000000000000"}
    assert (await bank.ok("POST", f"{path}/otp", request))["otpValid"] is False
    assert (await bank.ok("GET", f"/v2/operations/{operation_id}"))["failureCount"] == 1
    request["otp"] = GOOD_OFFLINE_CODE
    assert (await bank.ok("POST", f"{path}/otp", request))["otpValid"] is True
    assert (await bank.ok("GET", f"/v2/operations/{operation_id}"))["status"] == "APPROVED"


async def test_11_password_is_shown_once(admin: Client) -> None:
    made = await admin.ok("POST", "/admin/users", {"username": "integration"})
    assert len(made["password"]) == 24
    assert "password" not in await admin.ok("GET", "/admin/users/integration")
    assert "password" not in await admin.ok("PUT", "/admin/users/integration", {"enabled": True})


async def test_12_no_credentials(service: Service) -> None:
    response = await service.anonymous().send("GET", "/v2/registrations?userId=u")
    assert response.status_code == 401
    assert response.json()["responseObject"]["code"] == "HTTP_401"
