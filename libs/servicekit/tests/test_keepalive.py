"""The HTTP client of calls between services: connections are kept, bounded, and never mixed up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import pytest
from yarl import URL

from servicekit.calls.client import NetworkTransport, RemoteUnavailable, Timeouts
from servicekit.testing import PATIENCE_SECONDS

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server that says what a test wants, and remembers its connections and requests."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.answers: Sequence[bytes] = [OK]
        self.close_after_answer = False
        self.arrived = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()
        self.open: set[asyncio.StreamWriter] = set()
        self.url = URL()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        self.connections += 1
        self.open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                self.arrived.release()
                await self.gate.wait()
                for part in self.answers:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.close_after_answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()


@pytest.fixture
async def peer() -> AsyncGenerator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/path?a=b%20c")
    yield peer
    server.close()


@pytest.fixture
async def transport() -> AsyncGenerator[NetworkTransport]:
    transport = NetworkTransport(max_connections=2)
    yield transport
    await transport.close()


async def call(
    transport: NetworkTransport, peer: Peer, body: bytes = b"{}", timeouts: Timeouts | None = None
) -> bytes:
    answer = await transport.send(
        "POST", peer.url, {"X-One": "1"}, body, timeouts or Timeouts(PATIENCE_SECONDS, PATIENCE_SECONDS)
    )
    assert answer.status == 200
    return answer.body


async def test_the_request_goes_out_as_it_is(transport: NetworkTransport, peer: Peer) -> None:
    assert await call(transport, peer, b"body") == b"ok"
    lines = ["POST /path?a=b%20c HTTP/1.1", f"Host: {peer.url.authority}", "X-One: 1", "Content-Length: 4"]
    assert peer.requests == ["\r\n".join([*lines, "", "body"]).encode()]


async def test_one_connection_serves_many_requests(transport: NetworkTransport, peer: Peer) -> None:
    for _ in range(20):
        await call(transport, peer)
    assert (peer.connections, len(peer.requests)) == (1, 20)


async def test_connections_are_bounded_and_the_rest_waits(transport: NetworkTransport, peer: Peer) -> None:
    peer.gate.clear()
    calls = [asyncio.create_task(call(transport, peer)) for _ in range(10)]
    await peer.arrived.acquire()
    await peer.arrived.acquire()
    for _ in range(20):
        await asyncio.sleep(0)
    assert (peer.connections, len(peer.requests)) == (2, 2)
    peer.gate.set()
    assert await asyncio.gather(*calls) == [b"ok"] * 10
    assert peer.connections == 2


async def test_who_waits_in_vain_gives_up_and_leaves_its_place(
    transport: NetworkTransport, peer: Peer
) -> None:
    peer.gate.clear()
    calls = [asyncio.create_task(call(transport, peer)) for _ in range(2)]
    await peer.arrived.acquire()
    await peer.arrived.acquire()
    with pytest.raises(RemoteUnavailable, match="in time"):
        await call(transport, peer, timeouts=Timeouts(connect=0.05, total=5))
    waiting = asyncio.create_task(call(transport, peer))
    for _ in range(5):
        await asyncio.sleep(0)
    waiting.cancel()
    last = asyncio.create_task(call(transport, peer))
    peer.gate.set()
    assert await asyncio.gather(*calls, last) == [b"ok"] * 3


async def test_an_abandoned_answer_is_never_taken_for_the_next(
    transport: NetworkTransport, peer: Peer
) -> None:
    peer.gate.clear()
    abandoned = asyncio.create_task(call(transport, peer, b"first"))
    await peer.arrived.acquire()
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    peer.answers = [OK.replace(b"ok", b"no")]
    peer.gate.set()
    assert await call(transport, peer, b"second") == b"no"
    assert peer.connections == 2


async def test_a_timed_out_connection_is_not_used_again(transport: NetworkTransport, peer: Peer) -> None:
    peer.gate.clear()
    with pytest.raises(RemoteUnavailable, match="in time"):
        await call(transport, peer, timeouts=Timeouts(connect=1, total=0.05))
    peer.gate.set()
    assert await call(transport, peer) == b"ok"
    assert peer.connections == 2


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["close", "HTTP/1.0"],
)
async def test_a_connection_that_will_be_closed_is_not_used_again(
    transport: NetworkTransport, peer: Peer, head: bytes
) -> None:
    peer.answers = [head]
    for _ in range(3):
        assert await call(transport, peer) == b"ok"
    assert peer.connections == 3


async def test_a_connection_closed_in_between_is_noticed(transport: NetworkTransport, peer: Peer) -> None:
    await call(transport, peer)
    for writer in list(peer.open):
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.01)
    assert await call(transport, peer) == b"ok"
    assert peer.connections == 2


async def test_an_idle_connection_is_not_used_beyond_its_time(
    transport: NetworkTransport, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servicekit.calls.client._IDLE_SECONDS", 0.0)
    await call(transport, peer)
    await call(transport, peer)
    assert peer.connections == 2


async def test_a_body_that_the_end_of_the_connection_delimits(
    transport: NetworkTransport, peer: Peer
) -> None:
    peer.answers = [b"HTTP/1.1 200 OK\r\n\r\nall ", b"of it"]
    peer.close_after_answer = True
    assert await call(transport, peer) == b"all of it"


async def test_an_answer_in_pieces(transport: NetworkTransport, peer: Peer) -> None:
    head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    peer.answers = [bytes([byte]) for byte in head + b"2\r\nok\r\n0\r\n\r\n"]
    for _ in range(2):
        assert await call(transport, peer) == b"ok"
    assert peer.connections == 1


async def test_more_than_an_answer_ends_the_connection(transport: NetworkTransport, peer: Peer) -> None:
    peer.answers = [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake"]
    assert await call(transport, peer) == b"ok"
    await asyncio.sleep(0.02)
    peer.answers = [OK]
    assert await call(transport, peer) == b"ok"
    assert peer.connections == 2


async def test_an_unusable_answer(transport: NetworkTransport, peer: Peer) -> None:
    peer.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"]
    with pytest.raises(RemoteUnavailable, match="not a readable HTTP answer"):
        await call(transport, peer)
    peer.answers = [OK]
    assert await call(transport, peer) == b"ok"


async def test_a_head_request_leaves_the_connection_usable(transport: NetworkTransport, peer: Peer) -> None:
    peer.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"]
    answer = await transport.send("HEAD", peer.url, {}, None, Timeouts())
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "2")
    peer.answers = [OK]
    assert await call(transport, peer) == b"ok"
    assert peer.connections == 1


@pytest.mark.parametrize("value", ["a\r\nX-Two: 2", "a\nb", "a\rb"])
async def test_a_line_break_in_a_header_is_never_sent(
    transport: NetworkTransport, peer: Peer, value: str
) -> None:
    with pytest.raises(ValueError, match="line break"):
        await transport.send("POST", peer.url, {"X-One": value}, b"", Timeouts())
    assert peer.requests == []


async def test_headers_of_an_answer_are_found_in_any_case(transport: NetworkTransport, peer: Peer) -> None:
    peer.answers = [b"HTTP/1.1 200 OK\r\nRetry-After: 5\r\nX-Two: a\r\nx-two: b\r\nContent-Length: 0\r\n\r\n"]
    answer = await transport.send("GET", peer.url, {}, None, Timeouts())
    assert answer.headers["retry-after"] == answer.headers.get("RETRY-AFTER") == "5"
    assert dict(answer.headers) == {"retry-after": "5", "x-two": "a", "content-length": "0"}
    assert len(answer.headers) == 3
    assert "x-three" not in answer.headers
