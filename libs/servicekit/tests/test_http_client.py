"""Calls between services behave alike on the network and inside one process."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import RedirectResponse, Response

from powerauth_contracts.wire import ObjectRequest, WireModel
from servicekit import logs, units
from servicekit.answers import JsonResponse
from servicekit.calls.client import (
    AsgiTransport,
    NetworkTransport,
    RemoteUnavailable,
    ServiceClient,
    Timeouts,
)
from servicekit.serving import BackgroundServer, free_port

MakeApp = Callable[..., FastAPI]
MakeClient = Callable[..., ServiceClient]


class Name(WireModel):
    user_name: str


def _router(late: asyncio.Event) -> APIRouter:
    router = APIRouter()

    @router.post("/mirror/{value}")
    async def mirror(request: Request, value: str) -> dict[str, Any]:
        return {
            "value": value,
            "query": dict(request.query_params),
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
            "correlation": logs.correlation_id.get(),
        }

    @router.get("/status/{status}")
    async def status(status: int) -> Response:
        return JsonResponse(b'{"a":1}', status, {"X-Answer": "yes"})

    @router.get("/redirect")
    async def redirect() -> Response:
        return RedirectResponse("/status/200")

    @router.get("/size/{size}")
    async def size(size: int) -> Response:
        return Response(b"x" * size)

    @router.get("/never")
    async def never() -> None:
        await late.wait()

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("bug")

    return router


@pytest.fixture(params=["network", "process"])
async def make_client(request: pytest.FixtureRequest, make_app: MakeApp) -> AsyncGenerator[MakeClient]:
    """``make_client(**options)``: a client of the test service by one of the two ways."""
    late = asyncio.Event()
    app = make_app(_router(late), max_body_bytes=4 * 1024 * 1024)
    clients: list[ServiceClient] = []
    async with BackgroundServer(app) as server:

        def make(**options: Any) -> ServiceClient:
            transport = NetworkTransport() if request.param == "network" else AsgiTransport(app)
            clients.append(ServiceClient(f"{server.url}/powerauth-test", transport=transport, **options))
            return clients[-1]

        yield make
        late.set()
        for client in clients:
            await client.close()


async def _mirrored(answer: Awaitable[Any]) -> dict[str, Any]:
    import json

    result: dict[str, Any] = json.loads((await answer).body)
    return result


async def test_a_model_is_posted_as_json(make_client: MakeClient) -> None:
    request = ObjectRequest[Name](request_object=Name(user_name="é"))
    seen = await _mirrored(make_client().post_json("/mirror/x", request))
    assert seen["body"] == '{"requestObject":{"userName":"é"}}'
    assert seen["headers"]["content-type"] == seen["headers"]["accept"] == "application/json"
    assert "user-agent" not in seen["headers"]
    assert "authorization" not in seen["headers"]


async def test_bytes_are_posted_as_they_are_with_further_headers(make_client: MakeClient) -> None:
    seen = await _mirrored(make_client().post_json("/mirror/x", b"{ }", {"X-More": "1"}))
    assert seen["body"] == "{ }"
    assert seen["headers"]["x-more"] == "1"


async def test_credentials_are_sent_as_basic(make_client: MakeClient) -> None:
    seen = await _mirrored(make_client(auth=("user", "pass:wörd")).post_json("/mirror/x", b"{}"))
    encoded = base64.b64encode("user:pass:wörd".encode()).decode()
    assert seen["headers"]["authorization"] == f"Basic {encoded}"


async def test_paths_and_queries_are_encoded_once(make_client: MakeClient) -> None:
    request = make_client().request("POST", "/mirror/a%20b%25", params={"q": "a b&c=%/é"})
    seen = await _mirrored(request)
    assert seen["value"] == "a b%"
    assert seen["query"] == {"q": "a b&c=%/é"}


async def test_the_correlation_id_goes_along(make_client: MakeClient) -> None:
    token = logs.correlation_id.set("abcdef-123456")
    seen = await _mirrored(make_client().post_json("/mirror/x", b"{}"))
    assert logs.correlation_id.get() == "abcdef-123456"
    logs.correlation_id.reset(token)
    assert seen["correlation"] == "abcdef-123456"


@pytest.mark.parametrize("status", [200, 400, 401, 404, 409, 500, 503])
async def test_every_status_is_an_answer(make_client: MakeClient, status: int) -> None:
    answer = await make_client().request("GET", f"/status/{status}")
    assert (answer.status, answer.body) == (status, b'{"a":1}')
    assert answer.headers["x-answer"] == answer.headers["X-Answer"] == "yes"


async def test_an_error_of_the_other_service_is_an_answer(make_client: MakeClient) -> None:
    assert (await make_client().request("GET", "/broken")).status == 500


async def test_redirects_are_not_followed(make_client: MakeClient) -> None:
    assert (await make_client().request("GET", "/redirect")).status == 307


async def test_no_answer_in_time_is_unavailable(make_client: MakeClient) -> None:
    client = make_client(timeouts=Timeouts(total=0.1))
    with pytest.raises(RemoteUnavailable, match="in time"):
        await client.request("GET", "/never")
    with pytest.raises(RemoteUnavailable, match="in time"):
        await make_client().request("GET", "/never", timeouts=Timeouts(total=0.1))


async def test_many_calls_at_once(make_client: MakeClient) -> None:
    client = make_client()
    answers = await asyncio.gather(*(client.request("GET", "/status/200") for _ in range(150)))
    assert {answer.status for answer in answers} == {200}


async def test_an_answer_above_the_limit_is_refused(make_client: MakeClient) -> None:
    client = make_client()
    assert len((await client.request("GET", "/size/1048576")).body) == 1024 * 1024
    with pytest.raises(RemoteUnavailable, match="larger"):
        await client.request("GET", "/size/1048577")


async def test_nobody_listening_is_unavailable() -> None:
    client = ServiceClient(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RemoteUnavailable):
        await client.post_json("/x", b"{}")
    await client.close()


async def test_the_client_works_again_when_the_service_is_back(make_app: MakeApp) -> None:
    app = make_app(_router(asyncio.Event()))
    port = free_port()
    client = ServiceClient(f"http://127.0.0.1:{port}/powerauth-test")
    for _ in range(2):
        async with BackgroundServer(app, port=port):
            assert (await client.request("GET", "/status/200")).status == 200
        with pytest.raises(RemoteUnavailable):
            await client.request("GET", "/status/200")
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 2_000_000,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["closed", "nonsense", "cut short", "bad chunk", "endless", "endless header"],
)
async def test_a_broken_answer_is_unavailable(answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    client = ServiceClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(RemoteUnavailable):
        await client.request("GET", "/")
    await client.close()
    server.close()


async def test_work_that_has_called_another_service_is_not_done_again(make_client: MakeClient) -> None:
    client = make_client()
    runs = 0

    async def call_and_fail() -> None:
        nonlocal runs
        runs += 1
        await client.request("GET", "/status/200")
        units.undone()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await units.repeated(call_and_fail)
    assert runs == 1
