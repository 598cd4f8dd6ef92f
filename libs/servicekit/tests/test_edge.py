"""The edge of a service: limits, correlation, headers, metrics, errors; through a whole application."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from powerauth_contracts.wire import ObjectRequest, ObjectResponse, WireModel
from servicekit import logs, metrics
from servicekit.answers import JsonResponse
from servicekit.edge.routing import LateRoute
from servicekit.errors import ErrorFamily, RemoteUnavailable, ServiceError, Unavailable, fixed
from servicekit.serving import BackgroundServer
from servicekit.settings import ServiceSettings
from servicekit.testing import PATIENCE_SECONDS

MakeApp = Callable[..., FastAPI]
ClientOf = Callable[[FastAPI], httpx2.AsyncClient]


class Echo(WireModel):
    text: str
    number: int | None = None


class Teapot(ServiceError):
    code = "ERR_TEAPOT"
    message = "I am a teapot."
    http_status = 418


def _router() -> APIRouter:
    router = APIRouter(route_class=LateRoute)

    @router.post("/echo")
    async def echo(request: ObjectRequest[Echo]) -> ObjectResponse[Echo]:
        return ObjectResponse(response_object=request.request_object)

    @router.post("/raw")
    async def raw(request: Request) -> JsonResponse:
        return JsonResponse(str(len(await request.body())).encode())

    @router.get("/kept")
    async def kept() -> JsonResponse:
        return JsonResponse(b"{}", headers={"Cache-Control": "max-age=300"})

    @router.get("/items/{item_id}")
    async def item(item_id: int) -> dict[str, int]:
        return {"item": item_id}

    @router.get("/correlation")
    async def correlation() -> dict[str, str | None]:
        return {"id": logs.correlation_id.get()}

    @router.get("/broken-stream")
    async def broken_stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("in the middle")

        return StreamingResponse(parts())

    failures: dict[str, Exception] = {
        "teapot": Teapot("Short and stout.", extra={"handle": 1}, retry_after=7),
        "unexpected": RuntimeError("internal detail"),
        "unavailable": Unavailable("database"),
        "remote": RemoteUnavailable("core"),
        "unauthorized": HTTPException(401, headers={"WWW-Authenticate": "Basic"}),
        "forbidden": HTTPException(403),
        "limited": HTTPException(429),
        "http-500": HTTPException(500),
        "http-400": HTTPException(400, "framework detail"),
    }

    @router.get("/fail/{how}")
    async def fail(how: str) -> None:
        raise failures[how]

    return router


@pytest.fixture
def client(make_app: MakeApp, client_of: ClientOf) -> httpx2.AsyncClient:
    return client_of(make_app(_router(), max_body_bytes=2048))


def _code(response: httpx2.Response) -> str:
    body = response.json()
    assert body["status"] == "ERROR"
    assert response.headers["content-type"] == "application/json"
    return str(body["responseObject"]["code"])


async def test_a_good_request_is_answered_in_the_envelope(client: httpx2.AsyncClient) -> None:
    response = await client.post("/echo", json={"requestObject": {"text": "é", "unknown": 1}})
    assert response.status_code == 200
    assert response.json() == {"status": "OK", "responseObject": {"text": "é", "number": None}}


async def test_every_answer_carries_the_security_headers(client: httpx2.AsyncClient) -> None:
    for path in ("/correlation", "/nowhere", "/fail/unexpected", "/fail/teapot", "/actuator/health"):
        response = await client.get(path)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


async def test_an_endpoint_may_allow_its_answer_to_be_kept(client: httpx2.AsyncClient) -> None:
    response = await client.get("/kept")
    assert response.headers.get_list("cache-control") == ["max-age=300"]


async def test_a_client_that_leaves_is_no_error(
    make_app: MakeApp, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    sent: list[Any] = []

    async def leave() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/raw", "headers": [], "query_string": b""}
    await make_app(_router())(scope, leave, send)
    [line] = log_lines()
    assert (line["level"], line["status"], sent) == ("info", 499, [])


async def test_a_valid_correlation_id_is_used_and_echoed(client: httpx2.AsyncClient) -> None:
    response = await client.get("/correlation", headers={"X-Correlation-ID": "abcdef-12345"})
    assert response.json() == {"id": "abcdef-12345"}
    assert response.headers["x-correlation-id"] == "abcdef-12345"


@pytest.mark.parametrize("value", ["short", "spaces are not valid", "a" * 1025, "newline-in-\tthe-id"])
async def test_any_other_correlation_id_is_replaced(client: httpx2.AsyncClient, value: str) -> None:
    response = await client.get("/correlation", headers={"X-Correlation-ID": value})
    assert response.json()["id"] != value
    assert re.fullmatch(r"[a-zA-Z0-9\-]{8,1024}", response.json()["id"])
    assert response.headers["x-correlation-id"] == response.json()["id"]


async def test_the_correlation_header_can_be_switched_off(make_app: MakeApp, client_of: ClientOf) -> None:
    client = client_of(make_app(_router(), correlation_header_enabled=False))
    response = await client.get("/correlation", headers={"X-Correlation-ID": "abcdef-12345"})
    assert response.json()["id"] != "abcdef-12345"
    assert "x-correlation-id" not in response.headers


async def test_requests_have_different_correlation_ids(client: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get("/correlation") for _ in range(5)))
    assert len({answer.json()["id"] for answer in answers}) == 5


async def test_an_announced_body_above_the_limit_is_refused_unread(client: httpx2.AsyncClient) -> None:
    response = await client.post("/raw", content=b"x" * 2049)
    assert response.status_code == 413
    assert _code(response) == "ERROR_TOO_LARGE"
    assert response.headers["connection"] == "close"
    assert (await client.post("/raw", content=b"x" * 2048)).json() == 2048


async def test_a_path_may_take_larger_bodies(
    make_app: MakeApp, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceSettings, "larger_bodies", {"/raw": 4096})
    client = client_of(make_app(_router(), max_body_bytes=2048))
    assert (await client.post("/raw", content=b"x" * 4096)).json() == 4096
    for path, size in (("/raw", 4097), ("/echo", 2049)):
        assert (await client.post(path, content=b"x" * size)).status_code == 413


async def test_a_streamed_body_above_the_limit_is_refused(client: httpx2.AsyncClient) -> None:
    async def parts(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 512

    for path in ("/raw", "/echo"):
        response = await client.post(path, content=parts(5), headers={"Content-Type": "application/json"})
        assert response.status_code == 413
        assert _code(response) == "ERROR_TOO_LARGE"
        assert response.headers["connection"] == "close"
    assert (await client.post("/raw", content=parts(4))).json() == 2048


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {"X-Long": "a" * 8193}, 413),
        ("", {"X-" + "a" * 8191: ""}, 413),
        ("", {f"X-{number}": "" for number in range(101)}, 431),
        ("", {f"X-{number}": "a" * 8192 for number in range(8)}, 431),
        ("a" * 8192, {}, 414),
        ("", {"Transfer-Encoding": "gzip, chunked"}, 501),
    ],
    ids=["value", "name", "many", "together", "target", "coding"],
)
async def test_a_head_above_the_limits_is_refused(
    client: httpx2.AsyncClient, query: str, headers: dict[str, str], status: int
) -> None:
    response = await client.get(f"/correlation?{query}", headers=headers)
    assert response.status_code == status
    assert _code(response) == ("ERROR_METHOD" if status == 501 else "ERROR_TOO_LARGE")
    assert response.headers["connection"] == "close"


async def test_a_head_up_to_the_limits_is_taken(client: httpx2.AsyncClient) -> None:
    headers = {f"X-{number}": "a" * 8192 for number in range(7)} | {f"Y-{number}": "" for number in range(80)}
    assert (await client.get("/correlation?" + "a" * 8000, headers=headers)).status_code == 200


async def test_a_service_error_is_worded_by_the_family(client: httpx2.AsyncClient) -> None:
    response = await client.get("/fail/teapot")
    assert response.status_code == 418
    assert response.json()["responseObject"] == {
        "code": "ERR_TEAPOT",
        "message": "Short and stout.",
        "handle": 1,
    }
    assert response.headers["retry-after"] == "7"


async def test_an_unexpected_error_is_logged_and_shows_nothing(
    client: httpx2.AsyncClient, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    response = await client.get("/fail/unexpected")
    assert response.status_code == 500
    assert _code(response) == "ERR0000"
    assert "internal detail" not in response.text
    error = next(line for line in log_lines() if line["level"] == "error")
    assert "internal detail" in error["exception"]
    assert error["correlation_id"] == response.headers["x-correlation-id"]


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("unavailable", 503, "ERROR_UNAVAILABLE"),
        ("remote", 503, "ERROR_UNAVAILABLE"),
        ("unauthorized", 401, "ERR_AUTHENTICATION"),
        ("forbidden", 403, "ERR_AUTHENTICATION"),
        ("limited", 429, "ERROR_UNAVAILABLE"),
        ("http-500", 500, "ERR0000"),
        ("http-400", 400, "ERROR_HTTP_REQUEST"),
    ],
)
async def test_framework_errors_are_worded_by_the_family(
    client: httpx2.AsyncClient, how: str, status: int, code: str
) -> None:
    response = await client.get(f"/fail/{how}")
    assert (response.status_code, _code(response)) == (status, code)
    assert "detail" not in response.text
    if status == 503:
        assert int(response.headers["retry-after"]) > 0
    if status == 401:
        assert response.headers["www-authenticate"] == "Basic"


async def test_a_family_may_word_an_unreachable_service_its_own_way(
    make_app: MakeApp, client_of: ClientOf, family: ErrorFamily
) -> None:
    app = make_app(_router())
    own = ErrorFamily(
        **{
            name: getattr(family, name)
            for name in family.__dataclass_fields__
            if name != "remote_unavailable"
        },
        remote_unavailable=fixed(
            409, "REMOTE_COMMUNICATION_ERROR", "Communication with remote system failed."
        ),
    )
    from servicekit.errors import install_error_handlers

    install_error_handlers(app, own)
    response = await client_of(app).get("/fail/remote")
    assert (response.status_code, _code(response)) == (409, "REMOTE_COMMUNICATION_ERROR")
    assert "retry-after" not in response.headers


async def test_unknown_paths_and_wrong_methods(client: httpx2.AsyncClient) -> None:
    unknown = await client.get("/nowhere")
    assert (unknown.status_code, _code(unknown)) == (404, "ERROR_NOT_FOUND")
    slash = await client.post("/echo/", json={"requestObject": {"text": ""}})
    assert slash.status_code == 404
    method = await client.get("/echo")
    assert (method.status_code, _code(method)) == (405, "ERROR_METHOD")
    assert method.headers["allow"] == "OPTIONS, POST"


async def test_path_parameters_are_validated_like_input(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/items/5")).json() == {"item": 5}
    response = await client.get("/items/five")
    assert response.status_code == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "garbage", ""])
async def test_a_body_of_another_media_type_is_refused(client: httpx2.AsyncClient, content_type: str) -> None:
    response = await client.post(
        "/echo", content=b'{"requestObject":{"text":""}}', headers={"Content-Type": content_type}
    )
    if content_type == "":
        assert response.status_code == 200  # nothing said: taken for JSON
    else:
        assert (response.status_code, _code(response)) == (415, "ERROR_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=UTF-8", "application/problem+json"]
)
async def test_json_media_types_are_accepted(client: httpx2.AsyncClient, content_type: str) -> None:
    body = b'{"requestObject":{"text":""}}'
    assert (
        await client.post("/echo", content=body, headers={"Content-Type": content_type})
    ).status_code == 200


async def test_an_answer_that_breaks_halfway_is_not_turned_into_another(make_app: MakeApp) -> None:
    async with (
        BackgroundServer(make_app(_router())) as server,
        httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client,
    ):
        with pytest.raises(httpx2.TransportError):
            await client.get(f"{server.url}/powerauth-test/broken-stream")


async def test_the_context_path_is_part_of_the_address_but_not_required(make_app: MakeApp) -> None:
    transport = httpx2.ASGITransport(make_app(_router()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/powerauth-test/items/5")).status_code == 200
        assert (await client.get("/items/5")).status_code == 200
        assert (await client.get("/other/items/5")).status_code == 404


async def test_requests_are_counted_by_template_never_by_value(
    make_app: MakeApp, client_of: ClientOf
) -> None:
    client = client_of(make_app(_router(), metrics_enabled=True))
    await client.get("/items/918273645546372819")
    await client.get("/nowhere/918273645546372819")
    await client.request("BREW", "/echo")
    for path in ("/metrics", "/actuator/prometheus"):
        text = (await client.get(path)).text
        assert 'method="GET",route="/items/{item_id}",service="test-service",status="200"' in text
        assert 'route="unmatched",service="test-service",status="404"' in text
        assert 'method="other",route="/echo",service="test-service",status="501"' in text
        assert "918273645546372819" not in text


async def test_metrics_are_not_served_unless_enabled(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/metrics")).status_code == 404
    assert (await client.get("/actuator/prometheus")).status_code == 404


async def test_one_line_a_request_without_its_content(
    client: httpx2.AsyncClient, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    await client.post(
        "/echo?query=hidden", json={"requestObject": {"text": "hidden"}}, headers={"X-A": "hidden"}
    )
    [line] = log_lines()
    assert (line["method"], line["route"], line["status"]) == ("POST", "/echo", 200)
    assert line["ms"] >= 0
    assert "hidden" not in json.dumps(line)


async def test_the_request_line_can_be_switched_off(
    make_app: MakeApp, client_of: ClientOf, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    await client_of(make_app(_router(), request_log=False)).get("/items/1")
    assert log_lines() == []


async def test_health_follows_its_checks(make_app: MakeApp, client_of: ClientOf) -> None:
    broken: set[str] = set()

    async def own_database() -> None:
        if "database" in broken:
            raise ConnectionError("no database")

    async def other_service() -> bool:
        return "other" not in broken

    client = client_of(make_app(health=[own_database], readiness=[other_service], health_cache_seconds=0))

    async def statuses() -> list[int]:
        paths = ("/actuator/health", "/actuator/health/readiness", "/actuator/health/liveness")
        return [(await client.get(path)).status_code for path in paths]

    assert await statuses() == [200, 200, 200]
    broken.add("other")
    assert await statuses() == [200, 503, 200]
    broken.add("database")
    assert await statuses() == [503, 503, 200]
    assert (await client.get("/actuator/health")).json() == {"status": "DOWN"}
    broken.clear()
    assert (await client.get("/actuator/health")).json() == {"status": "UP"}


async def test_a_check_that_hangs_counts_as_failed(
    make_app: MakeApp, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from servicekit import health

    monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)
    client = client_of(make_app(health=[asyncio.Event().wait]))
    assert (await client.get("/actuator/health")).status_code == 503


async def test_info_and_documentation(make_app: MakeApp, client_of: ClientOf) -> None:
    client = client_of(make_app(_router()))
    assert (await client.get("/actuator/info")).json() == {
        "app": {"name": "test-service", "version": "1.2.3"}
    }
    for path in ("/swagger-ui", "/swagger-ui/index.html"):
        page = await client.get(path)
        assert page.status_code == 200
        assert 'data-api="/powerauth-test/v3/api-docs"' in page.text
        assert "https://" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    document = (await client.get("/v3/api-docs")).json()
    assert "/echo" in document["paths"]
    assert document["servers"] == [{"url": "/powerauth-test"}]
    assert set(document["paths"]["/echo"]["post"]["responses"]) == {"200", "default"}
    assert "422" not in json.dumps(document)


async def test_documentation_can_be_switched_off(make_app: MakeApp, client_of: ClientOf) -> None:
    client = client_of(make_app(_router(), swagger_enabled=False))
    for path in ("/swagger-ui", "/swagger-ui/index.html", "/v3/api-docs", "/openapi.json", "/docs"):
        assert (await client.get(path)).status_code == 404


def test_a_metric_is_made_once_and_keeps_its_kind() -> None:
    first = metrics.counter("test_once", "…", {"label": ("a", "b")})
    assert metrics.counter("test_once", "…", {"label": ("a", "b")}) is first
    with pytest.raises(TypeError):
        metrics.gauge("test_once", "…")
