"""What a client may do to a connection before a request is complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest
from fastapi import FastAPI, Request

from servicekit import connections
from servicekit.serving import BackgroundServer
from servicekit.settings import ServiceSettings
from servicekit.testing import PATIENCE_SECONDS

MakeApp = Callable[..., FastAPI]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SECONDS = 1.0
GET = b"GET /actuator/health/liveness HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def server(make_app: MakeApp) -> AsyncGenerator[BackgroundServer]:
    app = make_app()

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    async with BackgroundServer(app, settings=ServiceSettings(receive_seconds=SECONDS)) as running:
        yield running


@pytest.fixture
async def connection(server: BackgroundServer) -> AsyncGenerator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    yield reader, writer
    writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, its body read."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        lengths = [int(line.split(":")[1]) for line in lines if line.startswith("content-length")]
        await reader.readexactly(lengths[0])
        return int(lines[0].split()[1])


async def _closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await reader.read()


async def test_an_endless_header_is_refused(connection: Streams) -> None:
    reader, writer = connection
    writer.write(b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * connections.MAX_HEAD_BYTES)
    assert (await _closed(reader)).startswith(b"HTTP/1.1 431 ")


async def test_endlessly_many_headers_are_refused(connection: Streams) -> None:
    reader, writer = connection
    writer.write(b"GET / HTTP/1.1\r\n" + b"X-Many: 1\r\n" * (connections.MAX_HEAD_BYTES // 10))
    assert (await _closed(reader)).startswith(b"HTTP/1.1 431 ")


async def test_a_request_may_arrive_in_many_pieces(connection: Streams) -> None:
    reader, writer = connection
    for byte in GET:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert await _status(reader) == 200


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nX-A: ", b"POST /length HTTP/1.1\r\nContent-Length: 5\r\n\r\n12"],
    ids=["nothing", "request line", "header", "body"],
)
async def test_a_request_that_does_not_arrive_in_time_is_hung_up_on(
    connection: Streams, beginning: bytes
) -> None:
    reader, writer = connection
    writer.write(beginning)
    assert await _closed(reader) in (b"", b"HTTP/1.1 400 ")


async def test_a_connection_serves_many_requests_with_pauses_between(connection: Streams) -> None:
    reader, writer = connection
    for _ in range(3):
        writer.write(GET)
        assert await _status(reader) == 200
        await asyncio.sleep(SECONDS * 1.2)
    writer.write(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
    await asyncio.sleep(0.01)
    writer.write(b"345")
    assert await _status(reader) == 200


async def test_a_second_slow_request_is_hung_up_on_too(connection: Streams) -> None:
    reader, writer = connection
    writer.write(GET)
    assert await _status(reader) == 200
    writer.write(GET[:20])
    assert await _closed(reader) == b""


async def test_pipelined_requests_are_answered_in_order(connection: Streams) -> None:
    reader, writer = connection
    body = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"
    writer.write(GET + body + GET)
    assert [await _status(reader) for _ in range(3)] == [200, 200, 200]


async def test_a_body_larger_than_the_head_bound_is_no_head(connection: Streams) -> None:
    reader, writer = connection
    size = connections.MAX_HEAD_BYTES * 2
    writer.write(b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
    writer.write(b"x" * size)
    assert await _status(reader) == 200
    writer.write(GET)
    assert await _status(reader) == 200


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"BREW\r\n\r\n"]
)
async def test_what_is_not_http_is_a_400(connection: Streams, garbage: bytes) -> None:
    reader, writer = connection
    writer.write(garbage)
    assert (await _closed(reader)).startswith(b"HTTP/1.1 400 ")


class RecordingTransport(asyncio.Transport):
    """Keeps what is written, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


async def test_what_is_written_in_one_turn_of_the_loop_leaves_in_one_piece() -> None:
    transport = RecordingTransport()
    corked = connections.Corked(transport, asyncio.get_running_loop())
    corked.write(b"head ")
    corked.write(b"body")
    assert transport.written == []
    await asyncio.sleep(0)
    assert transport.written == [b"head body"]
    corked.write(b"last words")
    corked.close()
    assert (transport.written[1:], transport.ended) == ([b"last words"], "closed")
    await asyncio.sleep(0)
    assert len(transport.written) == 2


async def test_an_aborted_connection_sends_nothing_more() -> None:
    transport = RecordingTransport()
    corked = connections.Corked(transport, asyncio.get_running_loop())
    corked.write(b"unwanted")
    corked.abort()
    await asyncio.sleep(0)
    assert (transport.written, transport.ended) == ([], "aborted")
