"""Passkeys of browsers: what is converted, what passes as it came, and how refusals are worded
(spec/device-trust.md §4.9).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from enrollment_fakes import (
    INVALID_REQUEST,
    REMOTE_FAILED,
    SIGNATURE_INVALID,
    FakeCore,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_encode
from powerauth_sdk.authenticator import Authenticator

Connect = Callable[..., PublicClient]
BEARER = {"Authorization": "Bearer a.b.c"}
HANDLE = bytes(range(240, 256))
CHALLENGE = b"A\xfb\xff-challenge"
SIGNED_IN = {"isSignIn": True, "operationId": "o-1", "operationStatus": "APPROVED"}
TOKENS = {"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "session_id": "s"}
DESCRIPTOR = {"type": "public-key", "id": b64encode(HANDLE), "transports": ["usb"]}
CREATION = {
    "rp": {"id": "bank.example", "name": "Bank"},
    "user": {"id": b64encode(HANDLE), "name": "alice", "displayName": "Alice"},
    "challenge": b64encode(CHALLENGE),
    "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
    "timeout": 300_000,
    "excludeCredentials": [DESCRIPTOR],
    "authenticatorSelection": {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    },
    "attestation": "none",
    "extensions": {"credProps": True},
}
REQUEST = {
    "challenge": b64encode(CHALLENGE),
    "rpId": "bank.example",
    "timeout": 300_000,
    "allowCredentials": [DESCRIPTOR],
    "userVerification": "required",
}
REGISTERED = {
    "activationId": "a-1",
    "credentialId": b64encode(HANDLE),
    "passkeyType": "DEVICE_BOUND",
    "aaguid": "8f3a1c52-6d0e-4b7a-9c11-2e5d7f90a1b3",
    "description": "A model",
    "attestation": {"format": "none", "type": "NONE", "trust": "NONE"},
    "activationStatus": "ACTIVE",
}

AUTHENTICATOR = Authenticator()
MADE = AUTHENTICATOR.register("bank.example", "https://bank.example", CHALLENGE, HANDLE)
SIGNED = AUTHENTICATOR.sign_in("bank.example", "https://bank.example", CHALLENGE)


def asked(**members: object) -> dict[str, object]:
    return {"requestObject": members}


REGISTER = asked(registrationId="r-1", name="Laptop", credential=MADE.json())
ASSERT = asked(sessionId="s-1", credential=SIGNED.json())


async def test_options_come_in_the_alphabet_of_browsers(client: PublicClient, phone: Phone) -> None:
    client.core.script["passkey/registration/options"] = {
        "authenticated": True,
        "registrationId": "r-1",
        "publicKey": CREATION,
    }
    client.core.script["passkey/assertion/options"] = {"sessionId": "s-1", "publicKey": REQUEST}
    body = json.dumps(asked(displayName="Alice")).encode()
    made = await client.post("/api/passkey/registration/options", body, phone.authorization())
    options = made.json["responseObject"]["publicKey"]
    assert options["user"]["id"] == options["excludeCredentials"][0]["id"] == b64url_encode(HANDLE)
    assert options["challenge"] == b64url_encode(CHALLENGE)
    told = client.core.last("passkey/registration/options")
    assert b64decode(told["body"]) == body, "a signature covers it"
    assert told["authorization"]["pa_activation_id"] == phone.activation_id
    answer = await client.post("/api/passkey/assertion/options", asked(applicationId="bank", rpId="evil"))
    assert answer.json["responseObject"]["publicKey"]["allowCredentials"][0]["id"] == b64url_encode(HANDLE)
    told = client.core.last("passkey/assertion/options")
    assert told.keys() <= {"applicationId", "clientAddress", "userAgent"}, "nothing that decides is passed on"


async def test_answers_of_browsers_reach_the_core_in_base64(client: PublicClient) -> None:
    client.core.script["passkey/registration"] = REGISTERED
    client.core.script["passkey/assertion"] = SIGNED_IN | {"tokens": TOKENS}
    registered = await client.post("/api/passkey/registration", REGISTER)
    assert registered.json["responseObject"] == REGISTERED | {"credentialId": b64url_encode(HANDLE)}
    told = client.core.last("passkey/registration")["credential"]
    assert b64decode(told["credentialId"]) == MADE.credential_id
    assert b64decode(told["response"]["attestationObject"]) == MADE.attestation_object
    signed_in = await client.post("/api/passkey/assertion", ASSERT)
    assert signed_in.json["responseObject"] == TOKENS
    told = client.core.last("passkey/assertion")["credential"]
    assert b64decode(told["response"]["userHandle"]) == HANDLE
    assert b64decode(told["response"]["signature"]) == SIGNED.signature


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (SIGNED_IN, {"operationId": "o-1", "operationStatus": "APPROVED"}),
        (SIGNED_IN | {"isSignIn": False}, {"operationId": "o-1", "operationStatus": "APPROVED"}),
        (
            SIGNED_IN | {"isSignIn": False, "tokens": TOKENS},
            {"operationId": "o-1", "operationStatus": "APPROVED", **TOKENS},
        ),
    ],
)
async def test_without_a_client_the_operation_is_told(
    client: PublicClient, answer: dict[str, Any], said: dict[str, Any]
) -> None:
    client.core.script["passkey/assertion"] = answer
    assert (await client.post("/api/passkey/assertion", ASSERT)).json["responseObject"] == said


async def test_own_passkeys_are_listed_renamed_and_removed_by_token(client: PublicClient) -> None:
    client.core.script["passkey/list"] = {"passkeys": []}
    client.core.script["passkey/rename"] = client.core.script["passkey/remove"] = {"activationId": "a-1"}
    assert (await client.send("GET", "/api/passkey", headers=BEARER)).json["responseObject"] == {
        "passkeys": []
    }
    await client.post("/api/passkey/a-1/rename", asked(name="New"), BEARER)
    await client.send("DELETE", "/api/passkey/a-1", headers=BEARER)
    assert client.core.paths == ["passkey/list", "passkey/rename", "passkey/remove"]
    assert {call.request["accessToken"] for call in client.core.calls} == {"a.b.c"}


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Refusal("ERR_PASSKEY_FAILED"), (401, "PASSKEY_FAILED", "Authentication failed.")),
        (Refusal("ERROR_FIDO2_AUTH"), (401, "PASSKEY_FAILED", "Authentication failed.")),
        (Refusal("ERR_SOMETHING_NEW"), (401, "PASSKEY_FAILED", "Authentication failed.")),
        (Refusal("ERR_PASSKEY_SESSION"), (400, "PASSKEY_SESSION_INVALID", "The session is not valid.")),
        (
            Refusal("ERROR_FIDO2_AUTH", extra={"reason": "PASSKEY_SYNCED_NOT_ALLOWED"}),
            (403, "PASSKEY_SYNCED_NOT_ALLOWED", "The passkey is not allowed."),
        ),
        (
            Refusal("ERROR_FIDO2_AUTH", extra={"reason": "PASSKEY_MDS_UNAVAILABLE"}),
            (503, "PASSKEY_MDS_UNAVAILABLE", "The passkey is not allowed."),
        ),
        (Refusal("ERROR_FIDO2_REQUEST"), INVALID_REQUEST),
        (Refusal("ERR0024"), INVALID_REQUEST),
        (
            Refusal("ERR_FEATURE_DISABLED"),
            (403, "FEATURE_DISABLED", "The application does not use this feature."),
        ),
        (Raw(500), REMOTE_FAILED),
        (Raw(429, headers={"Retry-After": "7"}), (429, "TOO_MANY_REQUESTS", "Too many requests.")),
    ],
)
async def test_refusals_are_worded(
    client: PublicClient, outcome: Refusal | Raw, error: tuple[int, str, str]
) -> None:
    client.core.script["passkey/assertion"] = outcome
    assert (await client.post("/api/passkey/assertion", ASSERT)).error == error


async def test_a_lock_says_until_when(client: PublicClient) -> None:
    client.core.script["passkey/assertion"] = Refusal("ERR_PASSKEY_LOCKED", extra={"lockedUntil": 1_800_000})
    answer = await client.post("/api/passkey/assertion", ASSERT)
    assert answer.error[:2] == (403, "PASSKEY_LOCKED")
    assert answer.json["responseObject"]["lockedUntil"] == 1_800_000


@pytest.mark.parametrize(
    ("details", "challenge"),
    [
        ({}, 'Bearer error="invalid_token"'),
        ({"maxAge": 600}, 'Bearer error="insufficient_user_authentication", max_age=600'),
    ],
)
async def test_a_token_that_is_not_accepted_is_asked_for_again(
    client: PublicClient, details: dict[str, Any], challenge: str
) -> None:
    client.core.script["passkey/list"] = Refusal("ERR_ACCESS_TOKEN", extra=details)
    answer = await client.send("GET", "/api/passkey", headers=BEARER)
    assert answer.error[:2] == (401, "ACCESS_TOKEN_INVALID")
    assert answer.headers["WWW-Authenticate"] == challenge
    assert (await client.send("GET", "/api/passkey")).error[1] == "ACCESS_TOKEN_INVALID"
    operation = await client.post("/api/passkey/assertion/options", asked(applicationId="a", operationId="o"))
    assert operation.error[1] == "ACCESS_TOKEN_INVALID"
    assert len(client.core.calls) == 1, "without a token nobody is asked"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        {"requestObject": None},
        asked(sessionId="s-1"),
        asked(sessionId="s-1", credential={"id": "AA", "rawId": "AQ", "response": {}}),
        asked(sessionId="s-1", credential={**SIGNED.json(), "id": "not/base64url", "rawId": "not/base64url"}),
        asked(sessionId="s-1", credential={**SIGNED.json(), "response": {"clientDataJSON": "AA=="}}),
        asked(sessionId="s-1", credential=SIGNED.json(), fingerprint={}),
    ],
)
async def test_what_no_browser_sends_reaches_nobody(client: PublicClient, body: object) -> None:
    assert (await client.post("/api/passkey/assertion", body)).error == INVALID_REQUEST
    assert client.core.calls == []


async def test_a_signature_of_one_factor_begins_nothing(client: PublicClient, phone: Phone) -> None:
    path = "/api/passkey/registration/options"
    assert (await client.post(path, asked(), phone.authorization("possession"))).error == SIGNATURE_INVALID
    assert client.core.calls == []
    client.core.script["passkey/registration/options"] = {"authenticated": False}
    assert (await client.post(path, asked(), phone.authorization())).error == SIGNATURE_INVALID


async def test_they_are_switched_off(connect: Connect, core: FakeCore) -> None:
    answer = await connect(passkeys_enabled=False).post("/api/passkey/assertion", ASSERT)
    assert answer.error[:2] == (404, "ERROR_NOT_FOUND")
    assert core.calls == []
