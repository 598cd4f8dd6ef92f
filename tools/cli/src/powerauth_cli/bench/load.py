"""A load of concurrent clients that costs little itself.

Client and server share a machine, so every microsecond of the client lowers what the server can show. Hence
a bare HTTP/1.1 client: one keep-alive connection a client, one request at a time, no header parsing beyond
what delimits an answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_STATUS = slice(9, 12)


class Connection(asyncio.Protocol):
    """One keep-alive connection to an HTTP server."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiter: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(self._received) < end + 4 + length or self._waiter is None:
            return
        body = bytes(self._received[end + 4 : end + 4 + length])
        del self._received[: end + 4 + length]
        waiter, self._waiter = self._waiter, None
        if not waiter.cancelled():
            waiter.set_result((int(head[_STATUS]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError("the server closed the connection"))

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of its answer.

        :raises ConnectionError: the connection broke
        """
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


class Server:
    """Builds requests to one server and opens connections of its own to it.

    :param url: its context path
    :param auth: HTTP Basic credentials, if the server wants any
    """

    def __init__(self, url: str, auth: tuple[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._context = parts.path
        authorization = ""
        if auth:
            authorization = f"Authorization: Basic {b64encode(':'.join(auth).encode()).decode()}\r\n"
        self._headers = f"Host: {parts.netloc}\r\n{authorization}Accept: application/json\r\n"

    async def connect(self) -> Connection:
        """Open a connection."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, *self._address)
        return connection

    def get(self, path: str) -> bytes:
        """The bytes of a GET request."""
        return f"GET {self._context}{path} HTTP/1.1\r\n{self._headers}\r\n".encode()

    def post(self, path: str, body: bytes, headers: str = "") -> bytes:
        """The bytes of a POST request with JSON.

        :param headers: further header lines, each ended by CR LF
        """
        head = (
            f"POST {self._context}{path} HTTP/1.1\r\n{self._headers}Content-Type: application/json\r\n"
            f"{headers}Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Clients:
    """One connection a client to one server."""

    def __init__(self, url: str, auth: tuple[str, str] | None = None) -> None:
        self._server = Server(url, auth)
        self._connections: list[Connection] = []

    async def open(self, clients: int) -> None:
        """Connect every client."""
        self._connections = [await self._server.connect() for _ in range(clients)]

    async def get(self, number: int, path: str) -> tuple[int, bytes]:
        """Let a client GET something, and return status and body."""
        return await self._connections[number].exchange(self._server.get(path))

    async def post(self, number: int, path: str, body: bytes, headers: str = "") -> tuple[int, bytes]:
        """Let a client POST something, and return status and body."""
        return await self._connections[number].exchange(self._server.post(path, body, headers))

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


@dataclass(slots=True)
class LoadResult:
    """What a load did.

    :ivar seconds: measured time
    :ivar failures: answers other than the expected one
    :ivar latencies_ms: of every request
    :ivar cpu: CPU seconds that the measured processes used, by service
    """

    seconds: float
    failures: int
    latencies_ms: array[float] = field(repr=False)
    cpu: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """Number of requests."""
        return len(self.latencies_ms)

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def cpu_ms(self, *services: str) -> float:
        """CPU milliseconds a request: of these services, or of all."""
        used = sum(self.cpu[name] for name in services or self.cpu)
        return used * 1000 / self.requests if self.requests else 0.0

    def percentile(self, share: float) -> float:
        """Latency in milliseconds below which this share (0 to 1) of the requests stayed."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    @property
    def tail(self) -> float:
        """How many times its median one latency in a hundred reaches."""
        median = self.percentile(0.50)
        return self.percentile(0.99) / median if median else 0.0

    def merged(self, other: LoadResult) -> LoadResult:
        """Both loads as one."""
        return LoadResult(
            self.seconds + other.seconds,
            self.failures + other.failures,
            self.latencies_ms + other.latencies_ms,
            self.cpu + other.cpu,
        )


async def run_load(
    clients: int, seconds: float, one: Callable[[int], Awaitable[bool]], title: str
) -> LoadResult:
    """Let `clients` clients call `one` again and again for some seconds, under a progress bar.

    :param one: does one request for the client of that number; True if the answer was the expected one
    """
    latencies = array("d")
    failures = 0
    started = time.perf_counter()
    deadline = started + seconds

    async def client(number: int) -> None:
        nonlocal failures
        while (begin := time.perf_counter()) < deadline:
            if not await one(number):
                failures += 1
            latencies.append((time.perf_counter() - begin) * 1000)

    await _shown(asyncio.gather(*[client(number) for number in range(clients)]), title, seconds)
    return LoadResult(time.perf_counter() - started, failures, latencies)


async def run_paced(
    clients: int, seconds: float, rate: float, one: Callable[[int], Awaitable[bool]], title: str
) -> LoadResult:
    """Let requests arrive by chance, `rate` a second, whether or not earlier ones have been answered.

    A latency counts from the arrival: a request that finds no free client waits for one.
    """
    latencies = array("d")
    failures = 0
    free: asyncio.Queue[int] = asyncio.Queue()
    for number in range(clients):
        free.put_nowait(number)

    async def serve(number: int, due: float) -> None:
        nonlocal failures
        if not await one(number):
            failures += 1
        latencies.append((time.perf_counter() - due) * 1000)
        free.put_nowait(number)

    async def arrivals() -> None:
        async with asyncio.TaskGroup() as tasks:
            due = started
            while (due := due + random.expovariate(rate)) < started + seconds:
                if (early := due - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
                tasks.create_task(serve(await free.get(), due))

    started = time.perf_counter()
    await _shown(asyncio.ensure_future(arrivals()), title, seconds)
    return LoadResult(time.perf_counter() - started, failures, latencies)


async def _shown(running: asyncio.Future[Any], title: str, seconds: float) -> None:
    """Wait for the clients under a progress bar."""
    started = time.perf_counter()
    # To standard error, since standard output may have to hold one JSON object and nothing else.
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=seconds)
        while not running.done():
            await asyncio.wait([running], timeout=0.5)
            progress.update(task, completed=min(seconds, time.perf_counter() - started))
        await running
