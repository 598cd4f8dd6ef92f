"""Whatever arrives, the answer is the family's, and never a 500."""

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powerauth_contracts.wire import CoreDateTime, ObjectRequest, ObjectResponse, RequestModel
from servicekit.edge.routing import JsonRoute

MakeApp = Callable[..., FastAPI]
ClientOf = Callable[[FastAPI], httpx2.AsyncClient]


class Part(RequestModel):
    name: str | None = None


class Anything(RequestModel):
    part: Part | None = None
    activation_id: str
    count: int | None = None
    when: CoreDateTime | None = None
    data: dict[str, Any] | None = None
    flags: list[str] | None = None


@pytest.fixture
def client(make_app: MakeApp, client_of: ClientOf) -> httpx2.AsyncClient:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/call")
    async def call(request: ObjectRequest[Anything]) -> ObjectResponse[Anything]:
        return ObjectResponse(response_object=request.request_object)

    @router.post("/optional")
    async def optional(request: ObjectRequest[Anything | None] | None = None) -> ObjectResponse[str]:
        return ObjectResponse(response_object="none" if request is None else "some")

    @router.get("/search")
    async def search(text: str, page: int = 0) -> dict[str, str]:
        return {"text": text}

    return client_of(make_app(router))


JSON = {"Content-Type": "application/json"}


PLAIN = json.loads((Path(__file__).parents[3] / "tests/corpus/shared/plain-body.json").read_text("utf-8"))
"""Bodies that are no request, which every call of the services gets too (tests/corpus)."""


def body_of(case: dict[str, Any]) -> bytes:
    """The bytes that a case stands for."""
    if "bodyBase64" in case:
        return b64decode(case["bodyBase64"])
    parts = case.get("bodyRepeat", {"text": case.get("body"), "times": 1})
    text: str = parts.get("before", "") + parts["text"] * parts["times"] + parts.get("after", "")
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "body",
    [
        *map(body_of, PLAIN),
        b'{"requestObject":{"activationId":"a","part":1.5}}',
        b'{"requestObject":{"activationId":"a","part":-0}}',
        b'{"requestObject":{"activationId":"a","part":true}}',
        b'{"requestObject":{"activationId":null}}',
        b'{"requestObject":{"activationId":{}}}',
        b'{"requestObject":{"activationId":"\\u0000"}}',
        b'{"requestObject":{"activationId":"\\ud800"}}',
        b'{"requestObject":{"activationId":"\x00"}}',
        b'{"requestObject":{"activationId":"\xff\xfe"}}',
        b'{"requestObject":{"activationId":"a","count":1e999}}',
        b'{"requestObject":{"activationId":"a","count":NaN}}',
        b'{"requestObject":{"activationId":"a","count":-Infinity}}',
        b'{"requestObject":{"activationId":"a","count":' + b"9" * 30 + b"}}",
        b'{"requestObject":{"activationId":"a","count":' + b"9" * 5000 + b"}}",
        b'{"requestObject":{"activationId":"a","when":"2024-13-45"}}',
        b'{"requestObject":{"activationId":"a","data":{"x":"\\u0000"}}}',
        b'{"requestObject":{"activationId":"a","data":{"x":NaN}}}',
        b'{"requestObject":{"activationId":"a","flags":[null]}}',
        b'{"requestObject":{"activationId":"a"}} trailing',
        b'{"requestObject":{"activationId":"a","data":' + b'{"x":' * 20_000 + b"1" + b"}" * 20_002,
        b"\xef\xbb\xbf{}",
        b'{"requestObject":{"activationId":"a","activationId":"a"}}',
        b'{"requestObject":{"activationId":"a","more":{"x":1,"x":1}}}',
        b'{"requestObject":{"activationId":"a","data":{"x":1' + b"0" * 100 + b"}}}",
    ],
    ids=lambda body: repr(body[:60]),
)
async def test_malformed_bodies_are_refused_in_the_envelope(client: httpx2.AsyncClient, body: bytes) -> None:
    response = await client.post("/call", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["responseObject"]["code"] in ("ERR0024", "ERROR_HTTP_REQUEST")


async def test_missing_and_mistyped_are_told_apart(client: httpx2.AsyncClient) -> None:
    missing = await client.post("/call", content=b'{"requestObject":{}}', headers=JSON)
    assert missing.json()["responseObject"] == {
        "code": "ERR0024",
        "message": "requestObject.activationId - must not be null",
    }
    null = await client.post("/call", content=b'{"requestObject":{"activationId":null}}', headers=JSON)
    assert null.json()["responseObject"]["code"] == "ERR0024"
    mistyped = await client.post("/call", content=b'{"requestObject":{"activationId":[]}}', headers=JSON)
    assert mistyped.json()["responseObject"]["code"] == "ERROR_HTTP_REQUEST"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"requestObject":null}', b"null"])
async def test_a_call_without_a_body_accepts_the_forms_clients_send(
    client: httpx2.AsyncClient, body: bytes
) -> None:
    response = await client.post("/optional", content=body, headers=JSON)
    assert response.status_code == (400 if body == b"{}" else 200)


@pytest.mark.parametrize(
    "query", ["", "text=%00", "text=a&page=x", "text=%FF%FE", "text=%ED%A0%80", "page=1"]
)
async def test_malformed_queries_are_never_a_500(client: httpx2.AsyncClient, query: str) -> None:
    assert (await client.get(f"/search?{query}")).status_code in (200, 400)


@settings(suppress_health_check=list(HealthCheck), max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["requestObject", "activationId", "count", "when", "data", "flags", "x"]),
                inner,
            )
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode())
)
async def test_no_body_is_answered_with_a_500(client: httpx2.AsyncClient, body: bytes) -> None:
    response = await client.post("/call", content=body, headers=JSON)
    assert response.status_code in (200, 400)
    assert response.json()["status"] in ("OK", "ERROR")
