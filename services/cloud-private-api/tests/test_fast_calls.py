"""Hot calls in front of the framework are answered exactly as by their routes."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest
from cloud_client import Client, Service, settings_of
from cloud_fake_core import FakeCore
from fastapi import FastAPI

from cloud_private_api.app import create_app
from powerauth_contracts.cloud.table import CALLS

HOT = [call for call in CALLS if call.fast]
OPERATION = {"userId": "u1", "template": "login", "parameters": {"amount": 12.50}}
BODIES = [
    json.dumps(OPERATION).encode() + b" and more",
    b"",
    b"null",
    b"[]",
    b"7.5",
    b"{",
    b"\xff",
    b"{}",
    b'{"template":null}',
    b'{"template":"login","template":"login"}',
    b'{"template":"login","language":"english","registrationId":"../x","authHeader":"PowerAuth secret"}',
    b'{"template":"login","applications":["app-b"]}',
    b'{"template":"unknown"}',
    b'{"method":"PATCH","uriId":7,"authHeader":true}',
    b'{"method":"post","uriId":"/a","authHeader":"PowerAuth pa_version=9"}',
]
HEADERS: list[dict[str, str]] = [
    {"Content-Type": "application/json"},
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Type": "application/vnd.bank+json"},
    {"Content-Type": "application/jsonx"},
    {"Content-Type": "application/json+json"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "text/x+json"},
    {"Accept": "text/html"},
    {},
]

_MADE = re.compile(rb'"(operationId|timestamp\w+|activation\w+)":("[^"]*"|\d+),')


@pytest.fixture(scope="module")
def plain_app() -> FastAPI:
    """The application without what stands in front of its routes."""
    app = create_app(settings_of("sqlite://"))
    app.user_middleware = [
        layer for layer in app.user_middleware if getattr(layer.cls, "__name__", "") != "FastEdge"
    ]
    return app


@pytest.fixture(autouse=True)
def _template(core: FakeCore) -> None:
    core.template("login")


@pytest.fixture
def pair(service: Service, plain_app: FastAPI) -> tuple[Service, Service]:
    """The service, and the same by its routes alone."""
    plain_app.state.cloud = service.cloud
    return service, Service(plain_app, service.cloud, service.core)


def _shown(answer: httpx2.Response, core: FakeCore) -> tuple[Any, ...]:
    """All that a caller sees but what differs from request to request, and what the core was asked."""
    body = _MADE.sub(b"", answer.content)
    asked = [(call.path, call.request) for call in core.calls]
    core.calls.clear()
    unlike = ("x-correlation-id", "content-length")
    return answer.status_code, body, {k: v for k, v in answer.headers.items() if k not in unlike}, asked


async def _assert_alike(pair: tuple[Service, Service], user: str, *request: Any, **more: Any) -> int:
    answers = []
    for service in pair:
        client = service.client(user) if user else service.anonymous()
        answers.append(_shown(await client.http.request(*request, **more), service.core))
    assert answers[0] == answers[1]
    status: int = answers[0][0]
    return status


@pytest.mark.parametrize("call", HOT, ids=lambda call: call.name)
async def test_what_arrives_is_judged_alike(pair: tuple[Service, Service], bank: Client, call: Any) -> None:
    await bank.ok("POST", "/v2/operations", OPERATION)  # what the service remembers of the core
    bank.core.calls.clear()
    path = re.sub(r"{\w+}", "no%2Fsuch", call.path)
    bodies = BODIES if call.method == "POST" else [b""]
    statuses = {
        await _assert_alike(pair, "bank", call.method, path, content=body, headers=headers)
        for body in bodies
        for headers in HEADERS
    }
    assert statuses >= {400, 406}
    assert await _assert_alike(pair, "", call.method, path, json={}) == 401
    assert await _assert_alike(pair, "nobody", call.method, path, json={}) == 401
    assert await _assert_alike(pair, "bank", call.method, f"{path}?applications=%zz&applications=2") == 400
    for method in ("OPTIONS", "PUT", "HEAD"):
        await _assert_alike(pair, "bank", method, path)


async def test_roles_are_judged_alike(pair: tuple[Service, Service]) -> None:
    await pair[0].user("guest", ["app-a"], roles=())
    for path in ("/v2/operations", "/v2/token/verify"):
        assert await _assert_alike(pair, "guest", "POST", path, json={}) == 403


async def test_what_is_found_is_told_alike(pair: tuple[Service, Service], bank: Client) -> None:
    made = await bank.ok("POST", "/v2/operations", OPERATION)
    bank.core.calls.clear()
    for suffix, status in (("", 200), ("?x=%zz", 200), ("/", 404), ("/offline/qr/x", 404)):
        path = f"/v2/operations/{made['operationId']}{suffix}"
        assert await _assert_alike(pair, "bank", "GET", path) == status
    assert await _assert_alike(pair, "bank", "GET", "/v2/operations/") == 404
    started = await bank.ok("POST", "/v2/registrations", {"userId": "u1"})
    bank.core.calls.clear()
    path = f"/v2/registrations/{started['registrationId']}"
    assert await _assert_alike(pair, "bank", "GET", path) == 200


async def test_failures_of_the_core_are_told_alike(pair: tuple[Service, Service], bank: Client) -> None:
    await bank.ok("POST", "/v2/operations", OPERATION)
    bank.core.down = True
    bank.core.calls.clear()
    assert await _assert_alike(pair, "bank", "POST", "/v2/operations", json=OPERATION) == 503
    assert await _assert_alike(pair, "bank", "GET", "/v2/operations/abc") == 503


def test_hot_calls_have_no_query(plain_app: FastAPI) -> None:
    """The fast edge does not read any."""
    routes: list[Any] = [route for route in plain_app.routes if hasattr(route, "operation_id")]
    by_name = {route.operation_id: route for route in routes}
    assert [by_name[call.name].dependant.query_params for call in HOT] == [[] for _ in HOT]
