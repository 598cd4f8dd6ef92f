"""The shortcut answers exactly like the route it stands in for (design §8)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.middleware import Middleware

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.app import create_app
from powerauth_core.edge.hot_calls import HOT_CALLS
from powerauth_core.edge.lean import LeanCalls
from powerauth_core.integrations.service import ensure_integration
from powerauth_core.kernel.error_family import CORE_FAMILY
from powerauth_core.settings import CoreSettings
from servicekit import metrics
from servicekit.database import DatabaseUnavailable

ROOT = "/powerauth-java-server"
JSON = {"Content-Type": "application/json"}


def app_with(core: Any, *, shortcut: bool) -> FastAPI:
    app = create_app(CoreSettings(environment="test", request_log=False, max_body_bytes=4096))
    app.user_middleware = [each for each in app.user_middleware if each.cls is not LeanCalls]
    if shortcut:
        app.user_middleware.append(Middleware(LeanCalls, family=CORE_FAMILY, calls=HOT_CALLS))
    app.state.core = core
    return app


class Both:
    """A client that asks the shortcut and the route, and expects one answer."""

    def __init__(self, clients: list[httpx2.AsyncClient]) -> None:
        self._clients = clients

    async def post(self, path: str, content: bytes, headers: dict[str, str] | None = None) -> httpx2.Response:
        """The answer of both."""
        answers = [
            await client.post(ROOT + path, content=content, headers=headers) for client in self._clients
        ]
        first, second = answers
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        ignored = {"x-correlation-id", "date"}
        kept = [{k: v for k, v in answer.headers.items() if k not in ignored} for answer in answers]
        assert kept[0] == kept[1]
        return first


@pytest_asyncio.fixture
async def both(core: Any, api: Any) -> AsyncIterator[Both]:
    """Shortcut and route of one core."""
    credentials = await ensure_integration(core, "lean", IntegrationKind.REST)
    auth = (credentials.client_token, credentials.client_secret)
    clients = [
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app_with(core, shortcut=shortcut)),
            base_url="http://core",
            auth=auth,
        )
        for shortcut in (True, False)
    ]
    yield Both(clients)
    for client in clients:
        await client.aclose()


def verification(phone: Any, **changes: Any) -> bytes:
    return json.dumps({"requestObject": phone.sign(b"").request | changes}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"requestObject":null}',
        b'{"requestObject":{}}',
        b"\xff",
        b'{"a":"\\ud800"}',
    ],
)
@pytest.mark.parametrize("path", sorted(path for path in HOT_CALLS if path.startswith("/rest")))
async def test_malformed_requests_are_worded_alike(both, path, content) -> None:
    assert (await both.post(path, content, JSON)).status_code == 400


async def test_refusals_and_answers_are_worded_alike(both, phone) -> None:
    for changes in (
        {"activationId": "unknown"},
        {"signatureVersion": "9"},
        {"signatureType": "possession"},
        {"data": None},
        {"signature": "\x00"},
        {"forcedSignatureVersion": 2**70},
    ):
        await both.post("/rest/v3/signature/verify", verification(phone, **changes), JSON)


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/json; charset=utf-8"])
async def test_other_content_types_are_treated_alike(both, phone, content_type) -> None:
    content = verification(phone, activationId="unknown")
    headers = {"Content-Type": content_type} if content_type else {}
    await both.post("/rest/v3/signature/verify", content, headers)


async def test_body_above_the_limit_is_refused_alike(both) -> None:
    answer = await both.post("/rest/v3/signature/verify", b'{"requestObject":"' + b"x" * 5000 + b'"}', JSON)
    assert answer.status_code == 413


async def test_database_outage_is_worded_alike(both, phone, core, monkeypatch) -> None:
    async def refuse(_job: Any) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(core.verifier, "run", refuse)
    answer = await both.post("/rest/v3/signature/verify", verification(phone), JSON)
    assert answer.status_code == 503


async def test_shortcut_needs_credentials_and_is_counted_by_its_path(core, phone, api) -> None:
    app = app_with(core, shortcut=True)
    url = f"{ROOT}/rest/v3/signature/verify"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://core") as client:
        answer = await client.post(url, content=verification(phone), headers=JSON)
    assert answer.status_code == 401
    credentials = await ensure_integration(core, "counted", IntegrationKind.REST)
    auth = (credentials.client_token, credentials.client_secret)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://core") as client:
        answer = await client.post(url, content=verification(phone), headers=JSON, auth=auth)
    assert answer.json()["responseObject"]["signatureValid"] is True
    paths = {
        sample.labels["route"]
        for family in metrics.REGISTRY.collect()
        if family.name == "http_server_request_seconds"
        for sample in family.samples
    }
    assert "/rest/v3/signature/verify" in paths


def test_every_shortcut_is_a_documented_route() -> None:
    paths = create_app(CoreSettings(environment="test")).openapi()["paths"]
    assert HOT_CALLS.keys() <= paths.keys()
