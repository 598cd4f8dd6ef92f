"""Echo endpoints for compatibility tests (spec/enrollment-api.md §18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from enrollment_fakes import (
    ENCRYPTION_FAILED,
    NO_HEADERS,
    REMOTE_FAILED,
    SIGNATURE_INVALID,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from enrollment.settings import EnrollmentSettings
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3.ecies import Scope

APPLICATION, ACTIVATION = "/exchange/v3/application", "/exchange/v3/activation"
ACTIVATION_CALL = "sealed/exchange/activation"
SIGNED = {
    "/exchange/v3/signed": "sealed/exchange/signed",
    "/exchange/v3/signed/string": "sealed/exchange/string",
    "/exchange/v3/signed/raw": "sealed/exchange/raw",
    "/exchange/v3/signed/generics": "sealed/exchange/generics",
}
GENERIC = "/pa/generic/activation"
ENVELOPE = {"encryptedData": "ANSWER", "mac": "MAC"}
CLOSED = {"authenticated": True, "envelope": ENVELOPE}
each_signed = pytest.mark.parametrize("path", list(SIGNED))


@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.3"])
@pytest.mark.parametrize(
    ("plaintext", "data"), [(b'{"data":"x"}', "x"), (b"", "''"), (b"{}", "''"), (b'{"data":7}', "''")]
)
async def test_application_scope_is_opened_here(
    client: PublicClient, version: str, plaintext: bytes, data: str
) -> None:
    phone = Phone(client.core, version)
    sealed = phone.generic(plaintext)
    answer = await client.post(APPLICATION, sealed.fields, phone.encryption(Scope.APPLICATION))
    text = f"Server successfully decrypted signed data: {data}, scope: APPLICATION_SCOPE"
    assert sealed.open_json(answer.json) == {"data": text}


async def test_unusable_envelope_of_the_application(client: PublicClient, phone: Phone) -> None:
    header = phone.encryption(Scope.APPLICATION)
    for plaintext in (b"[]", b"x"):
        request = phone.generic(plaintext).fields
        assert (await client.post(APPLICATION, request, header)).error == ENCRYPTION_FAILED
    personal = phone.generic(b"{}", Scope.ACTIVATION).fields
    for headers in (header, phone.encryption(Scope.ACTIVATION)):
        assert (await client.post(APPLICATION, personal, headers)).error == ENCRYPTION_FAILED


async def test_activation_scope_passes_closed(client: PublicClient, phone: Phone) -> None:
    client.core.script[ACTIVATION_CALL] = CLOSED
    body = phone.closed(GENERIC)
    answer = await client.post(ACTIVATION, body, phone.encryption(Scope.ACTIVATION))
    assert answer.json == ENVELOPE
    assert b64decode(client.core.last(ACTIVATION_CALL)["body"]) == body
    assert client.core.last(ACTIVATION_CALL)["encryption"]["version"] == phone.version.value
    client.core.script[ACTIVATION_CALL] = Refusal("ERR0018")
    answer = await client.post(ACTIVATION, body, phone.encryption(Scope.ACTIVATION))
    assert answer.error == ENCRYPTION_FAILED
    client.core.calls.clear()
    for headers in (NO_HEADERS, phone.encryption(Scope.APPLICATION)):
        assert (await client.post(ACTIVATION, body, headers)).error == ENCRYPTION_FAILED
    assert client.core.calls == []


@each_signed
@pytest.mark.parametrize(
    "kind", ["possession_knowledge", "possession_biometry", "possession_knowledge_biometry"]
)
async def test_signed_requests_pass_closed(client: PublicClient, phone: Phone, path: str, kind: str) -> None:
    client.core.script[SIGNED[path]] = CLOSED
    for body in (phone.closed(GENERIC), b"", b"{}", b"x" * 7000):
        answer = await client.post(path, body, phone.authorization(kind))
        assert answer.json == ENVELOPE
        request = client.core.last(SIGNED[path])
        assert b64decode(request["body"]) == body
        assert set(request) == {"authorization", "body"}


@each_signed
async def test_authentication_is_looked_at_first(client: PublicClient, phone: Phone, path: str) -> None:
    for headers in (NO_HEADERS, phone.authorization("possession"), phone.encryption(Scope.ACTIVATION)):
        assert (await client.post(path, phone.closed(GENERIC), headers)).error == SIGNATURE_INVALID
    assert client.core.calls == []


@each_signed
@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"authenticated": False}, SIGNATURE_INVALID),
        (Refusal("ERR0024"), SIGNATURE_INVALID),
        ({"authenticated": True, "refusal": "REQUEST_INVALID"}, ENCRYPTION_FAILED),
        (Raw(404), REMOTE_FAILED),
        (Raw(500), REMOTE_FAILED),
    ],
)
async def test_outcomes_of_the_core(
    client: PublicClient, phone: Phone, path: str, outcome: Any, expected: tuple[int, str, str]
) -> None:
    client.core.script[SIGNED[path]] = outcome
    answer = await client.post(path, phone.closed(GENERIC), phone.authorization())
    assert answer.error == expected


async def test_off_by_default(connect: Callable[..., PublicClient]) -> None:
    assert EnrollmentSettings().test_endpoints is False
    client = connect(test_endpoints=False)
    for path in (APPLICATION, ACTIVATION, *SIGNED):
        assert (await client.post(path, b"{}")).error == (404, "ERROR_NOT_FOUND", "Resource not found.")
