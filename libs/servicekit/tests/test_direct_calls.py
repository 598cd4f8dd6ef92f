"""Endpoints that are called without the framework answer exactly as through it."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.answers import JsonResponse
from servicekit.edge.middleware import route_template
from servicekit.edge.routing import DirectCalls, DirectRoute
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


class Behind:
    """Middleware behind the shortcut that remembers what reached it."""

    def __init__(self, app: ASGIApp, *, seen: list[str]) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._seen.append(scope["path"])
        await self._app(scope, receive, send)


def _router() -> APIRouter:
    router = APIRouter(prefix="/direct", route_class=DirectRoute)

    @router.api_route("/mirror", methods=["GET", "POST"])
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


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def direct(make_app: MakeApp, family: ErrorFamily, seen: list[str]) -> FastAPI:
    """An application with the shortcut."""
    app = make_app(_router())
    app.user_middleware += [Middleware(DirectCalls, family=family), Middleware(Behind, seen=seen)]
    return app


async def test_constant_paths_are_answered_at_once(
    direct: FastAPI, client_of: ClientOf, seen: list[str]
) -> None:
    client = client_of(direct)
    answer = await client.post("/direct/mirror", content=b"{}")
    assert (answer.content, answer.headers["X-Template"]) == (b"{}", "/direct/mirror")
    assert (await client.get("/direct/mirror")).status_code == 200
    assert seen == []


async def test_everything_else_goes_on_to_the_framework(
    direct: FastAPI, client_of: ClientOf, seen: list[str]
) -> None:
    client = client_of(direct)
    assert (await client.get("/direct/item/7")).content == b"7"
    assert (await client.delete("/direct/mirror")).status_code == 405
    assert (await client.get("/unknown")).status_code == 404
    assert (await client.get("/actuator/health")).status_code == 200
    assert "/direct/mirror" in (await client.get("/v3/api-docs")).json()["paths"]
    assert len(seen) == 5


@pytest.mark.parametrize("failure", FAILURES)
async def test_failures_are_worded_as_by_the_framework(
    direct: FastAPI, make_app: MakeApp, client_of: ClientOf, failure: str
) -> None:
    answers = [
        await client_of(app).post("/direct/fail", content=failure.encode())
        for app in (direct, make_app(_router()))
    ]
    one, other = [
        (answer.status_code, answer.content, {name: answer.headers.get(name) for name in _COMPARED})
        for answer in answers
    ]
    assert one == other
    assert b"internal detail" not in answers[0].content


_COMPARED = ("Content-Type", "Retry-After", "WWW-Authenticate", "Cache-Control", "X-Content-Type-Options")
