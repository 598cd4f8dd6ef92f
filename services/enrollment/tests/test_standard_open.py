"""Without a signature: status, key store, activation status (spec/enrollment-api.md §6.1, §6.2, §6.4)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from enrollment_fakes import ACTIVATION_ID, ACTIVATION_INVALID, REMOTE_FAILED, PublicClient, Raw, Refusal

from servicekit import clock

TEMPORARY_KEY_FAILURE = (400, "ERR_TEMPORARY_KEY", "POWER_AUTH_TEMPORARY_KEY_FAILURE")


async def test_status_tells_time_and_name(client: PublicClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: 1_735_689_600_123)
    for body in (b"", b"{}", b"not json"):
        answer = await client.post("/pa/v3/status", body)
        assert answer.status == 200
        assert answer.json == {
            "status": "OK",
            "responseObject": {
                "serverTime": 1_735_689_600_123,
                "application": {"name": "enrollment-server", "version": "UNKNOWN"},
            },
        }
    assert client.core.calls == []


async def test_key_request_passes_through_as_it_is(client: PublicClient) -> None:
    client.core.script["keystore/create"] = {"jwt": "signed.answer.x"}
    answer = await client.post("/pa/v3/keystore/create", {"requestObject": {"jwt": "a.b.c", "other": 1}})
    assert (answer.status, answer.json) == (
        200,
        {"status": "OK", "responseObject": {"jwt": "signed.answer.x"}},
    )
    assert client.core.last("keystore/create") == {"jwt": "a.b.c"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"requestObject":null}',
        b'{"requestObject":{}}',
        b'{"requestObject":{"jwt":null}}',
        b'{"requestObject":{"jwt":""}}',
        b'{"requestObject":{"jwt":5}}',
        json.dumps({"requestObject": {"jwt": "x" * 8193}}).encode(),
    ],
)
async def test_unusable_key_request_never_reaches_the_core(client: PublicClient, body: bytes) -> None:
    assert (await client.post("/pa/v3/keystore/create", body)).error == TEMPORARY_KEY_FAILURE
    assert client.core.calls == []


async def test_every_refusal_of_a_key_looks_alike(client: PublicClient) -> None:
    for code in ("ERR0009", "ERR0015", "ERR0024", "ERROR_HTTP_REQUEST"):
        client.core.script["keystore/create"] = Refusal(code)
        answer = await client.post("/pa/v3/keystore/create", {"requestObject": {"jwt": "a.b.c"}})
        assert answer.error == TEMPORARY_KEY_FAILURE


BLOB = {"activationId": ACTIVATION_ID, "encryptedStatusBlob": "QUJD", "encryptedStatusBlobNonce": "bm9uY2U="}


async def test_activation_status_passes_through(client: PublicClient) -> None:
    client.core.script["activation/status"] = BLOB | {"customObject": None}
    request = {"activationId": ACTIVATION_ID, "challenge": "Y2hhbGxlbmdl"}
    answer = await client.post("/pa/v3/activation/status", {"requestObject": request})
    assert answer.json == {
        "status": "OK",
        "responseObject": {"activationId": ACTIVATION_ID, "encryptedStatusBlob": "QUJD", "nonce": "bm9uY2U="},
    }
    assert client.core.last("activation/status") == request


async def test_activation_status_carries_the_applications_object(client: PublicClient) -> None:
    client.core.script["activation/status"] = BLOB | {"customObject": {"theme": "dark"}}
    answer = await client.post("/pa/v3/activation/status", {"requestObject": {"activationId": ACTIVATION_ID}})
    assert answer.json["responseObject"]["customObject"] == {"theme": "dark"}
    assert client.core.last("activation/status") == {"activationId": ACTIVATION_ID}


@pytest.mark.parametrize("challenge", [None, "Y2hhbGxlbmdl"])
async def test_an_id_that_cannot_exist_looks_like_an_unknown_one(
    client: PublicClient, challenge: str | None
) -> None:
    request: dict[str, Any] = {"activationId": "not-a-uuid"}
    if challenge:
        request["challenge"] = challenge
    first, second = [
        (await client.post("/pa/v3/activation/status", {"requestObject": request})).json["responseObject"]
        for _ in range(2)
    ]
    assert first["activationId"] == "not-a-uuid"
    assert len(base64.b64decode(first["encryptedStatusBlob"])) == 32
    assert first["encryptedStatusBlob"] != second["encryptedStatusBlob"]
    assert ("nonce" in first) == (challenge is not None)
    if challenge:
        assert len(base64.b64decode(first["nonce"])) == 16
    assert client.core.calls == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b'{"requestObject":{}}',
        b'{"requestObject":{"activationId":null}}',
        b'{"requestObject":{"activationId":5}}',
        json.dumps({"requestObject": {"activationId": ACTIVATION_ID, "challenge": 5}}).encode(),
    ],
)
async def test_unusable_status_request(client: PublicClient, body: bytes) -> None:
    assert (await client.post("/pa/v3/activation/status", body)).error == ACTIVATION_INVALID
    assert client.core.calls == []


async def test_refused_status(client: PublicClient) -> None:
    client.core.script["activation/status"] = Refusal("ERR0024")
    answer = await client.post("/pa/v3/activation/status", {"requestObject": {"activationId": ACTIVATION_ID}})
    assert answer.error == ACTIVATION_INVALID


@pytest.mark.parametrize(
    ("path", "request_object", "door"),
    [
        ("/pa/v3/keystore/create", {"jwt": "a.b.c"}, "keystore/create"),
        ("/pa/v3/activation/status", {"activationId": ACTIVATION_ID}, "activation/status"),
    ],
)
@pytest.mark.parametrize(
    "outage",
    [
        Raw(500),
        Raw(503),
        Raw(401),
        Raw(403),
        Raw(404),
        Refusal("ERR_AUTHENTICATION", status=401),
        Refusal("ERROR_NOT_FOUND", status=404),
        Raw(400, b"<html>"),
        Raw(200, b"{}"),
        Raw(200, b""),
        Raw(200, b'{"responseObject":{"unexpected":1}}'),
        Raw(302),
    ],
)
async def test_a_core_that_gives_no_usable_answer_is_an_outage(
    client: PublicClient, path: str, request_object: object, door: str, outage: Raw | Refusal
) -> None:
    client.core.script[door] = outage
    assert (await client.post(path, {"requestObject": request_object})).error == REMOTE_FAILED


async def test_limits_of_the_core_are_passed_on(client: PublicClient) -> None:
    client.core.script["keystore/create"] = Raw(429, b"{}", {"Retry-After": "7"})
    answer = await client.post("/pa/v3/keystore/create", {"requestObject": {"jwt": "a.b.c"}})
    assert answer.error == (429, "TOO_MANY_REQUESTS", "Too many requests.")
    assert answer.headers["Retry-After"] == "7"
