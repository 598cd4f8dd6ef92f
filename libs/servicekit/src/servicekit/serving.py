"""Serving: a process of its own, or inside a running event loop for tests and the all-in-one process."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from servicekit import loading
from servicekit.doors import Door, doors_of, management_of
from servicekit.edge.connections import Connections, protocol_for
from servicekit.errors import Unavailable
from servicekit.health import VitalsBehindDoors, vitals_of
from servicekit.logs import get_logger
from servicekit.settings import ServiceSettings
from servicekit.start_rules import StartRefused

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOT_STARTED = 3
"""uvicorn's exit status for an application that did not start."""
_FAREWELL_SECONDS = 2.0
"""How long the end of a connection waits for the client's word, which one that is gone does not give."""

log = get_logger(__name__)


def server_options(settings: ServiceSettings) -> dict[str, Any]:
    """uvicorn's options for a service, except where it listens, on which loop, and who runs the lifespan."""
    return {
        "http": protocol_for(settings),
        "ws": "none",
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": settings.keep_alive_seconds,
        "timeout_graceful_shutdown": settings.graceful_shutdown_seconds,
        "limit_concurrency": settings.max_concurrent_requests,
        "backlog": 2048,
    }


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


class AddressTaken(Unavailable):
    """Nothing can be served at an address. The text is one line for the operator."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot serve on {host}:{port}: {reason}")


def bound_socket(host: str, port: int) -> socket.socket:
    """A place to serve at, taken before anything else is done; nobody can connect yet.

    :param port: 0 takes a free one
    :raises AddressTaken: another program listens there, or the address is none of this machine's
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # ``localhost`` has two addresses; callers that do not try both use the IPv4 one.
        family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressTaken(host, port, error.strerror or str(error)) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise AddressTaken(host, port, error.strerror or str(error)) from None
    return listener


def _tls_options(tls: ssl.SSLContext, settings: ServiceSettings) -> dict[str, Any]:
    """What an event loop is told of it; without TLS it takes none of this."""
    return {
        "ssl": tls,
        "ssl_handshake_timeout": settings.tls_handshake_seconds,
        "ssl_shutdown_timeout": _FAREWELL_SECONDS,
    }


class OpenDoor:
    """A door with what serves its connections.

    :param kind: of event loop, in uvicorn's words
    :param lifespan: whether the server runs the application's, in uvicorn's words
    :raises OSError: a file of its TLS cannot be used
    """

    def __init__(
        self, app: Any, settings: ServiceSettings, tls: ssl.SSLContext | None, kind: str, lifespan: str
    ) -> None:
        self.config = uvicorn.Config(app, loop=kind, lifespan=lifespan, **server_options(settings))  # type: ignore[arg-type]
        self.config.load()
        self.app = app
        self._tls = {} if tls is None else _tls_options(tls, settings)

    @classmethod
    def in_process(cls, door: Door) -> OpenDoor:
        """Where a process belongs to a service.

        The lifespan is run around the server, so that what stops a start is known here by its type.
        """
        return cls(door.app, door.settings, door.context(), "uvloop", "off")

    async def listen(self, state: ServerState, listener: socket.socket) -> asyncio.Server:
        """Serve who connects to a socket."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            self._protocol(state), sock=listener, backlog=self.config.backlog, **self._tls
        )

    async def serve(self, state: ServerState, connection: socket.socket) -> None:
        """Serve who has connected.

        :raises OSError: whoever it was is gone, or no TLS came about
        """
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(self._protocol(state), connection, **self._tls)

    def _protocol(self, state: ServerState) -> Callable[[], asyncio.Protocol]:
        made: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return partial(made, config=self.config, server_state=state, app_state={})


class DoorServer(uvicorn.Server):
    """uvicorn with several doors, whose connections are bounded and finished together."""

    def __init__(self, doors: Sequence[OpenDoor]) -> None:
        super().__init__(doors[0].config)
        self.server_state: Connections = Connections()
        self.doors = doors
        self.servers = []

    @property
    def is_open(self) -> bool:
        """Whether it listens at every door, and is to go on."""
        return len(self.servers) == len(self.doors) and not self.should_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, each door at its own socket."""
        await super().startup(sockets=[])
        for door, listener in zip(self.doors, sockets or (), strict=False):
            self.servers.append(await door.listen(self.server_state, listener))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in, and finish."""
        self.server_state.ending = True
        await super().shutdown(sockets)


class ProcessServer(DoorServer):
    """uvicorn raises a signal again after it has shut down, and so ends as if it had been killed."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop when told to; that is success."""
        before = {number: signal.signal(number, self.handle_exit) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """What is loaded by now stays."""
        await super().startup(sockets)
        loading.settle()


def serve_until_told(app: Any, settings: ServiceSettings) -> None:
    """Serve in this process; see :func:`servicekit.app.serve`."""
    doors = doors_of(app, settings)
    with failed_start_told(lambda: False):
        server = ProcessServer([OpenDoor.in_process(door) for door in doors])
    with failed_start_told(lambda: server.started), ExitStack() as stack:
        listeners = [stack.enter_context(bound_socket(door.host, door.port)) for door in doors]
        run_in_new_loop(server, _serve(server, app, listeners))


def run_in_new_loop(server: uvicorn.Server, work: Coroutine[Any, Any, None]) -> None:
    """Run in an event loop of the kind that the server wants."""
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(work)


@contextmanager
def failed_start_told(has_started: Callable[[], bool]) -> Generator[None]:
    """Around a process that serves: what keeps it from starting is a line in the log, and status 3.

    :raises StartRefused: that is told by the command
    :raises SystemExit: something else kept it from starting
    """
    try:
        yield
    except StartRefused:
        raise
    except Exception as error:
        if has_started():
            raise
        expected = isinstance(error, Unavailable)
        log.error("not started", reason=str(error), exc_info=not expected)
        sys.exit(_NOT_STARTED)


async def _serve(server: ProcessServer, app: FastAPI, listeners: list[socket.socket]) -> None:
    management = management_server(app)
    ready_while_open(app, lambda: server.is_open)
    with server.capture_signals():
        async with AsyncExitStack() as stack:
            if management is not None:
                # Told first whether it can be served, and served to the last.
                await stack.enter_async_context(management)
            await stack.enter_async_context(lifespan_of(app))
            await server.serve(sockets=listeners)


def ready_while_open(app: FastAPI, is_open: Callable[[], bool]) -> None:
    """Whoever asks a service whether it is ready is told so while it listens.

    :param is_open: whether it does
    """
    vitals = VitalsBehindDoors(vitals_of(app), is_open)
    management = management_of(app)
    for told in (app, *([] if management is None else [management.app])):
        told.state.vitals = vitals


class EmbeddedServer(DoorServer):
    """A server in an event loop that has other work too."""

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


def management_server(app: FastAPI) -> BackgroundServer | None:
    """What serves an application's management port, not started; None without one."""
    door = management_of(app)
    if door is None:
        return None
    return BackgroundServer(door.app, door.host, door.port, settings=door.settings, tls=door.context())


async def started_beside(server: EmbeddedServer, listeners: list[socket.socket]) -> asyncio.Task[None]:
    """Start a server beside what else the event loop does; the task ends when the server has stopped.

    :raises RuntimeError: when the application's start-up failed
    """
    task = asyncio.create_task(server.serve(sockets=listeners))
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.01)
    return task


class BackgroundServer:
    """uvicorn in the current event loop.

    ::

        async with BackgroundServer(app) as server:
            await client.get(server.url + "/actuator/health")
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        settings: ServiceSettings | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        :param port: 0 takes a free one; see :attr:`port` after the start
        :param settings: time-outs and limits; ``host``, ``port`` and TLS in it are not used
        """
        self._host = host
        self.port = port
        self._scheme = "http" if tls is None else "https"
        bounds = settings or ServiceSettings(graceful_shutdown_seconds=5)
        self._server = EmbeddedServer([OpenDoor(app, bounds, tls, "none", "on")])
        self._listener: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """``http://host:port``, with TLS ``https://host:port``."""
        return f"{self._scheme}://{self._host}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether whoever connects is served."""
        return self._server.is_open

    def bind(self) -> None:
        """Take the address now; requests are accepted once it is started.

        :raises AddressTaken: it is not free
        """
        self._listener = bound_socket(self._host, self.port)
        self.port = self._listener.getsockname()[1]

    async def start(self) -> Self:
        """Return once requests are accepted.

        :raises AddressTaken: the address is not free
        :raises RuntimeError: when the application's start-up failed
        """
        if self._listener is None:
            self.bind()
        assert self._listener is not None
        try:
            self._task = await started_beside(self._server, [self._listener])
        except BaseException:
            self._listener.close()
            raise
        return self

    async def stop(self) -> None:
        """Finish the requests in progress, run the application's shutdown, give the address back."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
