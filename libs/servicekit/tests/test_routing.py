"""Constant paths are found by one look-up; all else behaves as in the framework's own routing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from servicekit.errors import ServiceError
from servicekit.middleware import route_template
from servicekit.routing import DirectRoute
from servicekit.wire import JsonResponse

MakeApp = Callable[..., FastAPI]
ClientOf = Callable[[FastAPI], httpx2.AsyncClient]


class Probe(BaseRoute):
    """Counts how often the framework's own search comes by."""

    def __init__(self) -> None:
        self.asked = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        self.asked += scope["type"] == "http"
        return Match.NONE, {}


def _caller(request: Request) -> str:
    return request.headers.get("x-caller", "nobody")


def _routers() -> list[APIRouter]:
    inner = APIRouter(prefix="/inner", dependencies=[Depends(_caller)])

    @inner.post("/call")
    async def call(caller: Annotated[str, Depends(_caller)], request: Request) -> dict[str, Any]:
        return {"caller": caller, "template": route_template(request.scope), "params": request.path_params}

    @inner.get("/thing/{thing_id}")
    async def thing(thing_id: str, request: Request) -> dict[str, Any]:
        return {"thing": thing_id, "template": route_template(request.scope)}

    outer = APIRouter(prefix="/outer")
    outer.include_router(inner)

    @outer.get("/same")
    async def first() -> str:
        return "first"

    @outer.get("/same")
    async def second() -> str:
        return "second"

    @outer.post("/same")
    async def posted() -> str:
        return "posted"

    return [outer]


@pytest.fixture
def app(make_app: MakeApp) -> FastAPI:
    return make_app(*_routers())


async def test_a_constant_path_is_not_searched_for(app: FastAPI, client_of: ClientOf) -> None:
    probe = Probe()
    app.router.routes.insert(1, probe)
    client = client_of(app)
    assert (await client.post("/outer/inner/call")).status_code == 200
    assert probe.asked == 0
    assert (await client.get("/outer/inner/thing/7")).status_code == 200
    assert probe.asked == 1


async def test_dependencies_and_templates_of_nested_routers_are_kept(
    app: FastAPI, client_of: ClientOf
) -> None:
    client = client_of(app)
    answer = await client.post("/outer/inner/call", headers={"X-Caller": "bank"})
    assert answer.json() == {"caller": "bank", "template": "/outer/inner/call", "params": {}}
    answer = await client.get("/outer/inner/thing/7")
    assert answer.json() == {"thing": "7", "template": "/outer/inner/thing/{thing_id}"}


async def test_the_first_declaration_wins_and_methods_are_told_apart(
    app: FastAPI, client_of: ClientOf
) -> None:
    client = client_of(app)
    assert (await client.get("/outer/same")).json() == "first"
    assert (await client.post("/outer/same")).json() == "posted"
    assert (await client.delete("/outer/same")).status_code == 405


async def test_routes_added_before_the_first_request_are_known(app: FastAPI, client_of: ClientOf) -> None:
    late = APIRouter()

    @late.get("/late")
    async def late_call() -> str:
        return "late"

    app.include_router(late)
    probe = Probe()
    app.router.routes.insert(1, probe)
    assert (await client_of(app).get("/late")).json() == "late"
    assert probe.asked == 0


async def test_a_direct_route_is_answered_documented_and_guarded_like_any_other(
    make_app: MakeApp, client_of: ClientOf
) -> None:
    router = APIRouter(prefix="/direct", route_class=DirectRoute)

    @router.post("/mirror")
    async def mirror(request: Request) -> JsonResponse:
        return JsonResponse(await request.body())

    @router.post("/refuse")
    async def refuse(request: Request) -> JsonResponse:
        raise ServiceError("Not now.")

    @router.get("/item/{item_id}")
    async def item(request: Request) -> JsonResponse:
        return JsonResponse(request.path_params["item_id"].encode())

    app = make_app(router, max_body_bytes=1024)
    client = client_of(app)
    assert (await client.post("/direct/mirror", content=b"{}")).content == b"{}"
    assert (await client.post("/direct/mirror", content=b"x" * 1025)).status_code == 413
    refused = await client.post("/direct/refuse")
    assert (refused.status_code, refused.json()["responseObject"]["message"]) == (400, "Not now.")
    assert (await client.get("/direct/mirror")).status_code == 405
    assert (await client.get("/direct/item/7")).content == b"7"
    assert "/direct/mirror" in (await client.get("/v3/api-docs")).json()["paths"]


async def test_a_path_that_only_starts_with_the_context_path_is_unknown(
    app: FastAPI, client_of: ClientOf
) -> None:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/powerauth-test/outer/same")).status_code == 200
        assert (await client.get("/powerauth-testouter/same")).status_code == 404
        assert (await client.get("/powerauth-test-other/outer/same")).status_code == 404
        assert (await client.get("/powerauth-test")).status_code == 404
