"""Endpoints of signed tokens: what passes unread, and what is kept a copy of (spec/device-trust.md §2.5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from enrollment_fakes import REMOTE_FAILED, Answer, PublicClient, Raw, Refusal

from enrollment import published
from enrollment.limits import RateLimit

Connect = Callable[..., PublicClient]
FORM = {"content-type": "application/x-www-form-urlencoded"}
ENDPOINTS = {
    "/oidc/token": "jwt/token",
    "/oidc/token/introspection": "jwt/introspect",
    "/oidc/token/revocation": "jwt/revoke",
}
DOCUMENTS = {
    "/oidc/jwks": ("jwks", None),
    "/app/bank/oidc/jwks": ("jwks", "bank"),
    "/.well-known/openid-configuration": ("jwt/discovery", None),
    "/app/my%20bank/.well-known/openid-configuration": ("jwt/discovery", "my bank"),
}


def header(answer: Answer, name: str) -> str | None:
    return {key.lower(): value for key, value in answer.headers.items()}.get(name)


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_form_and_header_pass_as_they_are(client: PublicClient, path: str) -> None:
    answered = {"status": 200, "content": {"access_token": "t", "n": 1}}
    client.core.script[ENDPOINTS[path]] = answered
    given = b"grant_type=refresh_token&refresh_token=a%2Bb&x=%C3%A9"
    answer = await client.send("POST", path, given, FORM | {"authorization": "Basic d2ViOng="})
    assert (answer.status, json.loads(answer.body)) == (200, answered["content"])
    assert header(answer, "cache-control") == "no-store"
    asked = client.core.last(ENDPOINTS[path])
    assert asked == {"form": given.decode(), "authorization": "Basic d2ViOng="}


async def test_refusals_are_oauths_own(client: PublicClient) -> None:
    content = {"error": "invalid_client", "error_description": "why"}
    client.core.script["jwt/token"] = {"status": 401, "content": content, "authenticate": "Basic realm=x"}
    answer = await client.send("POST", "/oidc/token", b"a=b", FORM)
    assert (answer.status, json.loads(answer.body)) == (401, content)
    assert header(answer, "www-authenticate") == "Basic realm=x"
    client.core.script["jwt/revoke"] = {"status": 200}
    answer = await client.send("POST", "/oidc/token/revocation", b"token=x", FORM)
    assert (answer.status, answer.body) == (200, b"")


async def test_refusals_count_on_their_address(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    async def count(limit: RateLimit, key: str) -> None:
        counted.append((limit.name, key))

    monkeypatch.setattr(RateLimit, "count", count)
    client = connect(limit_failures_per_address=2)
    for status in (200, 401):
        client.core.script["jwt/user-info"] = {"status": status, "content": {}}
        await client.send("GET", "/oidc/userinfo", headers={"authorization": "Bearer x"})
    assert [name for name, _ in counted] == ["failures-per-address"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"content-type": "application/json"}, 415),
        (b"a=b", {}, 415),
        (b"\xff", FORM, 400),
        (b"a" * 40_000, FORM, 400),
        (b"a=b", FORM | {"authorization": "Bearer " + "x" * 9_000}, 413),
    ],
)
async def test_what_no_client_sends_goes_no_further(
    client: PublicClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert (await client.send("POST", "/oidc/token", body, headers)).status == status
    assert client.core.paths == []


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_a_document_is_copied_for_a_while(
    client: PublicClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, application_id = DOCUMENTS[path]
    document: dict[str, Any] = {"keys": [], "of": application_id}
    client.core.script[call] = {"etag": "e1", "notModified": False, "document": document}
    first = await client.send("GET", path)
    assert (first.status, json.loads(first.body)) == (200, document)
    assert (header(first, "etag"), header(first, "cache-control")) == ('"e1"', "public, max-age=3600")
    assert client.core.last(call).get("applicationId") == application_id
    again = await client.send("GET", path, headers={"if-none-match": '"e0", "e1"'})
    assert (again.status, again.body) == (304, b"")
    assert client.core.paths == [call], "asked once"
    monkeypatch.setattr(published, "REVALIDATE_SECONDS", 0)
    client.core.script[call] = {"etag": "e1", "notModified": True, "document": None}
    assert (await client.send("GET", path)).body == first.body
    assert client.core.last(call)["etag"] == "e1"
    client.core.script[call] = Raw(503)
    assert (await client.send("GET", path)).body == first.body, "the core is away for a moment"
    monkeypatch.setattr(published, "MAXIMUM_AGE_SECONDS", -1)
    assert (await client.send("GET", path)).status == REMOTE_FAILED[0]
    client.core.script[call] = Refusal("ERR0015")
    assert (await client.send("GET", path)).status == 404
    client.core.script[call] = Raw(503)
    assert (await client.send("GET", path)).status == REMOTE_FAILED[0], "forgotten"
