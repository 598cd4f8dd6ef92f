"""Fixtures: an application with a plain error family, databases on both dialects, a network that can fail."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, suppress
from inspect import isawaitable
from pathlib import Path
from typing import Any, Self, cast

import httpx2
import pytest
import structlog
from fastapi import APIRouter, FastAPI

from servicekit import logs
from servicekit.app import create_app
from servicekit.database import Database, Dialect
from servicekit.errors import ErrorAnswer, ErrorContext, ErrorFamily, InputProblem, envelope, fixed
from servicekit.settings import DatabaseSettings, ServiceSettings
from servicekit.testing import DIALECTS, PATIENCE_SECONDS, fresh_database

ROOT = "/powerauth-test"


def _validation(_context: ErrorContext, problems: Sequence[InputProblem]) -> ErrorAnswer:
    if any(problem.unreadable for problem in problems):
        return ErrorAnswer(400, envelope("ERROR_HTTP_REQUEST", "Request is not readable."))
    message = ", ".join(sorted(f"{problem.field} - {problem.message}" for problem in problems))
    return ErrorAnswer(400, envelope("ERR0024", message))


@pytest.fixture(scope="session")
def family() -> ErrorFamily:
    """An error family that words each situation differently."""
    return ErrorFamily(
        validation=_validation,
        not_found=fixed(404, "ERROR_NOT_FOUND", "Resource not found."),
        method_not_allowed=fixed(405, "ERROR_METHOD", "Method not allowed."),
        too_large=fixed(413, "ERROR_TOO_LARGE", "Request is too large."),
        unsupported_media_type=fixed(415, "ERROR_MEDIA_TYPE", "JSON expected."),
        unauthorized=fixed(401, "ERR_AUTHENTICATION", "Authentication failed"),
        unavailable=fixed(503, "ERROR_UNAVAILABLE", "Come again."),
        unexpected=fixed(500, "ERR0000", "Unknown error occurred."),
    )


@pytest.fixture
def log_lines() -> Generator[Callable[[], list[dict[str, Any]]]]:
    """What has been logged so far."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    captured = io.StringIO()
    logs.configure_logging("test", "INFO", stream=captured)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    yield lambda: [json.loads(line) for line in captured.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers, root.level = before


MakeApp = Callable[..., FastAPI]
ClientOf = Callable[[FastAPI], httpx2.AsyncClient]


@pytest.fixture(scope="session")
def make_app(family: ErrorFamily) -> MakeApp:
    """``make_app(*routers, health=…, readiness=…, lasting=…, **settings)``: an application under
    :data:`ROOT`.
    """

    def make(
        *routers: APIRouter, health: Any = (), readiness: Any = (), lasting: Any = (), **settings: Any
    ) -> FastAPI:
        return create_app(
            "Test Service",
            "1.2.3",
            ServiceSettings(root_path=ROOT, **settings),
            family,
            routers=routers,
            health=health,
            readiness=readiness,
            lasting=lasting,
            name="test-service",
        )

    return make


@pytest.fixture
async def client_of() -> AsyncGenerator[ClientOf]:
    """``client_of(app)``: a client that calls the application in process, below its context path."""
    async with AsyncExitStack() as stack:

        def make(app: FastAPI) -> httpx2.AsyncClient:
            client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=f"http://test{ROOT}")
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture(params=DIALECTS)
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str]:
    """An empty database, once on SQLite and once on PostgreSQL."""
    async with fresh_database(cast(Dialect, request.param), tmp_path) as url:
        yield url


@pytest.fixture
def impatient() -> None:
    """Asked for by a test of somebody who waits in vain: all its waits for the database are short."""


@pytest.fixture
def database_settings(request: pytest.FixtureRequest) -> DatabaseSettings:
    """A small pool; waits for which no machine is too slow, unless the test is about waiting in vain."""
    longest = 0.5 if "impatient" in request.fixturenames else PATIENCE_SECONDS
    return DatabaseSettings(
        database_pool_size=5,
        database_max_overflow=0,
        database_pool_timeout_seconds=longest,
        database_lock_timeout_seconds=longest,
        database_connect_timeout_seconds=PATIENCE_SECONDS,
    )


@pytest.fixture
async def database(database_url: str, database_settings: DatabaseSettings) -> AsyncGenerator[Database]:
    """An empty database with :func:`database_settings`."""
    opened = Database(database_url, database_settings)
    yield opened
    await opened.dispose()


Until = Callable[..., Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """``await until(condition)``: wait for what happens in the background; fail after 15 s."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await result if isawaitable(result := condition()) else result):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    return wait


class Cable:
    """A TCP connection to a server that a test can cut and mend."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> Self:
        """Accept connections (again), on the same port."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def cut(self) -> None:
        """Break what is connected and refuse what comes."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0.05)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, far_writer}
        with suppress(OSError):
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._open -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


LayCable = Callable[[str | None, int | None], Awaitable[Cable]]


@pytest.fixture
async def lay_cable() -> AsyncGenerator[LayCable]:
    """``await lay_cable(host, port)``: a :class:`Cable` in front of a server."""
    cables = []

    async def lay(host: str | None, port: int | None) -> Cable:
        assert host is not None
        assert port is not None
        cable = Cable(host, port)
        cables.append(cable)
        return await cable.mend()

    yield lay
    for cable in cables:
        await cable.cut()
