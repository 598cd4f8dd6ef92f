"""Signed endpoints of the standard API (spec/enrollment-api.md §6.5-6.13) and the outcome matrix (§4.7)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from enrollment_fakes import (
    ACTIVATION_ID,
    ACTIVATION_INVALID,
    NO_HEADERS,
    REMOTE_FAILED,
    REQUEST_INVALID,
    SIGNATURE_INVALID,
    TOKEN_ERROR,
    TOKEN_ID,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from powerauth_protocol.v3.ecies import Scope

VAULT_FAILED = (400, "ERR_SECURE_VAULT", "POWER_AUTH_SECURE_VAULT_INVALID")
UPGRADE_FAILED = (400, "ERR_UPGRADE", "POWER_AUTH_UPGRADE_FAILED")
RECOVERY_FAILED = (401, "ERR_AUTHENTICATION", "POWER_AUTH_RECOVERY_CONFIRM_ERROR")
SEALED = {"encryptedData": "RQ==", "mac": "TQ==", "nonce": "Tg==", "timestamp": 5}
ALL_TYPES = {
    "possession",
    "knowledge",
    "biometry",
    "possession_knowledge",
    "possession_biometry",
    "possession_knowledge_biometry",
}
GENERIC = "/pa/generic/activation"
P, PK, PB, PKB = "possession", "possession_knowledge", "possession_biometry", "possession_knowledge_biometry"


@dataclass(frozen=True)
class Endpoint:
    """One row of the overview of §6.0: a signed endpoint that sends its body as it is."""

    path: str
    door: str
    types: frozenset[str]
    answer: dict[str, Any]
    expected: dict[str, Any]
    refused: tuple[int, str, str]
    sealed: str | None = None
    body: bytes = b"{}"

    @property
    def header(self) -> str:
        """The core's name for the signature header."""
        return "authorization" if self.sealed else "header"

    def make_body(self, phone: Phone) -> bytes:
        """The body of a good request."""
        return phone.closed(self.sealed) if self.sealed else self.body


OK = {"status": "OK"}
REMOVE_TOKEN = json.dumps({"requestObject": {"tokenId": TOKEN_ID}}).encode()
ENDPOINTS = {
    endpoint.path: endpoint
    for endpoint in (
        Endpoint(
            "/pa/v3/activation/remove",
            "signed/activation/remove",
            frozenset({PK, PB, PKB}),
            {"authenticated": True, "activationId": ACTIVATION_ID},
            OK | {"responseObject": {"activationId": ACTIVATION_ID}},
            ACTIVATION_INVALID,
        ),
        Endpoint(
            "/pa/v3/activation/rename",
            "sealed/activation/rename",
            frozenset({PK, PB}),
            {"authenticated": True, "envelope": SEALED},
            SEALED,
            ACTIVATION_INVALID,
            sealed=GENERIC,
        ),
        Endpoint(
            "/pa/v3/token/create",
            "sealed/token/create",
            frozenset({P, PK, PB}),
            {"authenticated": True, "envelope": SEALED},
            SEALED,
            TOKEN_ERROR,
            sealed="/pa/token/create",
        ),
        Endpoint(
            "/pa/v3/token/remove",
            "signed/token/remove",
            frozenset({P, PK, PB, PKB}),
            {"authenticated": True, "tokenId": TOKEN_ID, "removed": False},
            OK | {"responseObject": {"tokenId": TOKEN_ID}},
            TOKEN_ERROR,
            body=REMOVE_TOKEN,
        ),
        Endpoint(
            "/pa/v3/vault/unlock",
            "sealed/vault/unlock",
            frozenset(ALL_TYPES),
            {"authenticated": True, "envelope": SEALED},
            SEALED,
            VAULT_FAILED,
            sealed="/pa/vault/unlock",
        ),
        Endpoint(
            "/pa/v3/recovery/confirm",
            "sealed/recovery/confirm",
            frozenset({PK}),
            {"authenticated": True, "envelope": SEALED},
            SEALED,
            RECOVERY_FAILED,
            sealed="/pa/recovery/confirm",
        ),
        Endpoint(
            "/pa/v3/upgrade/commit",
            "signed/upgrade/commit",
            frozenset({P}),
            {"authenticated": True},
            OK,
            UPGRADE_FAILED,
        ),
    )
}

each_endpoint = pytest.mark.parametrize("endpoint", list(ENDPOINTS.values()), ids=list(ENDPOINTS))


@each_endpoint
@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.3"])
async def test_success_is_one_call_with_the_header_and_the_bytes_as_received(
    client: PublicClient, endpoint: Endpoint, version: str
) -> None:
    phone = Phone(client.core, version)
    client.core.script[endpoint.door] = endpoint.answer
    body = endpoint.make_body(phone)
    headers = phone.authorization(sorted(endpoint.types)[-1])
    answer = await client.post(endpoint.path, body, headers)
    assert (answer.status, answer.json) == (200, endpoint.expected)
    assert client.core.paths == [endpoint.door]
    request = client.core.last(endpoint.door)
    assert base64.b64decode(request["body"]) == body
    assert set(request) == {endpoint.header, "body"}
    assert set(request[endpoint.header]) == {
        "pa_activation_id",
        "pa_application_key",
        "pa_nonce",
        "pa_signature_type",
        "pa_signature",
        "pa_version",
    }
    for value in request[endpoint.header].values():
        assert f'"{value}"' in headers["X-PowerAuth-Authorization"]


@each_endpoint
async def test_allowed_types_and_no_others_reach_the_core(
    client: PublicClient, phone: Phone, endpoint: Endpoint
) -> None:
    client.core.script[endpoint.door] = endpoint.answer
    for signature_type in sorted(ALL_TYPES):
        client.core.calls.clear()
        answer = await client.post(
            endpoint.path, endpoint.make_body(phone), phone.authorization(signature_type)
        )
        if signature_type in endpoint.types:
            assert answer.status == 200
        else:
            assert answer.error == SIGNATURE_INVALID
            assert client.core.calls == []


@each_endpoint
async def test_type_is_case_insensitive_and_passed_as_received(
    client: PublicClient, phone: Phone, endpoint: Endpoint
) -> None:
    client.core.script[endpoint.door] = endpoint.answer
    signature_type = sorted(endpoint.types)[0]
    headers = phone.authorization(signature_type, signature_type=signature_type.upper())
    assert (await client.post(endpoint.path, endpoint.make_body(phone), headers)).status == 200
    assert client.core.last(endpoint.door)[endpoint.header]["pa_signature_type"] == signature_type.upper()


@each_endpoint
async def test_missing_header_is_not_authenticated(
    client: PublicClient, phone: Phone, endpoint: Endpoint
) -> None:
    for headers in (NO_HEADERS, phone.token(), phone.encryption(Scope.ACTIVATION)):
        answer = await client.post(endpoint.path, endpoint.make_body(phone), headers)
        assert answer.error == SIGNATURE_INVALID
    assert client.core.calls == []


@each_endpoint
@pytest.mark.parametrize(
    "changed",
    [
        {"activation_id": "x"},
        {"application_key": "AAAA"},
        {"nonce": "AAAA"},
        {"signature_type": "unknown"},
        {"signature": "short"},
        {"version": "2.1"},
        {"version": "4.0"},
    ],
)
async def test_malformed_header_never_reaches_the_core(
    client: PublicClient, phone: Phone, endpoint: Endpoint, changed: dict[str, str]
) -> None:
    headers = phone.authorization(sorted(endpoint.types)[0], **changed)
    answer = await client.post(endpoint.path, endpoint.make_body(phone), headers)
    expected = UPGRADE_FAILED if endpoint.path.endswith("upgrade/commit") else SIGNATURE_INVALID
    assert answer.error == expected
    assert client.core.calls == []


@each_endpoint
@pytest.mark.parametrize(
    "answer", [{"authenticated": False}, {}, {"authenticated": "true"}, {"authenticated": 1}]
)
async def test_only_the_cores_word_authenticates(
    client: PublicClient, phone: Phone, endpoint: Endpoint, answer: dict[str, Any]
) -> None:
    client.core.script[endpoint.door] = {**endpoint.answer, "authenticated": None} | answer
    headers = phone.authorization(sorted(endpoint.types)[0])
    result = await client.post(endpoint.path, endpoint.make_body(phone), headers)
    assert result.error == SIGNATURE_INVALID


@each_endpoint
async def test_refusal_is_the_endpoints_own_failure(
    client: PublicClient, phone: Phone, endpoint: Endpoint
) -> None:
    client.core.script[endpoint.door] = Refusal("ERR0008")
    headers = phone.authorization(sorted(endpoint.types)[0])
    result = await client.post(endpoint.path, endpoint.make_body(phone), headers)
    assert result.error == endpoint.refused


@each_endpoint
@pytest.mark.parametrize("outage", [Raw(500), Raw(502), Raw(401), Raw(404), Raw(200, b"[]"), Raw(400, b"{}")])
async def test_outage_is_never_an_authentication_failure(
    client: PublicClient, phone: Phone, endpoint: Endpoint, outage: Raw
) -> None:
    client.core.script[endpoint.door] = outage
    headers = phone.authorization(sorted(endpoint.types)[0])
    result = await client.post(endpoint.path, endpoint.make_body(phone), headers)
    assert result.error == REMOTE_FAILED
    assert client.core.paths == [endpoint.door]


@each_endpoint
async def test_body_too_large_for_the_core(client: PublicClient, phone: Phone, endpoint: Endpoint) -> None:
    client.core.script[endpoint.door] = Raw(413)
    headers = phone.authorization(sorted(endpoint.types)[0])
    result = await client.post(endpoint.path, endpoint.make_body(phone), headers)
    assert result.error[:2] == (413, "ERROR_GENERIC")


SEALED_ENDPOINTS = [
    endpoint for endpoint in ENDPOINTS.values() if endpoint.sealed and endpoint.sealed != GENERIC
]


@pytest.mark.parametrize("endpoint", SEALED_ENDPOINTS, ids=lambda endpoint: endpoint.path)
@pytest.mark.parametrize("body", [b"", b"text", b"[]", b"{}", b'{"encryptedData":"AA=="}'])
async def test_broken_envelope_is_told_only_to_who_signed_it(
    client: PublicClient, phone: Phone, endpoint: Endpoint, body: bytes
) -> None:
    headers = phone.authorization(PK)
    client.core.script[endpoint.door] = Refusal("ERR0024")
    assert (await client.post(endpoint.path, body, headers)).error == REQUEST_INVALID
    if endpoint.path.endswith("vault/unlock"):
        assert client.core.calls == []
        return
    client.core.script[endpoint.door] = {"authenticated": False}
    assert (await client.post(endpoint.path, body, headers)).error == SIGNATURE_INVALID


@pytest.mark.parametrize("endpoint", SEALED_ENDPOINTS, ids=lambda endpoint: endpoint.path)
async def test_envelope_of_another_version_is_refused(client: PublicClient, endpoint: Endpoint) -> None:
    client.core.script[endpoint.door] = Refusal("ERR0024")
    assert endpoint.sealed
    body = Phone(client.core, "3.2").closed(endpoint.sealed)
    result = await client.post(endpoint.path, body, Phone(client.core, "3.3").authorization(PK))
    assert result.error == REQUEST_INVALID


@pytest.mark.parametrize("endpoint", SEALED_ENDPOINTS, ids=lambda endpoint: endpoint.path)
async def test_closed_envelopes_pass_without_any_keys(
    client: PublicClient, phone: Phone, endpoint: Endpoint
) -> None:
    client.core.script[endpoint.door] = endpoint.answer | {
        "envelope": SEALED | {"nonce": None, "timestamp": None}
    }
    answer = await client.post(endpoint.path, endpoint.make_body(phone), phone.authorization(PK))
    assert answer.json == {"encryptedData": "RQ==", "mac": "TQ=="}
    assert "envelope/keys" not in client.core.paths


@pytest.mark.parametrize("body", [b"", b"text", b"{}", b'{"requestObject":null}', b'{"requestObject":{}}'])
async def test_token_removal_without_a_token(client: PublicClient, phone: Phone, body: bytes) -> None:
    for outcome in (
        Refusal("ERR0024"),
        {"authenticated": True, "tokenId": None, "removed": None, "refusal": "REQUEST_INVALID"},
        {"authenticated": True, "tokenId": None, "removed": None},
    ):
        client.core.script["signed/token/remove"] = outcome
        answer = await client.post("/pa/v3/token/remove", body, phone.authorization())
        assert answer.error == REQUEST_INVALID
    client.core.script["signed/token/remove"] = {"authenticated": False}
    assert (await client.post("/pa/v3/token/remove", body, phone.authorization())).error == SIGNATURE_INVALID


async def test_activation_removal_signs_any_body(client: PublicClient, phone: Phone) -> None:
    client.core.script["signed/activation/remove"] = {"authenticated": True, "activationId": ACTIVATION_ID}
    for body in (b"", b"{}", b"plain text"):
        answer = await client.post("/pa/v3/activation/remove", body, phone.authorization())
        assert answer.status == 200
        assert base64.b64decode(client.core.last("signed/activation/remove")["body"]) == body


async def test_upgrade_commit_needs_a_body(client: PublicClient, phone: Phone) -> None:
    answer = await client.post("/pa/v3/upgrade/commit", b"", phone.authorization("possession"))
    assert answer.error == UPGRADE_FAILED
    assert client.core.calls == []


class TestUpgradeStart:
    """§6.12: the encryption header, a closed envelope, the core's answer."""

    path = "/pa/v3/upgrade/start"

    async def test_success(self, client: PublicClient, phone: Phone) -> None:
        client.core.script["sealed/upgrade/start"] = {"authenticated": True, "envelope": SEALED}
        body = phone.closed("/pa/upgrade")
        answer = await client.post(self.path, body, phone.encryption(Scope.ACTIVATION))
        assert (answer.status, answer.json) == (200, SEALED)
        assert client.core.last("sealed/upgrade/start") == {
            "body": base64.b64encode(body).decode(),
            "encryption": {
                "application_key": phone.app.key,
                "activation_id": ACTIVATION_ID,
                "version": "3.3",
            },
        }

    async def test_failures(self, client: PublicClient, phone: Phone) -> None:
        header = phone.encryption(Scope.ACTIVATION)
        old = {"X-PowerAuth-Encryption": header["X-PowerAuth-Encryption"].replace("3.3", "2.1")}
        body = phone.closed("/pa/upgrade")
        assert (await client.post(self.path, body)).error == UPGRADE_FAILED
        assert (
            await client.post(self.path, body, phone.encryption(Scope.APPLICATION))
        ).error == UPGRADE_FAILED
        assert (await client.post(self.path, body, old)).error == REQUEST_INVALID
        assert (await client.post(self.path, b"{}", header)).error == REQUEST_INVALID
        assert client.core.calls == []
        client.core.script["sealed/upgrade/start"] = Refusal("ERR0008")
        assert (await client.post(self.path, body, header)).error == UPGRADE_FAILED
        client.core.script["sealed/upgrade/start"] = Raw(500)
        assert (await client.post(self.path, body, header)).error == REMOTE_FAILED


class TestSignatureValidate:
    """§6.11: any method, any body."""

    path = "/pa/v3/signature/validate"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_body_is_signed(self, client: PublicClient, phone: Phone, method: str) -> None:
        client.core.script["signed/verify"] = {"authenticated": True, "activationId": ACTIVATION_ID}
        body = bytes(range(256))
        answer = await client.send(method, f"{self.path}?a=b", body, phone.authorization())
        assert (answer.status, answer.json) == (200, {"status": "OK"})
        request = client.core.last("signed/verify")
        assert base64.b64decode(request["body"]) == body
        assert request["method"] == method
        assert request["uriId"] == "/pa/signature/validate"
        assert set(request["allowedSignatureTypes"]) == {P, PK, PB, PKB}

    @pytest.mark.parametrize(
        ("query", "signed"),
        [
            ("", b""),
            ("?", b""),
            ("?flag", b""),
            ("?b=2&a=1", b"a=1&b=2"),
            ("?a=%252B%26", b"a=%252B%26"),
            ("?a=+x~*", b"a=+x%7E*"),
        ],
    )
    async def test_get_signs_the_canonical_query_decoded_once(
        self, client: PublicClient, phone: Phone, query: str, signed: bytes
    ) -> None:
        client.core.script["signed/verify"] = {"authenticated": True, "activationId": ACTIVATION_ID}
        answer = await client.send("GET", self.path + query, headers=phone.authorization())
        assert answer.status == 200
        assert base64.b64decode(client.core.last("signed/verify")["body"]) == signed

    async def test_broken_query_is_not_authenticated(self, client: PublicClient, phone: Phone) -> None:
        answer = await client.send("GET", f"{self.path}?a=%zz", headers=phone.authorization())
        assert answer.error == SIGNATURE_INVALID
        assert client.core.calls == []

    @pytest.mark.parametrize("signature_type", ["knowledge", "biometry"])
    async def test_factors_alone_are_refused(
        self, client: PublicClient, phone: Phone, signature_type: str
    ) -> None:
        answer = await client.post(self.path, b"", phone.authorization(signature_type))
        assert answer.error == SIGNATURE_INVALID
        assert client.core.calls == []

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"authenticated": False}, SIGNATURE_INVALID),
            (Refusal("ERR0015"), SIGNATURE_INVALID),
            (Raw(500), REMOTE_FAILED),
        ],
    )
    async def test_outcomes(
        self, client: PublicClient, phone: Phone, outcome: Any, expected: tuple[int, str, str]
    ) -> None:
        client.core.script["signed/verify"] = outcome
        assert (await client.post(self.path, b"x", phone.authorization())).error == expected
