"""A worker: serves the connections that the supervisor hands to it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from fastapi import FastAPI

from servicekit.logs import get_logger, name_worker
from servicekit.prefork.board import Place
from servicekit.prefork.vitals import WholeService
from servicekit.serving import (
    DoorServer,
    EmbeddedServer,
    OpenDoor,
    ProcessServer,
    failed_start_told,
    lifespan_of,
    run_in_new_loop,
    started_beside,
)
from servicekit.startup import told_without_traceback

READY = b"ready"
"""A worker's word on its first channel, once it takes connections."""
_WORD = 1
"""Bytes that come with a connection: the number of the door that it came to."""

_AT_ONCE = 64

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Doors:
    """What the workers serve, made before they are forked: whatever becomes of files later, they can start.

    :ivar service: what callers use, the application's own first
    :ivar management: what operators use; None: nothing
    """

    service: list[OpenDoor]
    management: OpenDoor | None


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands.

    :ivar place: on the board
    :ivar channel: gives connections of the service's ports; its end is the end of the supervisor
    :ivar management_channel: gives connections of the management port
    """

    place: Place
    channel: socket.socket
    management_channel: socket.socket


def hand_over(channel: socket.socket, door: int, connection: socket.socket) -> None:
    """Give a worker a connection.

    :param door: its number among those of the channel
    :raises OSError: the worker takes none now
    """
    socket.send_fds(channel, [bytes([door])], [connection.fileno()])


class HandedConnections:
    """The connections that come through a channel, each served as if the server had accepted it.

    :param on_end: called when nothing will come any more
    """

    def __init__(self, server: DoorServer, channel: socket.socket, on_end: Callable[[], None]) -> None:
        self._server = server
        self._channel = channel
        self._on_end = on_end
        self._taken = 0
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def closed(self) -> int:
        """How many of them have ended."""
        return self._taken - len(self._server.server_state.connections) - len(self._opening)

    def start(self) -> None:
        """Take what comes from now on."""
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._take)

    def stop(self) -> None:
        """Take no more; what was not taken is closed."""
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                word, descriptors, _, _ = socket.recv_fds(self._channel, _WORD, 1)
            except BlockingIOError:
                return
            except OSError:
                word, descriptors = b"", []
            if not word:
                asyncio.get_running_loop().remove_reader(self._channel)
                self._on_end()
                return
            for descriptor in descriptors:
                self._open(self._server.doors[word[0]], socket.socket(fileno=descriptor))

    def _open(self, door: OpenDoor, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._taken += 1
        opening = asyncio.create_task(self._serve(door, connection))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _serve(self, door: OpenDoor, connection: socket.socket) -> None:
        try:
            await door.serve(self._server.server_state, connection)
        except OSError as error:
            # Whoever connected is gone already, or cannot show who it is.
            connection.close()
            log.debug("connection lost before it was served", reason=str(error))


class WorkerServer(ProcessServer):
    """Serves what is handed over, and says on the board how it is."""

    def __init__(self, doors: list[OpenDoor], post: Post, vitals: WholeService) -> None:
        super().__init__(doors)
        self._post = post
        self._vitals = vitals
        self._connections = HandedConnections(self, post.channel, self._end)

    def _end(self) -> None:
        """Without a supervisor nobody hands anything over."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections, and tell the supervisor."""
        await super().startup(sockets)
        self._connections.start()
        self._tell(ready=True)
        with contextlib.suppress(OSError):  # the end of the supervisor is heard of by the channel
            self._post.channel.send(READY)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self._tell(ready=True)
        self._vitals.answer_what_is_asked()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, and finish."""
        self._tell(ready=False)
        self._connections.stop()
        await super().shutdown(sockets)

    def _tell(self, *, ready: bool) -> None:
        self._post.place.tell(ready=ready, closed=self._connections.closed)


def work(app: FastAPI, doors: Doors, post: Post) -> None:
    """Serve in this process, which the supervisor forked, until told to stop.

    :raises SystemExit: the application did not start
    """
    name_worker(post.place.number)
    vitals = WholeService(app.state.vitals, post.place)
    app.state.vitals = vitals
    server = WorkerServer(doors.service, post, vitals)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    with told_without_traceback(), failed_start_told(lambda: server.started):
        run_in_new_loop(server, _serve(server, app, doors.management, post, vitals))


async def _serve(
    server: WorkerServer, app: FastAPI, management: OpenDoor | None, post: Post, vitals: WholeService
) -> None:
    with server.capture_signals():
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(_managed(management, post, vitals))
            stack.push_async_callback(vitals.stop)
            await stack.enter_async_context(lifespan_of(app))
            await server.serve(sockets=[])


@contextlib.asynccontextmanager
async def _managed(door: OpenDoor | None, post: Post, vitals: WholeService) -> AsyncGenerator[None]:
    """Serve the connections of the management port around a block."""
    if door is None:
        yield
        return
    door.app.state.vitals = vitals
    server = EmbeddedServer([door])
    serving = await started_beside(server, [])
    connections = HandedConnections(server, post.management_channel, lambda: None)
    connections.start()
    try:
        yield
    finally:
        connections.stop()
        server.should_exit = True
        await serving
