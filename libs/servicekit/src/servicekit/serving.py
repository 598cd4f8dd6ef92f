"""Serving inside a running event loop: for tests and for the all-in-one process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def lifespan_of(app: FastAPI) -> AsyncGenerator[None]:
    """Run an application's start-up and shutdown around a block, without a server."""
    async with app.router.lifespan_context(app):
        yield


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals belong to the process we are embedded in."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """A failure must not end the process we are embedded in."""
        try:
            await super().startup(sockets)
        except SystemExit:
            raise RuntimeError("the application did not start") from None


class BackgroundServer:
    """uvicorn in the current event loop.

    ::

        async with BackgroundServer(app) as server:
            await client.get(server.url + "/actuator/health")
    """

    def __init__(
        self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0, *, graceful_seconds: int = 5
    ) -> None:
        """
        :param port: 0 takes a free one; see :attr:`port` after the start
        """
        self._host = host
        self.port = port
        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=graceful_seconds,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """``http://host:port``."""
        return f"http://{self._host}:{self.port}"

    async def start(self) -> Self:
        """Return once requests are accepted.

        :raises RuntimeError: when the application's start-up failed
        """
        listener = socket.create_server((self._host, self.port), backlog=2048)
        self.port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            if self._task.done():
                listener.close()
                self._task.result()
            await asyncio.sleep(0.01)
        return self

    async def stop(self) -> None:
        """Finish the requests in progress, run the application's shutdown."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
