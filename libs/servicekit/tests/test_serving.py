"""Serving in a running loop, and from the command line as a process."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from textwrap import dedent

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from servicekit.app import create_app
from servicekit.errors import ErrorFamily
from servicekit.serving import BackgroundServer, free_port, lifespan_of
from servicekit.settings import ServiceSettings
from servicekit.testing import PATIENCE_SECONDS, has_said

MakeApp = Callable[..., FastAPI]


@pytest.fixture
def journal() -> list[str]:
    return []


@pytest.fixture
def app(family: ErrorFamily, journal: list[str]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        journal.append("started")
        yield
        journal.append("stopped")

    router = APIRouter()

    @router.get("/slow")
    async def slow() -> str:
        journal.append("request")
        await asyncio.sleep(0.2)
        return "done"

    return create_app("t", "1", ServiceSettings(), family, lifespan, [router])


async def test_a_server_starts_answers_and_stops(app: FastAPI, journal: list[str]) -> None:
    async with BackgroundServer(app) as server, httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        assert journal == ["started"]
        response = await client.get(server.url + "/actuator/health/liveness")
        assert response.status_code == 200
        assert "server" not in response.headers
    assert journal == ["started", "stopped"]
    with pytest.raises(httpx2.ConnectError):
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            await client.get(server.url)


async def test_stopping_finishes_the_requests_at_work(app: FastAPI, journal: list[str]) -> None:
    server = await BackgroundServer(app).start()
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        request = asyncio.create_task(client.get(server.url + "/slow"))
        while "request" not in journal:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await server.stop()
        assert (await request).json() == "done"


async def test_several_servers_share_a_loop(app: FastAPI, make_app: MakeApp) -> None:
    async with (
        BackgroundServer(app) as one,
        BackgroundServer(make_app()) as two,
        httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client,
    ):
        assert one.port != two.port
        for server in (one, two):
            assert (await client.get(server.url + "/actuator/health")).status_code == 200


async def test_a_failed_start_is_an_error(family: ErrorFamily) -> None:
    @asynccontextmanager
    async def failing(_app: FastAPI) -> AsyncGenerator[None]:
        raise RuntimeError("no database")
        yield

    app = create_app("t", "1", ServiceSettings(), family, failing)
    with pytest.raises(RuntimeError):
        await BackgroundServer(app).start()


async def test_the_lifespan_can_run_without_a_server(app: FastAPI, journal: list[str]) -> None:
    async with lifespan_of(app):
        assert journal == ["started"]
    assert journal == ["started", "stopped"]


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


PROGRAM = """
    import asyncio, sys
    from contextlib import asynccontextmanager
    from fastapi import APIRouter
    from servicekit.app import create_app, serve
    from servicekit.errors import ErrorFamily, fixed
    from servicekit.settings import ServiceSettings

    word = fixed(500, "E", "")
    family = ErrorFamily(lambda c, p: word(c), word, word, word, word, word, word, word)
    router = APIRouter()

    @router.get("/slow")
    async def slow() -> str:
        print("working", flush=True)
        await asyncio.sleep(0.5)
        return "done"

    @asynccontextmanager
    async def lifespan(_app):
        print("starting", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        yield

    settings = ServiceSettings(port=int(sys.argv[1]), management_port=int(sys.argv[2]))
    serve(create_app("t", "1", settings, family, lifespan, [router]), settings)
"""


@asynccontextmanager
async def running() -> AsyncGenerator[tuple[asyncio.subprocess.Process, str, str]]:
    """`PROGRAM` as a process, with the addresses of its ports; it does not outlive the block."""
    port, management_port = free_port(), free_port()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", dedent(PROGRAM), str(port), str(management_port)), stdin=pipe, stdout=pipe
    )
    try:
        yield process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{management_port}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_process_is_ready_while_it_listens_and_finishes_its_requests_on_sigterm() -> None:
    path = "/actuator/health"
    async with (
        running() as (process, url, management),
        httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        await has_said(process.stdout, "starting")
        assert (await client.get(f"{management}{path}/liveness")).status_code == 200
        assert (await client.get(f"{management}{path}/readiness")).status_code == 503
        process.stdin.write(b"go on\n")
        while (await client.get(f"{management}{path}/readiness")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert (await client.get(f"{url}{path}/liveness")).status_code == 200, "from the first moment"
        assert (await client.get(f"{url}{path}/readiness")).status_code != 200, "not here"
        request = asyncio.create_task(client.get(url + "/slow"))
        await has_said(process.stdout, "working")
        process.send_signal(signal.SIGTERM)
        while (await client.get(f"{management}{path}/readiness")).status_code != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert (await request).json() == "done"
        assert await process.wait() == 0
