"""``/v2/fido2``: the bank's backend relays passkeys (spec/cloud-api.md §8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_state import Members, b64

from powerauth_protocol.common.encoding import b64url_encode

REGISTRATIONS, ASSERTIONS = "/v2/fido2/registrations", "/v2/fido2/assertions"
CODE = "AAAAA-BBBBB-CCCCC-DDDDD"
PASSKEY: Members = {
    "userId": "user-1",
    "activationId": "a-1",
    "applicationId": "app-a",
    "activationName": "Key",
    "credentialId": b64(b"id"),
    "activationStatus": "ACTIVE",
    "extras": {"aaguid": "ee882879-721c-4913-9775-3dfcce97072a", "nested": [1]},
    "platform": "platform",
    "deviceInfo": None,
    "blockedReason": None,
    "failedAttempts": 0,
    "maxFailedAttempts": 5,
    "applicationRoles": [],
    "activationFlags": ["F"],
    "publicKeyBytes": b64(b"key"),
}
SHOWN: Members = {
    "userId": "user-1",
    "registrationId": "a-1",
    "appId": "app-a",
    "registrationName": "Key",
    "credentialId": b64(b"id"),
    "registrationStatus": "ACTIVE",
    "extras": PASSKEY["extras"],
    "platform": "platform",
    "failedAttempts": 0,
    "maxFailedAttempts": 5,
    "applicationRoles": [],
    "registrationFlags": ["F"],
    "publicKeyBytes": b64(b"key"),
}
CREDENTIAL = {"credentialId": b64(b"id"), "type": "public-key", "transports": ["usb"]}
CHALLENGE: Members = {"activationId": "a-1", "applicationId": "app-a", "challenge": CODE, "userId": "user-1"}
HELD_AGAINST: Members = {
    "relyingPartyId": "bank.example",
    "allowedOrigins": ["https://bank.example"],
    "requiresUserVerification": True,
}
REGISTER: Members = {
    "appId": "app-a",
    "registrationName": "Key",
    "expectedChallenge": CODE,
    "authenticatorParameters": {
        "credentialId": b64(b"id"),
        "type": "public-key",
        "response": {"clientDataJSON": b64(b"{}"), "attestationObject": b64(b"o"), "transports": ["usb"]},
        **HELD_AGAINST,
    },
}
VERIFIED: Members = {
    "assertionValid": True,
    "userId": "user-1",
    "activationId": "a-1",
    "applicationId": "app-a",
    "activationStatus": "ACTIVE",
    "blockedReason": None,
    "remainingAttempts": 5,
    "applicationRoles": [],
    "activationFlags": [],
}


def client_data(challenge: bytes | None) -> str:
    members = {} if challenge is None else {"challenge": b64url_encode(challenge)}
    return b64(json.dumps({"type": "webauthn.get"} | members).encode())


def assertion(challenge: bytes | None, **members: Any) -> Members:
    return {
        "credentialId": b64(b"id"),
        "type": "public-key",
        "response": {
            "clientDataJSON": client_data(challenge),
            "authenticatorData": b64(b"d"),
            "signature": b64(b"s"),
        },
        "applicationId": "app-a",
        **HELD_AGAINST,
        **members,
    }


async def test_a_list_stands_in_an_envelope_and_is_asked_for_either_way(bank: Client) -> None:
    bank.core.script("fido2/registrations/list", {"authenticators": [PASSKEY]})
    expected = {"status": "OK", "responseObject": {"authenticators": [SHOWN]}}
    named = {"userId": "user-1", "appId": "app-a"}
    assert await bank.ok("POST", f"{REGISTRATIONS}/list", named) == expected
    assert await bank.ok("POST", f"{REGISTRATIONS}/list", **named) == expected
    assert bank.core.last("fido2/registrations/list") == {"userId": "user-1", "applicationId": "app-a"}


async def test_a_registration_has_the_names_of_this_api(bank: Client) -> None:
    bank.core.script("fido2/registrations/challenge", CHALLENGE | {"excludeCredentials": [CREDENTIAL]})
    asked = {"userId": "user-1", "appId": "app-a"}
    assert await bank.ok("POST", f"{REGISTRATIONS}/challenge", asked) == {
        "registrationId": "a-1",
        "appId": "app-a",
        "challenge": CODE,
        "userId": "user-1",
        "excludeCredentials": [CREDENTIAL],
    }
    bank.core.script("fido2/registrations", PASSKEY)
    assert await bank.ok("POST", REGISTRATIONS, REGISTER) == SHOWN
    assert bank.core.last("fido2/registrations") == {
        "applicationId": "app-a",
        "activationName": "Key",
        "expectedChallenge": CODE,
        "authenticatorParameters": REGISTER["authenticatorParameters"],
    }


async def test_a_challenge_is_for_all_applications_of_the_caller_or_the_named_one(
    service: Service,
) -> None:
    bank = await service.user("bank", ["app-a", "app-b"])
    made: Members = {"applicationIds": ["app-a"], "challenge": "o&A2", "userId": None, "operationId": "o"}
    made |= {"failedAttempts": 0, "maxFailedAttempts": 5, "allowCredentials": None}
    bank.core.script("fido2/assertions/challenge", made)
    asked = {"templateName": "login", "externalId": "x", "parameters": {"a": "1"}}
    found = await bank.ok("POST", f"{ASSERTIONS}/challenge", asked)
    assert (found["challenge"], "allowCredentials" in found, found["maxFailedAttempts"]) == ("o&A2", False, 5)
    assert bank.core.last("fido2/assertions/challenge") == asked | {"applicationIds": ["app-a", "app-b"]}
    await bank.ok("POST", f"{ASSERTIONS}/challenge", asked | {"appId": "app-b", "userId": "user-1"})
    assert bank.core.last("fido2/assertions/challenge")["applicationIds"] == ["app-b"]


async def test_an_operation_of_others_is_shown_to_no_passkey(service: Service, bank: Client) -> None:
    foreign = service.core.operation("app-b")
    for subject in (foreign, "unknown"):
        asked = {"templateName": "login", "operationId": subject}
        await bank.refused("POST", f"{ASSERTIONS}/challenge", asked, code="ERROR_OPERATION_NOT_FOUND")
    assert "fido2/assertions/challenge" not in bank.core.paths()


async def test_a_passkey_approves_the_operation_of_its_challenge(service: Service, bank: Client) -> None:
    service.core.script("fido2/assertions", VERIFIED)
    operation_id = service.core.operation("app-a")
    request = assertion(f"{operation_id}&A2&more".encode())
    assert await bank.ok("POST", ASSERTIONS, request) == {
        "assertionValid": True,
        "userId": "user-1",
        "registrationId": "a-1",
        "applicationId": "app-a",
        "registrationStatus": "ACTIVE",
        "remainingAttempts": 5,
        "applicationRoles": [],
        "registrationFlags": [],
    }
    assert bank.core.last("fido2/assertions") == request


async def test_no_passkey_is_asked_about_operations_or_applications_of_others(
    service: Service, bank: Client
) -> None:
    own, foreign = service.core.operation("app-a"), service.core.operation("app-b")
    nobody = await service.user("nobody")
    fine = assertion(f"{own}&A2".encode())
    attempts = [
        (bank, assertion(f"{foreign}&A2".encode())),
        (bank, fine | {"applicationId": "app-b"}),
        (bank, assertion(b"unknown&A2")),
        (bank, assertion(own.encode())),
        (bank, assertion(b"\xff&A2")),
        (bank, assertion(None)),
        (bank, fine | {"response": fine["response"] | {"clientDataJSON": "%%%"}}),
        (bank, fine | {"response": fine["response"] | {"clientDataJSON": b64(b"[]")}}),
        (nobody, fine),
    ]
    for caller, request in attempts:
        await caller.refused("POST", ASSERTIONS, request, code="ERROR_FIDO2")
    assert "fido2/assertions" not in bank.core.paths()
    for path, request in (
        (f"{REGISTRATIONS}/list", {"userId": "user-1", "appId": "app-b"}),
        (f"{REGISTRATIONS}/challenge", {"userId": "user-1", "appId": "app-b"}),
        (REGISTRATIONS, REGISTER | {"appId": "app-b"}),
        (f"{ASSERTIONS}/challenge", {"templateName": "login", "appId": "app-b"}),
    ):
        await bank.refused("POST", path, request, code="ERROR_FIDO2")
        await nobody.refused("POST", path, request, code="ERROR_FIDO2")


@pytest.mark.parametrize(
    ("code", "status", "shown"),
    [
        ("ERROR_FIDO2_AUTH", 400, "ERROR_FIDO2"),
        ("ERROR_FIDO2_REQUEST", 400, "ERROR_FIDO2"),
        ("ERR0015", 400, "ERROR_FIDO2"),
        ("ERR0033", 400, "ERROR_FIDO2"),
        ("ERROR_TOO_MANY_REQUESTS", 429, "HTTP_429"),
        ("unreadable", 500, "ERROR_INTERNAL_API"),
    ],
)
async def test_refusals_of_the_core_have_one_code(bank: Client, code: str, status: int, shown: str) -> None:
    bank.core.refuse("fido2/registrations", code)
    await bank.refused("POST", REGISTRATIONS, REGISTER, status=status, code=shown)


async def test_what_the_policy_says_is_told(bank: Client) -> None:
    reason = {"code": "ERROR_FIDO2_AUTH", "message": "x", "reason": "PASSKEY_SYNCED_NOT_ALLOWED"}
    body = json.dumps({"status": "ERROR", "responseObject": reason}).encode()
    bank.core.raw("fido2/registrations", 400, body)
    refused = await bank.refused("POST", REGISTRATIONS, REGISTER, code="ERROR_FIDO2")
    assert refused["reason"] == "PASSKEY_SYNCED_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("path", "request_", "field"),
    [
        (f"{REGISTRATIONS}/list", {"appId": "app-a"}, "userId"),
        (f"{REGISTRATIONS}/challenge", {"appId": "app-a"}, "userId"),
        (REGISTRATIONS, {**REGISTER, "expectedChallenge": None}, "expectedChallenge"),
        (f"{ASSERTIONS}/challenge", {}, "templateName"),
        (ASSERTIONS, {**assertion(b"o&A2"), "allowedOrigins": None}, "allowedOrigins"),
        (ASSERTIONS, {**assertion(b"o&A2"), "response": {}}, "response.clientDataJSON"),
    ],
)
async def test_what_is_missing_is_named(bank: Client, path: str, request_: Members, field: str) -> None:
    refused = await bank.refused("POST", path, request_, code="ERROR_HTTP_REQUEST")
    assert refused["violations"][0]["fieldName"] == field
    response = await bank.http.post(path, content=b"{", headers={"Content-Type": "application/json"})
    assert response.json()["responseObject"]["code"] == "ERROR_HTTP_REQUEST"
