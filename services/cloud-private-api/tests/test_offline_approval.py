"""Offline approval: QR code and rewritten code (spec/cloud-api.md §5.4, §5.5, §14)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cloud_client import Client, Service, Start
from cloud_fake_core import GOOD_OFFLINE_CODE, FakeCore

from cloud_private_api.localizations.rules import fill_mobile_text, fill_push_text
from cloud_private_api.offline import rules as offline
from cloud_private_api.verification.rules import offline_data, typed_code
from powerauth_contracts.rest.operations import OperationDetailResponse

NONCE = "AAECAwQFBgcICQoLDA0ODw=="
KEY = bytes(32)
OPERATION_ID = "11111111-2222-4333-8444-555555555555"
REGISTRATION_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

NOT_SET = (
    "userId",
    "externalId",
    "activationFlag",
    "templateName",
    "statusReason",
    "timestampFinalized",
    "riskFlags",
    "proximityOtp",
    "activationId",
)


def _operation(**members: Any) -> OperationDetailResponse:
    return OperationDetailResponse.model_validate(
        {
            **dict.fromkeys(NOT_SET),
            "id": OPERATION_ID,
            "applications": [],
            "parameters": {},
            "additionalData": {},
            "maxFailureCount": 5,
            "operationType": "login",
            "data": "A2",
            "status": "PENDING",
            "failureCount": 0,
            "timestampCreated": 0,
            "timestampExpires": 0,
            "signatureType": ["POSSESSION_BIOMETRY"],
            **members,
        }
    )


def test_derivation_gives_the_check_values() -> None:
    secrets = offline.derive(KEY, OPERATION_ID, REGISTRATION_ID)
    assert base64.b64encode(secrets.nonce).decode() == "kOkKrj8aUq0eJqWTHXWrHQ=="
    assert secrets.seed == "0M4fg1wdMXRNUlyiL9g+d9iKj/1fWv1J2KKbtByUn4A="
    assert secrets.proximity_check()["stepLength"] == 30


def test_base_string_is_that_of_the_example() -> None:
    assert offline_data("/operation/authorize/offline", base64.b64decode(NONCE), f"{OPERATION_ID}&A2") == (
        "POST&L29wZXJhdGlvbi9hdXRob3JpemUvb2ZmbGluZQ==&AAECAwQFBgcICQoLDA0ODw=="
        "&MTExMTExMTEtMjIyMi00MzMzLTg0NDQtNTU1NTU1NTU1NTU1JkEy"
    )


def test_payload_has_five_lines() -> None:
    data = offline.payload_data(_operation(riskFlags="CX"), "Log in", "to e-banking")
    assert data == f"{OPERATION_ID}\nLog in\nto e-banking\nA2\nBXC"


def test_texts_cannot_break_out_of_their_line() -> None:
    data = offline.payload_data(_operation(signatureType=[]), "a\nb\\c", "\r\x00\x1b[1mtext\x7f\t")
    assert data == f"{OPERATION_ID}\na\\nb\\\\c\n[1mtext\nA2\n"


@pytest.mark.parametrize(
    ("text", "parameters", "mobile", "push"),
    [
        ("Pay ${a}", {"a": "1"}, "Pay 1", "Pay 1"),
        ("Pay ${b}", {"a": "1"}, "Pay ${b}", "Pay "),
        ("Pay ${b:-nothing}", {"a": "1"}, "Pay nothing", "Pay nothing"),
        ("Pay ${a:-nothing}", {"a": "1"}, "Pay 1", "Pay 1"),
        ("$${a} $a {a}", {"a": "1"}, "${a} $a {a}", "${a} $a {a}"),
        ("${a}${b}", {"a": "${b}", "b": "x"}, "${b}x", "${b}x"),
        ("${a}", {"a": None}, "${a}", ""),
        ("${a}", {}, "${a}", ""),
    ],
)
def test_placeholders_are_filled_in_one_pass(
    text: str, parameters: dict[str, str | None], mobile: str, push: str
) -> None:
    assert fill_mobile_text(text, parameters) == mobile
    assert fill_push_text(text, parameters) == push


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("12345678-90123456", "12345678-90123456"),
        ("1234567890123456", "12345678-90123456"),
        ("1234-5678 9012-3456", "12345678-90123456"),
        ("12345678", "12345678"),
    ],
)
def test_typed_code_is_brought_into_form(typed: str, code: str) -> None:
    assert typed_code(typed, one_factor=True) == code


# HTTP


@pytest.fixture
def registration(core: FakeCore) -> str:
    return core.activation("app-a")


def _qr(operation_id: str) -> str:
    return f"/v2/operations/{operation_id}/offline/qr"


def _otp(operation_id: str) -> str:
    return f"/v2/operations/{operation_id}/offline/otp"


async def test_qr_code_is_made_for_one_registration(bank: Client, registration: str) -> None:
    operation_id = bank.core.operation("app-a")
    made = await bank.ok("GET", _qr(operation_id), registrationId=registration)
    sent = bank.core.last("signature/offline/personalized/create")
    assert sent == {
        "activationId": registration,
        "applicationIds": ["app-a"],
        "data": f"{operation_id}\nlogin\n\nA2\nB",
    }
    assert made["operationQrCodeData"] == f"{sent['data']}\n{made['nonce']}\n1MEUC"
    assert "operation/claim" not in bank.core.paths()


async def test_operation_without_owner_becomes_the_registrations_users(
    bank: Client, registration: str
) -> None:
    operation_id = bank.core.operation("app-a", user_id=None)
    await bank.ok("GET", _qr(operation_id), registrationId=registration)
    assert bank.core.operations[operation_id]["userId"] == "user-1"


async def test_texts_for_the_app_win_in_the_asked_language(bank: Client, registration: str) -> None:
    for language, title in (("en", "Pay ${amount}"), ("cs", "Zaplatit ${amount}")):
        bank.core.texts["login", language] = {
            "placeholder": "login",
            "language": language,
            "title": title,
            "message": "${unknown}",
        }
    operation_id = bank.core.operation("app-a", parameters={"amount": "5"})
    for language, title in (("cs", "Zaplatit 5"), ("CS", "Zaplatit 5"), ("en", "Pay 5"), ("de", "Pay 5")):
        await bank.ok("GET", _qr(operation_id), registrationId=registration, language=language)
        lines = bank.core.last("signature/offline/personalized/create")["data"].split("\n")
        assert lines[1:3] == [title, "${unknown}"]
    assert bank.core.paths().count("operation/text/list") == 1


async def test_push_texts_stand_in(bank: Client, admin: Client, registration: str) -> None:
    await admin.ok("PUT", "/admin/localizations/login/en", {"title": "Sign in", "summary": "at ${shop}"})
    operation_id = bank.core.operation("app-a", parameters={"shop": "Corner"})
    await bank.ok("GET", _qr(operation_id), registrationId=registration, language="fr")
    lines = bank.core.last("signature/offline/personalized/create")["data"].split("\n")
    assert lines[1:3] == ["Sign in", "at Corner"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("operation", "activation", "code"),
    [
        ({"status": "APPROVED"}, {}, "ERROR_OPERATION_STATE_CHANGE"),
        ({"status": "EXPIRED"}, {}, "ERROR_OPERATION_STATE_CHANGE"),
        ({"user_id": "user-2"}, {}, "ERROR_OPERATION_NOT_FOUND"),
        ({"activationFlag": "F"}, {}, "ERROR_OPERATION_NOT_FOUND"),
        ({"activationId": "another"}, {}, "ERROR_OPERATION_NOT_FOUND"),
        ({}, {"status": "BLOCKED"}, "ERROR_REGISTRATION_CHANGE"),
        ({}, {"status": "PENDING_COMMIT"}, "ERROR_REGISTRATION_CHANGE"),
    ],
)
async def test_operation_and_registration_must_fit(
    bank: Client, method: str, operation: dict[str, Any], activation: dict[str, Any], code: str
) -> None:
    registration = bank.core.activation("app-a", **activation)
    operation_id = bank.core.operation("app-a", **operation)
    with bank.core.no_change():
        if method == "GET":
            await bank.refused("GET", _qr(operation_id), registrationId=registration, code=code)
        else:
            body = {"otp": GOOD_OFFLINE_CODE, "nonce": NONCE, "registrationId": registration}
            await bank.refused("POST", _otp(operation_id), body, code=code)


async def test_registration_must_be_of_an_application_of_the_operation(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    registration = service.core.activation("app-b")
    operation_id = service.core.operation("app-a")
    await caller.refused(
        "GET", _qr(operation_id), registrationId=registration, code="ERROR_OPERATION_NOT_FOUND"
    )


async def test_registration_with_the_flag_fits(bank: Client) -> None:
    registration = bank.core.activation("app-a", activationFlags=["F"])
    operation_id = bank.core.operation("app-a", activationFlag="F", activationId=registration)
    await bank.ok("GET", _qr(operation_id), registrationId=registration)


async def test_right_code_approves(bank: Client, registration: str) -> None:
    operation_id = bank.core.operation("app-a")
    body = {"otp": "1234 5678 9012 3456", "nonce": NONCE, "registrationId": registration}
    assert await bank.ok("POST", _otp(operation_id), body) == {
        "otpValid": True,
        "userId": "user-1",
        "registrationId": registration,
        "registrationStatus": "ACTIVE",
        "signatureType": "POSSESSION_KNOWLEDGE",
        "remainingAttempts": 5,
        "applicationId": "app-a",
        "flags": [],
        "applicationRoles": ["ROLE_A"],
    }
    assert bank.core.last("signature/offline/verify") == {
        "activationId": registration,
        "applicationIds": ["app-a"],
        "data": offline_data("/operation/authorize/offline", base64.b64decode(NONCE), f"{operation_id}&A2"),
        "signature": GOOD_OFFLINE_CODE,
        "componentLength": 8,
        "allowBiometry": True,
    }
    approved = bank.core.operations[operation_id]
    assert approved["status"] == "APPROVED"
    assert approved["additionalData"] == {
        "activationId": registration,
        "applicationId": "app-a",
        "authFactor": "possession_knowledge",
    }
    await bank.refused("POST", _otp(operation_id), body, code="ERROR_OPERATION_STATE_CHANGE")


async def test_wrong_code_counts_on_registration_and_operation(bank: Client, registration: str) -> None:
    operation_id = bank.core.operation("app-a")
    body = {"otp": "0000000000000000", "nonce": NONCE, "registrationId": registration}
    answer = await bank.ok("POST", _otp(operation_id), body)
    assert (answer["otpValid"], answer["remainingAttempts"]) == (False, 4)
    assert bank.core.operations[operation_id]["failureCount"] == 1
    assert bank.core.operations[operation_id]["status"] == "PENDING"


async def test_code_of_a_registration_blocked_meanwhile_counts_nothing(
    bank: Client, registration: str
) -> None:
    operation_id = bank.core.operation("app-a")
    bank.core.script(
        "signature/offline/verify",
        {"signatureValid": False, "activationId": registration, "activationStatus": "BLOCKED"},
    )
    body = {"otp": "0" * 16, "nonce": NONCE, "registrationId": registration}
    assert await bank.ok("POST", _otp(operation_id), body) == {
        "otpValid": False,
        "registrationId": registration,
        "registrationStatus": "BLOCKED",
    }
    assert "operation/approve/fail" not in bank.core.paths()


@pytest.mark.parametrize("result", ["APPROVAL_FAILED", "OPERATION_FAILED"])
async def test_right_code_is_never_reported_without_the_approval(
    bank: Client, registration: str, result: str
) -> None:
    operation_id = bank.core.operation("app-a")
    bank.core.script("operation/approve", {"result": result, "operation": bank.core.operations[operation_id]})
    body = {"otp": GOOD_OFFLINE_CODE, "nonce": NONCE, "registrationId": registration}
    await bank.refused("POST", _otp(operation_id), body, code="ERROR_OPERATION_STATE_CHANGE")
    bank.core.refuse("operation/approve", "ERR0037")
    await bank.refused("POST", _otp(operation_id), body, code="ERROR_OPERATION_STATE_CHANGE")


async def test_failure_on_an_operation_that_is_final_by_now(bank: Client, registration: str) -> None:
    operation_id = bank.core.operation("app-a")
    bank.core.refuse("operation/approve/fail", "ERR0036")
    body = {"otp": "0" * 16, "nonce": NONCE, "registrationId": registration}
    assert (await bank.ok("POST", _otp(operation_id), body))["otpValid"] is False


@pytest.mark.parametrize(
    "otp", ["", "1234", "1" * 15, "1" * 17, "12345678", "1234567a90123456", "\u0661" * 16]
)
async def test_code_has_sixteen_digits(bank: Client, registration: str, otp: str) -> None:
    body = {"otp": otp, "nonce": NONCE, "registrationId": registration}
    await bank.refused("POST", _otp(bank.core.operation("app-a")), body, code="ERROR_OTP_INVALID")
    assert "signature/offline/verify" not in bank.core.paths()


async def test_code_of_one_factor_has_eight_digits(bank: Client, registration: str) -> None:
    operation_id = bank.core.operation("app-a", signatureType=["POSSESSION"])
    body = {"otp": "1234-5678", "nonce": NONCE, "registrationId": registration}
    assert (await bank.ok("POST", _otp(operation_id), body))["otpValid"] is False
    sent = bank.core.last("signature/offline/verify")
    assert (sent["signature"], sent["allowBiometry"]) == ("12345678", False)


@pytest.mark.parametrize("nonce", ["", "AA==", "not base64", NONCE.rstrip("="), NONCE[:-3] + "x=="])
async def test_nonce_is_base64_of_sixteen_bytes(bank: Client, registration: str, nonce: str) -> None:
    body = {"otp": GOOD_OFFLINE_CODE, "nonce": nonce, "registrationId": registration}
    assert await bank.violation("POST", _otp(bank.core.operation("app-a")), body) == "nonce"


async def test_proximity_check_uses_derived_nonce_and_seed(start: Start, core: FakeCore) -> None:
    service = await start(offline_derivation_key=base64.b64encode(KEY).decode())
    bank = await service.user("bank", ["app-a"])
    registration = core.activation("app-a")
    operation_id = core.operation("app-a", proximityOtp="87654321")
    secrets = offline.derive(KEY, operation_id, registration)
    nonce = base64.b64encode(secrets.nonce).decode()
    for _ in range(2):
        made = await bank.ok("GET", _qr(operation_id), registrationId=registration)
        assert made["nonce"] == nonce
    sent = core.last("signature/offline/personalized/create")
    assert sent["proximityCheck"] == {"seed": secrets.seed, "stepLength": 30}

    body = {"otp": GOOD_OFFLINE_CODE, "nonce": NONCE, "registrationId": registration}
    assert await bank.violation("POST", _otp(operation_id), body) == "nonce"
    assert "signature/offline/verify" not in core.paths()
    assert (await bank.ok("POST", _otp(operation_id), {**body, "nonce": nonce}))["otpValid"] is True
    checked = core.last("signature/offline/verify")["proximityCheck"]
    assert checked == {"seed": secrets.seed, "stepLength": 30, "stepCount": 2}
    assert core.last("operation/approve")["additionalData"]["proximity_otp"] == "87654321"


async def test_what_was_made_with_a_previous_derivation_key_is_answered(start: Start, core: FakeCore) -> None:
    new, old = base64.b64encode(bytes(range(32))).decode(), base64.b64encode(KEY).decode()
    service = await start(offline_derivation_key=new, offline_derivation_previous_keys=old)
    bank = await service.user("bank", ["app-a"])
    registration = core.activation("app-a")
    operation_id = core.operation("app-a", proximityOtp="87654321")
    shown = offline.derive(KEY, operation_id, registration)
    body = {"otp": GOOD_OFFLINE_CODE, "nonce": base64.b64encode(shown.nonce).decode()}
    made = await bank.ok("GET", _qr(operation_id), registrationId=registration)
    assert made["nonce"] != body["nonce"]
    assert (await bank.ok("POST", _otp(operation_id), {**body, "registrationId": registration}))["otpValid"]
    assert core.last("signature/offline/verify")["proximityCheck"]["seed"] == shown.seed


async def test_number_stands_for_the_otp(bank: Client, registration: str) -> None:
    operation_id = bank.core.operation("app-a", numberMatching="42")
    assert (await bank.ok("GET", f"/v2/operations/{operation_id}"))["numberMatching"] == "42"
    await bank.ok("GET", _qr(operation_id), registrationId=registration)
    data = bank.core.last("signature/offline/personalized/create")["data"]
    assert data.split("\n")[0::5] == [operation_id, "42"]
    body = {"otp": GOOD_OFFLINE_CODE, "nonce": NONCE, "registrationId": registration}
    assert (await bank.ok("POST", _otp(operation_id), body))["otpValid"] is True
    signed = base64.b64decode(bank.core.last("signature/offline/verify")["data"].rpartition("&")[2])
    assert signed.decode().split("&")[0::2] == [operation_id, "42"]
    assert bank.core.last("operation/approve")["numberMatching"] == "42"


async def test_proximity_check_needs_its_key(bank: Client, registration: str) -> None:
    operation_id = bank.core.operation("app-a", proximityOtp="87654321")
    await bank.refused("GET", _qr(operation_id), registrationId=registration, code="ERROR_REQUEST")


async def test_parameters_of_the_qr_code(bank: Client, registration: str) -> None:
    path = _qr(bank.core.operation("app-a"))
    assert await bank.violation("GET", path) == "getOfflineQrV2.registrationId"
    name = await bank.violation("GET", path, registrationId=registration, language="eng")
    assert name == "getOfflineQrV2.language"
