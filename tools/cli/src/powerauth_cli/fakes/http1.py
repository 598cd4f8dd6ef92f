"""An HTTP/1.1 server over TLS, for Huawei, whose servers speak that."""

from __future__ import annotations

import asyncio
import ssl

import httptools

from powerauth_cli.fakes.authority import LOOPBACK
from powerauth_cli.fakes.wire import Fault, Faults, Handler, Received, Reply


class Http1Server:
    """A server on a free port of this machine; `async with` starts and ends it."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext, port: int = 0) -> None:
        self.handler = handler
        self.faults = Faults()
        self.port = port
        self.connections: set[_Connection] = set()
        self._tls = tls
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """`https://host:port`."""
        return f"https://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port after a `stop`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), LOOPBACK, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.drop()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Http1Server:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()


class _Connection(asyncio.Protocol):
    def __init__(self, server: Http1Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of another class in every event loop
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.drop()

    def drop(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def on_message_begin(self) -> None:
        self._path, self._headers, self._body = b"", [], b""

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode().lower(), value.decode()))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        server = self._server
        fault = server.faults.next()
        if fault is Fault.HANG:
            return
        if fault is Fault.DROP:
            self.drop()
            return
        head = [(":method", self._parser.get_method().decode()), (":path", self._path.decode())]
        reply = server.faults.reply(server.handler, Received(head + self._headers, self._body))
        if fault is Fault.DROP_DONE:
            self.drop()
        elif fault is Fault.SLOW:
            asyncio.get_running_loop().call_later(server.faults.slow_seconds, self._answer, reply)
        else:
            self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        if self._transport is None:
            return
        headers = {**reply.headers, "content-length": str(len(reply.body))}
        lines = [f"HTTP/1.1 {reply.status} -", *(f"{name}: {value}" for name, value in headers.items())]
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body)
