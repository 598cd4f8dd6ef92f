"""Routes are found by one look-up, names in paths whatever they hold, and each path knows its methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from servicekit.edge.middleware import route_template
from servicekit.edge.routing import METHODS, RouteTable
from servicekit.targets import MalformedTarget, canonical_path, name_of

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

    @inner.put("/thing/{thing_id}/{part}")
    async def part(thing_id: str, part: str) -> list[str]:
        return [thing_id, part]

    @inner.delete("/thing/fixed")
    async def fixed() -> str:
        return "fixed"

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


async def test_no_path_is_searched_for(app: FastAPI, client_of: ClientOf) -> None:
    probe = Probe()
    app.router.routes.insert(1, probe)
    client = client_of(app)
    for path, status in (("/outer/same", 200), ("/outer/inner/thing/7", 200), ("/outer/inner/other", 404)):
        assert (await client.get(path)).status_code == status
    assert probe.asked == 0


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


async def test_a_path_that_only_starts_with_the_context_path_is_unknown(app: FastAPI) -> None:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/powerauth-test/outer/same")).status_code == 200
        assert (await client.get("/powerauth-testouter/same")).status_code == 404
        assert (await client.get("/powerauth-test-other/outer/same")).status_code == 404
        assert (await client.get("/powerauth-test")).status_code == 404


def _encoded(name: str) -> str:
    """Every byte percent-encoded, so that no client on the way takes a part of it for its own."""
    return "".join(f"%{byte:02X}" for byte in name.encode())


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
@example("/")
@example("a/b")
@example("%2F")
@example("%252F")
@example(".")
@example("..")
@example("fixed")
@example(";a=b?c#d")
@example("\x00")
def test_a_segment_stands_for_one_name(name: str) -> None:
    for encoded in (_encoded(name), quote(name, safe="")):
        path = canonical_path(f"/a/{encoded}/b".encode())
        assert [name_of(part) for part in path.split("/")] == ["", "a", name, "b"]


@pytest.mark.parametrize("path", [b"/%", b"/a%2", b"/%zz", b"/%ff", b"/%c0%af", b"/%ed%a0%80"])
def test_what_is_not_percent_encoded_text_is_no_path(path: bytes) -> None:
    with pytest.raises(MalformedTarget):
        canonical_path(path)


async def test_names_in_paths_may_hold_anything(app: FastAPI, client_of: ClientOf) -> None:
    client = client_of(app)
    for name in ("a/b", "%2F", "..", "thing/x", "\x00", "fixed", "ž\U0001f511"):
        answer = await client.get(f"/outer/inner/thing/{_encoded(name)}")
        assert answer.json()["thing"] == name
        answer = await client.put(f"/outer/inner/thing/{_encoded(name)}/{_encoded('/')}")
        assert answer.json() == [name, "/"]
    malformed = await client.get("/outer/inner/thing/%FF")
    assert malformed.status_code == 400
    assert malformed.json()["responseObject"]["code"] == "ERROR_HTTP_REQUEST"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/outer/%73ame", 200),
        ("/outer%2Fsame", 404),
        ("//outer/same", 404),
        ("/outer//same", 404),
        ("/outer/same/", 404),
        ("/outer/inner/thing/", 404),
        ("/outer/inner/thing/a/b/c", 404),
    ],
)
async def test_separators_are_those_that_were_sent(
    app: FastAPI, client_of: ClientOf, path: str, status: int
) -> None:
    assert (await client_of(app).get(path)).status_code == status


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/outer/same", "GET, HEAD, OPTIONS, POST"),
        ("/outer/inner/call", "OPTIONS, POST"),
        ("/outer/inner/thing/7", "GET, HEAD, OPTIONS"),
        ("/outer/inner/thing/fixed", "DELETE, GET, HEAD, OPTIONS"),
        ("/outer/inner/thing/7/8", "OPTIONS, PUT"),
        ("/actuator/health", "GET, HEAD, OPTIONS"),
        ("/swagger-ui", "GET, HEAD, OPTIONS"),
        ("/v3/api-docs", "GET, HEAD, OPTIONS"),
    ],
)
async def test_every_path_knows_its_methods(
    app: FastAPI, client_of: ClientOf, path: str, allowed: str
) -> None:
    client = client_of(app)
    options = await client.options(path)
    assert (options.status_code, options.content, options.headers["allow"]) == (200, b"", allowed)
    for method in METHODS - set(allowed.split(", ")):
        refused = await client.request(method, path)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
    assert (await client.request("BREW", path)).status_code == 501
    if "HEAD" in allowed:
        get, head = await client.get(path), await client.head(path)
        changing = {"x-correlation-id"}
        assert (get.status_code, head.content) == (head.status_code, b"")
        assert {name: value for name, value in get.headers.items() if name not in changing} == {
            name: value for name, value in head.headers.items() if name not in changing
        }


async def test_an_error_has_no_body_either_when_only_its_head_is_asked_for(
    app: FastAPI, client_of: ClientOf
) -> None:
    head = await client_of(app).head("/nowhere")
    assert (head.status_code, head.content, int(head.headers["content-length"]) > 0) == (404, b"", True)


def test_parameters_are_whole_segments(make_app: MakeApp) -> None:
    router = APIRouter()

    @router.get("/files/{path:path}")
    async def file(path: str) -> str:
        return path

    with pytest.raises(ValueError, match="whole segments"):
        RouteTable(make_app(router)).matches({"type": "http", "method": "GET", "path": "/files/a"})
