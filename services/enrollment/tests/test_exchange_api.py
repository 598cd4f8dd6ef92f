"""Echo endpoints for compatibility tests (spec/enrollment-api.md §18)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from enrollment_fakes import (
    ACTIVATION_ID,
    ENCRYPTION_FAILED,
    NO_HEADERS,
    SIGNATURE_INVALID,
    USER_ID,
    Answer,
    FakeCore,
    Phone,
    PublicClient,
)

from enrollment.settings import EnrollmentSettings
from powerauth_protocol.ecies import Scope

SIGNED = [
    "/exchange/v3/signed",
    "/exchange/v3/signed/string",
    "/exchange/v3/signed/raw",
    "/exchange/v3/signed/generics",
]

VERIFIED = (
    b'{"data":"Server successfully decrypted data and verified signature, request data: %b, user ID: alice"}'
)


@pytest.fixture(autouse=True)
def signer(core: FakeCore) -> dict[str, Any]:
    answer = {"authenticated": True, "activationId": ACTIVATION_ID, "userId": USER_ID}
    core.script["signed/verify"] = answer
    return answer


async def exchange(
    client: PublicClient, phone: Phone, path: str, plaintext: bytes, scope: Scope, headers: dict[str, str]
) -> tuple[Answer, bytes]:
    encryptor = phone.encryptor(scope)
    answer = await client.post(path, encryptor.encrypt(plaintext).to_json_dict(), headers)
    return answer, phone.open(encryptor, answer.body) if answer.status == 200 else b""


@pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.3"])
@pytest.mark.parametrize(("plaintext", "data"), [(b'{"data":"x"}', "x"), (b"", "''"), (b"{}", "''")])
async def test_scopes(
    client: PublicClient, core: FakeCore, version: str, plaintext: bytes, data: str
) -> None:
    phone = Phone(core, version)
    for scope in Scope:
        path = f"/exchange/v3/{scope.value}"
        _, opened = await exchange(client, phone, path, plaintext, scope, phone.encryption(scope))
        text = f"Server successfully decrypted signed data: {data}, scope: {scope.value.upper()}_SCOPE"
        assert json.loads(opened) == {"data": text}


async def test_wrong_scope(client: PublicClient, phone: Phone) -> None:
    for path, scope in (("application", Scope.ACTIVATION), ("activation", Scope.APPLICATION)):
        answer, _ = await exchange(
            client, phone, f"/exchange/v3/{path}", b"{}", scope, phone.encryption(scope)
        )
        assert answer.error == ENCRYPTION_FAILED


@pytest.mark.parametrize(
    "kind", ["possession_knowledge", "possession_biometry", "possession_knowledge_biometry"]
)
@pytest.mark.parametrize(
    ("path", "plaintext", "expected"),
    [
        (
            SIGNED[0],
            b'{"data":"x"}',
            VERIFIED % b"x",
        ),
        (
            SIGNED[0],
            b"",
            VERIFIED % b"''",
        ),
        (SIGNED[1], b'"text \\u010d"', '"text č"'.encode()),
        (SIGNED[2], bytes(range(256)), bytes(range(256))),
        (SIGNED[2], b"x" * 7000, b"x" * 7000),
        (SIGNED[3], b'{"requestObject":{"data":"x"}}', b'{"status":"OK","responseObject":{"data":"x"}}'),
    ],
)
async def test_signed(
    client: PublicClient,
    core: FakeCore,
    phone: Phone,
    kind: str,
    path: str,
    plaintext: bytes,
    expected: bytes,
) -> None:
    _, opened = await exchange(client, phone, path, plaintext, Scope.ACTIVATION, phone.authorization(kind))
    assert opened == expected
    request = core.last("signed/verify")
    assert base64.b64decode(request["body"]) == plaintext
    assert (request["method"], request["uriId"]) == ("POST", path)


@pytest.mark.parametrize("path", SIGNED)
async def test_authentication_is_looked_at_first(
    client: PublicClient, core: FakeCore, phone: Phone, path: str
) -> None:
    for headers in (NO_HEADERS, phone.authorization("possession"), phone.encryption(Scope.ACTIVATION)):
        answer, _ = await exchange(client, phone, path, b"{}", Scope.ACTIVATION, headers)
        assert answer.error == SIGNATURE_INVALID
    assert core.calls == []
    assert (await client.post(path, b"{}", phone.authorization())).error == SIGNATURE_INVALID
    core.script["signed/verify"] = {"authenticated": False}
    answer, _ = await exchange(client, phone, path, b"{}", Scope.ACTIVATION, phone.authorization())
    assert answer.error == SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("path", "plaintext"), [(SIGNED[0], b"text"), (SIGNED[1], b"{}"), (SIGNED[1], b"x"), (SIGNED[3], b"{}")]
)
async def test_plaintext_of_the_wrong_kind(
    client: PublicClient, phone: Phone, path: str, plaintext: bytes
) -> None:
    answer, _ = await exchange(client, phone, path, plaintext, Scope.ACTIVATION, phone.authorization())
    assert answer.error == ENCRYPTION_FAILED


async def test_off_by_default(connect: Callable[..., PublicClient]) -> None:
    assert EnrollmentSettings().test_endpoints is False
    client = connect(test_endpoints=False)
    assert (await client.post(SIGNED[0], b"{}")).error == (404, "ERROR_NOT_FOUND", "Resource not found.")
