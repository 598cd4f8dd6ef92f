"""What a client may do to a connection before a request is complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from servicekit.authority import Authority
from servicekit.calls import client
from servicekit.edge import connections
from servicekit.serving import BackgroundServer
from servicekit.settings import MEBIBYTE, ServiceSettings
from servicekit.testing import PATIENCE_SECONDS
from servicekit.tls.contexts import listening_context

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


HEAD = b" HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /length" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNREAD = b"POST /nowhere" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TOO_MUCH = connections.MAX_HEAD_BYTES + 1


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"\x00\xff\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"BREW\r\n\r\n", 400),
        (b"BREW /pot" + HEAD + b"\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /" + HEAD + b"A: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"POST /length" + HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST /length" + HEAD + b"Content-Length: 2, 2\r\n\r\nab", 400),
        (b"POST /length" + HEAD + b"Content-Length: +2\r\n\r\nab", 400),
        (b"POST /length" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /length" + HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400),
        (CHUNKED + b"x\r\n", 400),
        (CHUNKED + b"1\r\na\r\n0\r\nX-PowerAuth-Authorization: PowerAuth\r\n\r\n", 400),
        (CHUNKED + b"0\r\nX-Endless: " + b"a" * TOO_MUCH, 413),
        (CHUNKED + b"1;" + b"e" * TOO_MUCH, 413),
        (CHUNKED + b"0" * TOO_MUCH, 413),
        (CHUNKED + b"1\r\na\r\n" * (TOO_MUCH // 5 + 1), 413),
    ],
    ids=lambda value: repr(value[:90]) if isinstance(value, bytes) else "",
)
async def test_what_no_client_of_ours_sends_is_refused_and_hung_up_on(
    connection: Streams, message: bytes, status: int
) -> None:
    reader, writer = connection
    writer.write(message)
    assert (await _closed(reader)).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"OPTIONS *", 200),
        (b"OPTIONS http://x", 200),
        (b"GET *", 400),
        (b"GET http://x", 404),
        (b"GET http://x?a=b", 404),
        (b"GET http://x/actuator/health/liveness", 200),
        (b"GET //actuator/health/liveness", 404),
        (b"GET /actuator%2Fhealth/liveness", 404),
        (b"GET /actuator/health/livenes%73", 200),
        (b"GET /%00", 404),
        (b"GET /%FF", 400),
        (b"GET /%", 400),
        (b"GET /actuator/health/../health/liveness", 404),
        (b"GET /" + b"%41" * 20_000, 414),
        (b"GET /actuator/health/liveness?" + b"a&" * 5_000, 414),
        (b"CONNECT x:443", 501),
        (b"TRACE /actuator/health/liveness", 405),
        (b"PROPFIND /actuator/health/liveness", 501),
    ],
    ids=lambda value: repr(value[:50]) if isinstance(value, bytes) else "",
)
async def test_every_form_of_a_target_has_its_answer(
    connection: Streams, request_line: bytes, status: int
) -> None:
    reader, writer = connection
    writer.write(request_line + HEAD + b"\r\n")
    assert await _status(reader) == status


async def test_a_target_without_a_service_lists_the_methods(connection: Streams) -> None:
    reader, writer = connection
    writer.write(b"OPTIONS *" + HEAD + b"\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert b"\r\nallow: delete, get, head, options, patch, post, put\r\n" in head


async def test_a_body_in_many_chunks_is_taken(connection: Streams) -> None:
    reader, writer = connection
    writer.write(CHUNKED + b"5;x=y\r\nabcde\r\n" * 2_000 + b"0\r\n\r\n")
    assert await _status(reader) == 200


@pytest.mark.parametrize(
    "endless", [b"10000\r\n" + b"x" * 65_536 + b"\r\n", b"1\r\nx\r\n" * 10_000], ids=["body", "framing"]
)
async def test_a_body_that_nobody_reads_ends_too(connection: Streams, endless: bytes) -> None:
    reader, writer = connection
    writer.write(UNREAD)
    assert await _status(reader) == 404
    sent = 0
    with suppress(ConnectionError):
        while not reader.at_eof() and sent < 64 * MEBIBYTE:
            writer.write(endless)
            await writer.drain()
            sent += len(endless)
    assert sent < 64 * MEBIBYTE  # what the kernel takes for both sides is part of it
    with suppress(ConnectionError):
        assert await _closed(reader) == b"", "one answer to a request"


async def test_requests_sent_ahead_are_bounded(connection: Streams, server: BackgroundServer) -> None:
    reader, writer = connection
    writer.write(GET * 1_000)
    answered = (await _closed(reader)).count(b"HTTP/1.1 200 ")
    assert 1 <= answered <= connections.MAX_PIPELINED + 2


async def test_a_bad_request_behind_good_ones_does_not_cost_their_answers(connection: Streams) -> None:
    reader, writer = connection
    writer.write(GET * 3 + b"\x00\r\n\r\n")
    answers = await _closed(reader)
    assert (answers.count(b"HTTP/1.1 200 "), answers.count(b"HTTP/1.1 ")) == (3, 3)


@pytest.mark.parametrize(
    ("framing", "body", "length"),
    [
        (b"", b"", b"0"),
        (b"Content-Length: 0\r\n", b"", b"0"),
        (b"Content-Length: 12\r\n", b"GET / HTTP/1", b"12"),
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n", b"3"),
    ],
)
async def test_other_protocols_are_offered_in_vain(
    connection: Streams, framing: bytes, body: bytes, length: bytes
) -> None:
    """What a client sends with an offer is a request like any other, also its body."""
    reader, writer = connection
    for offer in (b"h2c", b"websocket"):
        head = b"POST /length" + HEAD + b"Connection: Upgrade\r\nUpgrade: %s\r\n" % offer
        writer.write(head + framing + b"\r\n" + body[:1])
        await asyncio.sleep(0.01)
        writer.write(body[1:] + GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(len(length)) == length
        assert await _status(reader) == 200


async def test_a_client_that_asks_before_its_body_is_told(connection: Streams) -> None:
    reader, writer = connection
    expecting = HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    writer.write(b"POST /length" + expecting)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"ab")
    assert await _status(reader) == 200
    writer.write(b"POST /nowhere" + expecting)
    assert (await _closed(reader)).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("missing", [2, 0], ids=["head unfinished", "head finished"])
async def test_a_body_that_is_asked_for_comes_behind_an_earlier_answer(
    connection: Streams, missing: int
) -> None:
    reader, writer = connection
    ahead = GET + b"POST /length" + HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\nX-A: b\r\n\r\n"
    writer.write(ahead[: len(ahead) - missing])
    assert await _status(reader) == 200
    writer.write(ahead[len(ahead) - missing :])
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"ab")
    assert await _status(reader) == 200


async def test_blank_lines_hold_no_connection(connection: Streams) -> None:
    reader, writer = connection
    writer.write(GET)
    assert await _status(reader) == 200
    writer.write(b"\r\n")
    assert await _closed(reader) == b""


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


async def _lets_nobody_in(server: BackgroundServer) -> None:
    with suppress(OSError):
        while True:
            (await asyncio.open_connection("127.0.0.1", server.port))[1].close()
            await asyncio.sleep(0.01)


async def _brings_its_last_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(GET)
    answer = await _closed(reader)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer.lower()
    writer.close()


async def test_a_kept_connection_may_bring_one_more_request_when_the_end_begins(make_app: MakeApp) -> None:
    async with BackgroundServer(make_app(), settings=ServiceSettings(drain_seconds=60)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        assert await _status(reader) == 200
        stopping = asyncio.create_task(server.stop())
        await _lets_nobody_in(server)
        await _brings_its_last_request(reader, writer)
        await stopping


async def test_whoever_began_to_be_answered_before_the_end_may_send_one_more_request(
    make_app: MakeApp,
) -> None:
    app, may_go_on = make_app(), asyncio.Event()

    @app.get("/pieces")
    async def pieces() -> StreamingResponse:
        async def content() -> AsyncGenerator[bytes]:
            yield b"begun"
            await may_go_on.wait()
            yield b"ended"

        return StreamingResponse(content())

    async with BackgroundServer(app, settings=ServiceSettings(drain_seconds=60)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"connection: close" not in (await reader.readuntil(b"begun")).lower()
        stopping = asyncio.create_task(server.stop())
        await _lets_nobody_in(server)
        may_go_on.set()
        await reader.readuntil(b"\r\n0\r\n\r\n")
        await _brings_its_last_request(reader, writer)
        await stopping


async def test_a_connection_whose_handshake_is_under_way_when_the_end_begins_brings_one_request(
    make_app: MakeApp, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    files = replace(authority.issue("server"), authorities=None)
    tls = listening_context(files, frozenset(), "listener")
    settings = ServiceSettings(drain_seconds=60)
    async with BackgroundServer(make_app(), settings=settings, tls=tls) as server:
        kept = await asyncio.open_connection("127.0.0.1", server.port, ssl=authority.trusting())
        late = await asyncio.open_connection("127.0.0.1", server.port)
        stopping = asyncio.create_task(server.stop())
        await _lets_nobody_in(server)
        await late[1].start_tls(authority.trusting(), server_hostname="127.0.0.1")
        await _brings_its_last_request(*late)
        await _brings_its_last_request(*kept)
        await stopping


def test_our_clients_use_no_connection_again_that_a_service_may_be_closing() -> None:
    assert client._IDLE_SECONDS < connections._DRAIN_SECONDS
