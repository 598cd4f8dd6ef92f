"""Activation codes for devices: the request passes through closed (enrollment-api §15, device-trust §5)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from enrollment_fakes import (
    ENCRYPTION_FAILED,
    INVALID_REQUEST,
    REMOTE_FAILED,
    SIGNATURE_INVALID,
    FakeCore,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from powerauth_protocol.common.encoding import b64decode

Connect = Callable[..., PublicClient]
PATH = "/api/activation/code"
CALL = "sealed/spawn"
PLAIN = json.dumps({"requestObject": {"applicationId": "x", "otp": "y" * 16}}).encode()
CODE_FAILED = (400, "ACTIVATION_CODE_FAILED", "Unable to fetch activation code.")
ENVELOPE = {"encryptedData": "ANSWER", "mac": "MAC", "nonce": "NONCE", "timestamp": 1}


@pytest.fixture
def client(connect: Connect) -> PublicClient:
    return connect(activation_spawn_enabled=True)


async def test_it_does_not_exist_by_default(connect: Connect, phone: Phone, core: FakeCore) -> None:
    answer = await connect().post(PATH, phone.closed("/pa/generic/activation"), phone.authorization())
    assert answer.error == (404, "ERROR_NOT_FOUND", "Resource not found.")
    assert core.calls == []


async def test_body_and_answer_pass_through_closed(client: PublicClient, phone: Phone) -> None:
    client.core.script[CALL] = {"authenticated": True, "envelope": ENVELOPE | {"temporaryKeyId": None}}
    body = phone.closed("/pa/generic/activation")
    answer = await client.post(PATH, body, phone.authorization())
    assert answer.json == ENVELOPE
    assert client.core.paths == [CALL]
    assert b64decode(client.core.last(CALL)["body"]) == body


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ({"authenticated": False}, SIGNATURE_INVALID),
        ({"authenticated": True, "refusal": "REQUEST_INVALID"}, INVALID_REQUEST),
        ({"authenticated": True, "refusal": "TRANSFER_REFUSED"}, CODE_FAILED),
        ({"authenticated": True}, REMOTE_FAILED),
        (Refusal("ERR0024"), CODE_FAILED),
        (Raw(500), REMOTE_FAILED),
    ],
)
async def test_outcomes_of_the_core(
    client: PublicClient, phone: Phone, outcome: object, error: tuple[int, str, str]
) -> None:
    client.core.script[CALL] = outcome  # type: ignore[assignment]
    answer = await client.post(PATH, phone.closed("/pa/generic/activation"), phone.authorization())
    assert answer.error == error


@pytest.mark.parametrize("kind", ["possession", "knowledge", "biometry", "possession_knowledge_biometry"])
async def test_other_factors_never_reach_the_core(client: PublicClient, phone: Phone, kind: str) -> None:
    answer = await client.post(PATH, phone.closed("/pa/generic/activation"), phone.authorization(kind))
    assert answer.error == SIGNATURE_INVALID
    assert client.core.calls == []


@pytest.mark.parametrize("headers", [{}, {"X-PowerAuth-Authorization": "PowerAuth nonsense"}])
async def test_without_a_usable_header(client: PublicClient, phone: Phone, headers: dict[str, str]) -> None:
    answer = await client.post(PATH, phone.closed("/pa/generic/activation"), headers)
    assert answer.error == SIGNATURE_INVALID
    assert client.core.calls == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", PLAIN])
async def test_a_body_that_is_no_envelope(client: PublicClient, phone: Phone, body: bytes) -> None:
    answer = await client.post(PATH, body, phone.authorization())
    assert answer.error == ENCRYPTION_FAILED
    assert client.core.calls == []


@pytest.mark.parametrize("version", ["3.0", "3.1"])
async def test_old_versions_do_not_have_it(client: PublicClient, version: str) -> None:
    phone = Phone(client.core, version)
    answer = await client.post(PATH, phone.closed("/pa/generic/activation"), phone.authorization())
    assert answer.error == SIGNATURE_INVALID
    assert client.core.calls == []
