"""Verification of codes, tokens and device signatures (spec/cloud-api.md §7)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_core import BAD_CODE, GOOD_CODE, FakeCore, b64

from cloud_private_api.verification.routes import signed_request
from cloud_private_api.verification.rules import normalized_data
from powerauth_contracts.cloud.verification import VerifySignature

NONCE = "AAECAwQFBgcICQoLDA0ODw=="
VERIFY = "/v2/signature/verify"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def _header(core: FakeCore, activation_id: str, app_id: str = "app-a", **changed: Any) -> str:
    fields: dict[str, Any] = {
        "pa_activation_id": activation_id,
        "pa_application_key": core.key_of(app_id),
        "pa_nonce": NONCE,
        "pa_signature_type": "possession_knowledge",
        "pa_signature": GOOD_CODE,
        "pa_version": "3.3",
        **changed,
    }
    pairs = [f'{name}="{value}"' for name, value in fields.items() if value is not None]
    return "PowerAuth " + ", ".join(pairs)


def _request(header: str, **changed: Any) -> dict[str, Any]:
    return {"method": "POST", "uriId": "/login", "authHeader": header, "requestBody": b64(b"{}"), **changed}


@pytest.fixture
def registration(core: FakeCore) -> str:
    core.application("app-a")
    return core.activation("app-a")


async def test_right_code(bank: Client, registration: str) -> None:
    assert await bank.ok("POST", VERIFY, _request(_header(bank.core, registration))) == {
        "signatureValid": True,
        "userId": "user-1",
        "registrationId": registration,
        "registrationStatus": "ACTIVE",
        "signatureType": "POSSESSION_KNOWLEDGE",
        "remainingAttempts": 5,
        "applicationId": "app-a",
        "flags": [],
        "applicationRoles": ["ROLE_A"],
        "version": "3.3",
    }
    assert bank.core.last("signature/verify") == {
        "activationId": registration,
        "applicationIds": ["app-a"],
        "applicationKey": bank.core.key_of("app-a"),
        "data": f"POST&L2xvZ2lu&{NONCE}&e30=",
        "signature": GOOD_CODE,
        "signatureType": "POSSESSION_KNOWLEDGE",
        "signatureVersion": "3.3",
    }


async def test_hot_path_is_one_call_to_the_core(bank: Client, registration: str) -> None:
    await bank.ok("POST", VERIFY, _request(_header(bank.core, registration)))
    bank.core.calls.clear()
    await bank.ok("POST", VERIFY, _request(_header(bank.core, registration)))
    assert bank.core.paths() == ["signature/verify"]


async def test_five_wrong_codes_block(bank: Client, registration: str) -> None:
    request = _request(_header(bank.core, registration, pa_signature=BAD_CODE))
    answers = [await bank.ok("POST", VERIFY, request) for _ in range(5)]
    assert [answer["remainingAttempts"] for answer in answers] == [4, 3, 2, 1, 0]
    assert [answer["signatureValid"] for answer in answers] == [False] * 5
    assert (answers[3]["registrationStatus"], answers[4]["registrationStatus"]) == ("ACTIVE", "BLOCKED")
    assert answers[4]["blockedReason"] == "MAX_FAILED_ATTEMPTS"
    assert await bank.ok("POST", VERIFY, request) == {
        "signatureValid": False,
        "registrationId": registration,
        "registrationStatus": "BLOCKED",
        "blockedReason": "MAX_FAILED_ATTEMPTS",
    }


async def test_unknown_registration(bank: Client, registration: str) -> None:
    assert await bank.ok("POST", VERIFY, _request(_header(bank.core, UNKNOWN))) == {
        "signatureValid": False,
        "registrationId": UNKNOWN,
        "registrationStatus": "REMOVED",
    }


async def test_registration_of_others_looks_unknown_and_loses_no_attempt(
    bank: Client, other_bank: Client
) -> None:
    foreign = bank.core.activation("app-b")
    answers = []
    for _ in range(2):
        with bank.core.no_change():
            request = _request(_header(bank.core, foreign, pa_signature=BAD_CODE))
            answers.append(await bank.ok("POST", VERIFY, request))
        # Its own bank verifies meanwhile, so that this service knows whose it is.
        await other_bank.ok("POST", VERIFY, _request(_header(bank.core, foreign, "app-b")))
    assert answers[0] == answers[1]
    assert answers[0] == {"signatureValid": False, "registrationId": foreign, "registrationStatus": "REMOVED"}


async def test_core_that_answers_about_others_is_not_believed(bank: Client, registration: str) -> None:
    foreign = {
        "signatureValid": True,
        "activationId": registration,
        "activationStatus": "ACTIVE",
        "userId": "user-1",
        "applicationId": "app-b",
    }
    bank.core.script("signature/verify", foreign)
    answer = await bank.ok("POST", VERIFY, _request(_header(bank.core, registration)))
    assert answer["signatureValid"] is False
    assert answer["registrationStatus"] == "REMOVED"


@pytest.mark.parametrize("key", ["other", "unknown"])
async def test_key_of_others_is_refused_before_the_core_verifies(
    bank: Client, other_bank: Client, registration: str, key: str
) -> None:
    application_key = bank.core.key_of("app-b") if key == "other" else b64(bytes(16))
    header = _header(bank.core, registration, pa_application_key=application_key, pa_signature=BAD_CODE)
    with bank.core.no_change():
        await bank.refused("POST", VERIFY, _request(header), code="ERROR_SIGNATURE_INVALID")
    assert "signature/verify" not in bank.core.paths()


async def test_key_and_registration_of_two_own_applications_are_left_to_the_core(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    registration = service.core.activation("app-b")
    await caller.ok("POST", VERIFY, _request(_header(service.core, registration, "app-a")))
    assert service.core.last("signature/verify")["applicationIds"] == ["app-a", "app-b"]


@pytest.mark.parametrize(
    "changed",
    [
        {"pa_activation_id": None},
        {"pa_activation_id": "1"},
        {"pa_nonce": "AAA="},
        {"pa_nonce": "AAECAwQFBgcICQoLDA0ODw"},
        {"pa_signature_type": "pin"},
        {"pa_signature": "123"},
        {"pa_application_key": "AAAA"},
        {"pa_version": None},
        {"pa_version": "2.1"},
        {"pa_version": "4.0"},
    ],
)
async def test_malformed_header(bank: Client, registration: str, changed: dict[str, Any]) -> None:
    request = _request(_header(bank.core, registration, **changed))
    await bank.refused("POST", VERIFY, request, code="ERROR_SIGNATURE_INVALID")
    assert bank.core.paths() == []


@pytest.mark.parametrize("header", ["", "PowerAuth", "Basic x", 'poweraUth pa_version="3.3"', "x" * 8_192])
async def test_text_that_is_no_header(bank: Client, header: str) -> None:
    await bank.refused("POST", VERIFY, _request(header), code="ERROR_SIGNATURE_INVALID")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"method": "PATCH"}, "method"),
        ({"method": None}, "method"),
        ({"uriId": [1]}, "uriId"),
        ({"authHeader": None}, "authHeader"),
        ({"authHeader": 1}, "authHeader"),
        ({"authHeader": "x" * 8_193}, "authHeader"),
        ({"queryParams": {"a": "b" * 9_000}, "method": "GET"}, "queryParams"),
        ({"requestBody": "not base64"}, "requestBody"),
        ({"queryParams": {"a": {}}, "method": "GET"}, "queryParams.a"),
        ({"allowedSignatureTypes": ["possession"]}, "allowedSignatureTypes.0"),
    ],
)
async def test_request_that_cannot_be_used(
    bank: Client, registration: str, changed: dict[str, Any], field: str
) -> None:
    request = _request(_header(bank.core, registration), **changed)
    found = await bank.refused("POST", VERIFY, request, code="ERROR_REQUEST")
    assert found["violations"][0]["fieldName"] == field


async def test_header_is_never_repeated_in_an_error(bank: Client) -> None:
    response = await bank.send("POST", VERIFY, {"method": "x", "uriId": "", "authHeader": ["secret"]})
    assert "secret" not in response.text


async def test_allowed_types_are_checked_before_the_core_is_asked(bank: Client, registration: str) -> None:
    request = _request(_header(bank.core, registration), allowedSignatureTypes=["POSSESSION_BIOMETRY"])
    await bank.refused("POST", VERIFY, request, code="ERROR_SIGNATURE_INVALID")
    assert bank.core.paths() == []
    request["allowedSignatureTypes"].append("POSSESSION_KNOWLEDGE")
    await bank.ok("POST", VERIFY, request)


@pytest.mark.parametrize(
    ("request_members", "body"),
    [
        ({"method": "POST", "requestBody": b64(b"{}")}, b"{}"),
        ({"method": "put", "requestBody": None}, b""),
        ({"method": "DELETE", "queryParams": {"a": "1"}}, b""),
        ({"method": "GET"}, b""),
        ({"method": "GET", "requestBody": b64(b"{}")}, b""),
        ({"method": "GET", "queryParams": {}}, b""),
        ({"method": "GET", "queryParams": {"b": "2 x", "a": "ž"}}, b"a=%C5%BE&b=2+x"),
        ({"method": "GET", "queryParams": {"b": ["2", "1"], "a~": "*-._&="}}, b"a%7E=*-._%26%3D&b=1&b=2"),
        ({"method": "GET", "queryParams": {"a": ""}}, b"a="),
    ],
)
def test_signed_data(request_members: dict[str, Any], body: bytes) -> None:
    request = VerifySignature.model_validate({"uriId": "/x", "authHeader": "", **request_members})
    assert normalized_data(signed_request(request), NONCE) == "&".join(
        (request.method, b64(b"/x"), NONCE, base64.b64encode(body).decode())
    )


def test_signed_data_of_the_example() -> None:
    request = VerifySignature.model_validate(
        {"method": "GET", "uriId": "/account/list", "authHeader": "", "queryParams": {"b": "2 x", "a": "ž"}}
    )
    assert normalized_data(signed_request(request), NONCE) == (
        "GET&L2FjY291bnQvbGlzdA==&AAECAwQFBgcICQoLDA0ODw==&YT0lQzUlQkUmYj0yK3g="
    )


@pytest.mark.parametrize(
    ("core_code", "answer"), [("ERR0024", "ERROR_SIGNATURE_INVALID"), ("ERR0022", "ERROR_INTERNAL_API")]
)
async def test_core_refusal_of_a_verification(
    bank: Client, registration: str, core_code: str, answer: str
) -> None:
    bank.core.refuse("signature/verify", core_code)
    status = 500 if answer == "ERROR_INTERNAL_API" else 400
    request = _request(_header(bank.core, registration))
    await bank.refused("POST", VERIFY, request, status=status, code=answer)


# Tokens

TOKEN_ID = "3cf0d6ca-7e7a-4a4c-9a8b-9d2f4f8c1d23"
TOKEN = "/v2/token/verify"


def _token(**changed: str | None) -> dict[str, str]:
    fields: dict[str, str | None] = {
        "token_id": TOKEN_ID,
        "token_digest": GOOD_CODE,
        "nonce": NONCE,
        "timestamp": "1700000000000",
        "version": "3.3",
        **changed,
    }
    pairs = [f'{name}="{value}"' for name, value in fields.items() if value is not None]
    return {"authHeader": "PowerAuth " + ", ".join(pairs)}


@pytest.fixture
def token(core: FakeCore, registration: str) -> None:
    core.tokens[TOKEN_ID] = {
        "activationId": registration,
        "activationStatus": "ACTIVE",
        "userId": "user-1",
        "applicationId": "app-a",
        "signatureType": "POSSESSION",
        "applicationRoles": [],
        "activationFlags": ["F"],
    }


async def test_right_token(bank: Client, registration: str, token: None) -> None:
    assert await bank.ok("POST", TOKEN, _token()) == {
        "tokenValid": True,
        "userId": "user-1",
        "registrationId": registration,
        "registrationStatus": "ACTIVE",
        "signatureType": "POSSESSION",
        "applicationId": "app-a",
        "flags": ["F"],
        "applicationRoles": [],
    }
    assert bank.core.last("token/validate") == {
        "tokenId": TOKEN_ID,
        "applicationIds": ["app-a"],
        "tokenDigest": GOOD_CODE,
        "nonce": NONCE,
        "timestamp": 1_700_000_000_000,
        "protocolVersion": "3.3",
    }


async def test_wrong_digest_is_no_error(bank: Client, token: None) -> None:
    answer = await bank.ok("POST", TOKEN, _token(token_digest=BAD_CODE))
    assert (answer["tokenValid"], answer["userId"]) == (False, "user-1")


@pytest.mark.usefixtures("token")
async def test_unknown_token_and_token_of_others_look_alike(bank: Client, other_bank: Client) -> None:
    assert await bank.ok("POST", TOKEN, _token(token_id=UNKNOWN)) == {"tokenValid": False}
    assert await other_bank.ok("POST", TOKEN, _token()) == {"tokenValid": False}


async def test_core_that_validates_tokens_of_others_is_not_believed(bank: Client, token: None) -> None:
    bank.core.script(
        "token/validate", {**bank.core.tokens[TOKEN_ID], "tokenValid": True, "applicationId": "app-b"}
    )
    assert await bank.ok("POST", TOKEN, _token()) == {"tokenValid": False}


async def test_replayed_nonce_is_no_error(bank: Client, token: None) -> None:
    bank.core.refuse("token/validate", "ERR0024")
    assert await bank.ok("POST", TOKEN, _token()) == {"tokenValid": False}


@pytest.mark.parametrize("core_code", ["ERR0030", "ERR0044"])
async def test_token_outside_of_its_time(bank: Client, token: None, core_code: str) -> None:
    bank.core.refuse("token/validate", core_code)
    await bank.refused("POST", TOKEN, _token(), code="ERROR_TOKEN_INVALID")


@pytest.mark.parametrize(
    "changed",
    [
        {"token_id": "x"},
        {"token_digest": NONCE},
        {"nonce": GOOD_CODE},
        {"timestamp": "12345678"},
        {"timestamp": "-1700000000000"},
        {"version": "9.9"},
        {"version": None},
    ],
)
async def test_malformed_token(bank: Client, changed: dict[str, str | None]) -> None:
    await bank.refused("POST", TOKEN, _token(**changed), code="ERROR_TOKEN_INVALID")
    assert bank.core.paths() == []


# Offline and device signatures outside of operations

PAYLOAD = "/v2/signature/offline/payload"
OFFLINE = "/v2/signature/offline/verify"
ECDSA = "/v2/signature/ecdsa/verify"


async def test_offline_payload_for_a_registration(bank: Client, registration: str) -> None:
    made = await bank.ok("POST", PAYLOAD, {"registrationId": registration, "data": "a\nb"})
    assert made["qrCodeData"] == f"a\nb\n{made['nonce']}\n1MEUC"


async def test_offline_payload_for_an_application(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    made = await caller.ok("POST", PAYLOAD, {"appId": "app-b", "data": "x"})
    assert made["qrCodeData"].endswith("\n0MEUC")
    assert service.core.last("signature/offline/non-personalized/create")["applicationId"] == "app-b"
    assert await caller.violation("POST", PAYLOAD, {"data": "x"}) == "appId"
    assert await caller.violation("POST", PAYLOAD, {"appId": "app-x", "data": "x"}) == "appId"
    both = {"appId": "app-a", "registrationId": UNKNOWN, "data": "x"}
    assert await caller.violation("POST", PAYLOAD, both) == "appId"


async def test_offline_code_outside_of_operations(bank: Client, registration: str) -> None:
    request = {
        "registrationId": registration,
        "data": "payload",
        "nonce": NONCE,
        "otp": "12345678 90123456",
        "allowBiometry": True,
        "uriId": "/custom",
    }
    assert (await bank.ok("POST", OFFLINE, request))["otpValid"] is True
    sent = bank.core.last("signature/offline/verify")
    assert sent["data"] == "&".join(("POST", b64(b"/custom"), NONCE, b64(b"payload")))
    assert sent["allowBiometry"] is True
    assert not [path for path in bank.core.paths() if path.startswith("operation/")]
    request |= {"otp": "0" * 16}
    assert (await bank.ok("POST", OFFLINE, request))["remainingAttempts"] == 4


@pytest.mark.parametrize(("signature", "valid"), [(b64(b"good"), True), (b64(b"bad"), False), ("", False)])
async def test_device_signature(bank: Client, registration: str, signature: str, valid: bool) -> None:
    request = {"registrationId": registration, "data": b64(b"x"), "signature": signature}
    assert await bank.ok("POST", ECDSA, request) == {
        "signatureValid": valid,
        "registrationId": registration,
        "userId": "user-1",
        "registrationStatus": "ACTIVE",
    }


async def test_device_signature_of_a_registration_that_is_not_active(bank: Client) -> None:
    registration = bank.core.activation("app-a", status="BLOCKED")
    request = {"registrationId": registration, "data": b64(b"x"), "signature": b64(b"good")}
    answer = await bank.ok("POST", ECDSA, request)
    assert (answer["signatureValid"], answer["registrationStatus"]) == (False, "BLOCKED")
    assert "signature/ecdsa/verify" not in bank.core.paths()


async def test_unreadable_device_signature_is_wrong(bank: Client, registration: str) -> None:
    request = {"registrationId": registration, "data": b64(b"x"), "signature": b64(b"no")}
    jose = {**request, "signatureFormat": "JOSE"}
    assert (await bank.ok("POST", ECDSA, jose))["signatureValid"] is False
    assert "signature/ecdsa/verify" not in bank.core.paths()
    bank.core.refuse("signature/ecdsa/verify", "ERR0022")
    assert (await bank.ok("POST", ECDSA, request))["signatureValid"] is False


async def test_device_signature_must_be_base64(bank: Client, registration: str) -> None:
    request = {"registrationId": registration, "data": "?", "signature": b64(b"x")}
    assert await bank.violation("POST", ECDSA, request) == "data"
    assert await bank.violation("POST", ECDSA, {**request, "data": "", "signature": "?"}) == "signature"
