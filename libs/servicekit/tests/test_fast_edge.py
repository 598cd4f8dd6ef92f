"""Calls in front of the framework are answered exactly as behind it, alone and in bundles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from powerauth_contracts.wire import ObjectRequest, RequestModel
from servicekit import logs, metrics
from servicekit.answers import JsonResponse
from servicekit.bundles import AnswerReader, BundledAnswer, BundledCall, write_calls
from servicekit.edge.bundles import Bundles
from servicekit.edge.fast import FastEdge, ObjectCall, endpoints_of
from servicekit.edge.middleware import route_template
from servicekit.edge.routing import JsonRoute
from servicekit.errors import DataRefused, ErrorFamily, RemoteUnavailable, ServiceError, Unavailable

MakeApp = Callable[..., FastAPI]
ClientOf = Callable[[FastAPI], httpx2.AsyncClient]

FAILURES: dict[str, Exception] = {
    "refused": ServiceError("Not now.", extra={"left": 2}, retry_after=7),
    "away": Unavailable("database"),
    "remote": RemoteUnavailable("core"),
    "data": DataRefused("too long"),
    "invalid": RequestValidationError([{"loc": ("body", "x"), "type": "missing", "msg": "Field required"}]),
    "http": HTTPException(401, headers={"WWW-Authenticate": "Basic"}),
    "bug": RuntimeError("internal detail"),
}
JSON = {"Content-Type": "application/json"}
COMPARED = ("Content-Type", "Retry-After", "WWW-Authenticate", "Cache-Control", "X-Content-Type-Options")


class Wish(RequestModel):
    text: str = Field(max_length=20)


async def named(request: Request) -> JsonResponse:
    return JsonResponse(
        request.path_params["name"].encode(), headers={"X-Template": route_template(request.scope)}
    )


async def fulfil(_app: object, wish: Wish) -> Response:
    if wish.text in FAILURES:
        raise FAILURES[wish.text]
    return JsonResponse(json.dumps(logs.correlation_id.get() if wish.text == "who" else wish.text).encode())


CALL = ObjectCall(Wish, fulfil)


def _plain() -> APIRouter:
    router = APIRouter(prefix="/plain")

    @router.get("/mirror", operation_id="look_into_mirror")
    @router.post("/mirror")
    async def mirror(request: Request) -> JsonResponse:
        body = await request.body()
        return JsonResponse(body, headers={"X-Template": route_template(request.scope)})

    @router.get("/item/{item_id}")
    async def item(request: Request) -> JsonResponse:
        return JsonResponse(request.path_params["item_id"].encode())

    @router.post("/fail")
    async def fail(request: Request) -> JsonResponse:
        raise FAILURES[(await request.body()).decode()]

    return router


def _modelled() -> APIRouter:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/wish")
    async def wish(request: Request, body: ObjectRequest[Wish]) -> Response:
        return await fulfil(request.app, body.request_object)

    return router


class Behind:
    """Middleware behind the fast edge that remembers what reached it."""

    def __init__(self, app: ASGIApp, *, seen: list[str]) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._seen.append(scope["path"])
        await self._app(scope, receive, send)


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def make_fast(
    make_app: MakeApp, client_of: ClientOf, family: ErrorFamily, seen: list[str]
) -> Callable[..., httpx2.AsyncClient]:
    """Makes clients of an application with the fast edge and these settings."""

    def make(**settings: Any) -> httpx2.AsyncClient:
        plain = _plain()
        app = make_app(plain, _modelled(), max_body_bytes=4096, **settings)
        bundles = Bundles({"/wish": CALL}, family)
        endpoints = {
            **endpoints_of([plain]),
            ("POST", "/wish"): CALL.answer,
            ("POST", "/bundle"): bundles.answer,
            ("GET", "/named/{name}"): named,
        }
        app.user_middleware += [
            Middleware(FastEdge, family=family, endpoints=endpoints),
            Middleware(Behind, seen=seen),
        ]
        return client_of(app)

    return make


@pytest.fixture
def fast(make_fast: Callable[..., httpx2.AsyncClient]) -> httpx2.AsyncClient:
    """A client of an application with the fast edge."""
    return make_fast()


@pytest.fixture
def framework(make_app: MakeApp, client_of: ClientOf) -> httpx2.AsyncClient:
    """A client of the same without."""
    return client_of(make_app(_plain(), _modelled(), max_body_bytes=4096))


def shown(answer: httpx2.Response) -> tuple[int, bytes, dict[str, str | None]]:
    return answer.status_code, answer.content, {name: answer.headers.get(name) for name in COMPARED}


async def test_what_stands_in_the_table_is_answered_at_once(
    fast: httpx2.AsyncClient, seen: list[str]
) -> None:
    answer = await fast.post("/plain/mirror", content=b"{}")
    assert (answer.content, answer.headers["X-Template"]) == (b"{}", "/plain/mirror")
    assert (await fast.get("/plain/mirror")).status_code == 200
    assert (await fast.post("/wish", json={"requestObject": {"text": "a"}})).json() == "a"
    assert seen == []


async def test_the_last_segment_may_be_a_parameter(fast: httpx2.AsyncClient, seen: list[str]) -> None:
    answer = await fast.get("/named/a%2Fb%25")
    assert (answer.content, answer.headers["X-Template"]) == (b"a/b%", "/named/{name}")
    assert seen == []
    for method, path in (("GET", "/named/"), ("GET", "/named"), ("GET", "/named/a/b"), ("POST", "/named/a")):
        assert (await fast.request(method, path)).status_code == 404
    assert len(seen) == 4


async def test_everything_else_goes_on_to_the_framework(fast: httpx2.AsyncClient, seen: list[str]) -> None:
    assert (await fast.get("/plain/item/7")).content == b"7"
    assert (await fast.delete("/plain/mirror")).status_code == 405
    assert (await fast.get("/wish")).status_code == 405
    assert (await fast.get("/unknown")).status_code == 404
    assert (await fast.get("/actuator/health")).status_code == 200
    assert {"/plain/mirror", "/wish"} <= (await fast.get("/v3/api-docs")).json()["paths"].keys()
    assert len(seen) == 6


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


@pytest.mark.parametrize("failure", FAILURES)
async def test_failures_are_worded_as_by_the_framework(
    fast: httpx2.AsyncClient, framework: httpx2.AsyncClient, failure: str
) -> None:
    wish = {"requestObject": {"text": failure}}
    for path, request in (("/plain/fail", {"content": failure.encode()}), ("/wish", {"json": wish})):
        one, other = [await client.post(path, **request) for client in (fast, framework)]
        assert shown(one) == shown(other)
        assert b"internal detail" not in one.content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"requestObject":null}',
        b'{"requestObject":{}}',
        b'{"requestObject":{"text":"longer than twenty characters"}}',
        b'{"requestObject":{"text":"a\\u0000"}}',
        b'{"requestObject":{"text":"a"}}',
        b'{"requestObject":{"text":"\\ud800"}}',
        b"\xff",
        b" " * 5000,
    ],
)
async def test_bodies_are_read_as_by_the_framework(
    fast: httpx2.AsyncClient, framework: httpx2.AsyncClient, content: bytes
) -> None:
    for headers in (JSON, {}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json; x=y"}):
        for body in (lambda: content, lambda: pieces(content)):
            one, other = [
                await client.post("/wish", content=body(), headers=headers) for client in (fast, framework)
            ]
            assert shown(one) == shown(other)


def test_endpoints_that_need_the_framework_are_noticed() -> None:
    with pytest.raises(TypeError, match="/wish"):
        endpoints_of([_modelled()])


def bundled(number: int, wish: Any, path: str = "/wish", correlation_id: str | None = None) -> BundledCall:
    return BundledCall(number, path, correlation_id, json.dumps({"requestObject": wish}).encode())


async def send(client: httpx2.AsyncClient, *calls: BundledCall) -> list[BundledAnswer]:
    answer = await client.post("/bundle", content=write_calls(calls))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-call-bundle")
    return sorted(AnswerReader().feed(answer.content))


async def test_calls_of_a_bundle_are_answered_as_alone(fast: httpx2.AsyncClient) -> None:
    names = ["fine", *FAILURES]
    answers = await send(fast, *[bundled(n, {"text": name}) for n, name in enumerate(names)])
    for name, answer in zip(names, answers, strict=True):
        alone = await fast.post("/wish", json={"requestObject": {"text": name}})
        assert (answer.status, answer.retry_after, answer.body) == (
            alone.status_code,
            alone.headers.get("Retry-After"),
            alone.content,
        )


async def test_every_call_of_a_bundle_has_its_correlation_id(fast: httpx2.AsyncClient) -> None:
    given = [None, "request-1", "request-2", "short", "no{id}at;all"]
    answers = await send(fast, *[bundled(n, {"text": "who"}, correlation_id=i) for n, i in enumerate(given)])
    known = [json.loads(answer.body) for answer in answers]
    assert known[1:3] == given[1:3]
    assert len(set(known)) == len(known)
    assert {*known}.isdisjoint({None, *given[3:]}), "what is no id is not logged, as alone"


async def test_where_ids_of_callers_do_not_hold_those_in_bundles_do_not_either(
    make_fast: Callable[..., httpx2.AsyncClient],
) -> None:
    fast = make_fast(correlation_header_enabled=False)
    (answer,) = await send(fast, bundled(0, {"text": "who"}, correlation_id="request-1"))
    assert json.loads(answer.body) not in (None, "request-1")


async def test_every_call_of_a_bundle_is_logged_and_counted_as_alone(
    fast: httpx2.AsyncClient, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    def counted() -> dict[tuple[str, str], float]:
        return {
            (sample.labels["route"], sample.labels["status"]): sample.value
            for family in metrics.REGISTRY.collect()
            for sample in family.samples
            if sample.name == "http_server_request_seconds_count"
        }

    before = counted()
    await send(
        fast,
        bundled(0, {"text": "fine"}, correlation_id="request-1"),
        bundled(1, {"text": "bug"}, correlation_id="request-2"),
        bundled(2, {"text": "fine"}, "/plain/mirror", correlation_id="request-3"),
    )
    lines = [line for line in log_lines() if line["event"] == "request"]
    assert [(line["route"], line["status"], line.get("correlation_id")) for line in lines[:-1]] == [
        ("/wish", 200, "request-1"),
        ("/wish", 500, "request-2"),
    ]
    assert lines[-1]["route"] == "/bundle"
    after = counted()
    assert {key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key)} == {
        ("/wish", "200"): 1,
        ("/wish", "500"): 1,
        ("/bundle", "200"): 1,
    }


@pytest.mark.parametrize(
    "unfit",
    [
        BundledCall(0, "/wish", None, b"{"),
        bundled(0, None),
        bundled(0, {"text": 20 * "ab"}),
        bundled(0, {"text": "a"}, "/plain/mirror"),
        bundled(0, {"text": "a"}, "/bundle"),
    ],
)
async def test_what_is_not_for_bundles_is_left_to_be_asked_alone(
    fast: httpx2.AsyncClient, unfit: BundledCall
) -> None:
    answers = await send(fast, unfit, bundled(1, {"text": "a"}))
    assert [(answer.status, answer.body) for answer in answers] == [(0, b"-"), (200, b'"a"')]


async def test_what_is_no_bundle_is_refused(fast: httpx2.AsyncClient) -> None:
    assert (await fast.post("/bundle", content=b"not a bundle")).status_code == 400
