"""An HTTP/1.1 client for calls between our services: kept-alive connections, one request at a time on each.

Forwarding a request costs the DMZ little more than this client does, and a general-purpose client spends
three to four times as long on features that these calls have no use for (cookies, redirects, compression,
proxies, hooks). What arrives is read by :mod:`servicekit.calls.http1`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from servicekit.calls.http1 import AnswerReader, MalformedAnswer, RawHeaders
from servicekit.tls.contexts import reason_of

OnBody = Callable[[bytes], None]
_OK = 200


class ConnectionBroken(Exception):
    """No connection, or no usable answer on it; the text says why and holds nothing of the exchange."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a pool's connections lead."""

    host: str
    port: int


class HttpConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._answer = AnswerReader()
        self._on_body: OnBody | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self.used_at = 0.0

    @property
    def open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, on_body: OnBody | None = None) -> tuple[int, RawHeaders, bytes]:
        """Send a request and wait for its answer.

        :param on_body: takes the body of a successful answer piece by piece, whatever its size
        :return: status, headers with lower-case names, body
        :raises ConnectionBroken: the connection cannot be used any more
        """
        if self._transport is None:
            raise ConnectionBroken("closed")
        answer = self._answer
        answer.expect(to_head=request.startswith(b"HEAD "))
        self._on_body, self._pieces, self._size = on_body, [], 0
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            self._transport.write(request)
            await self._waiter
            if not answer.keeps:
                self.close()
        except BaseException:
            # What arrives from now on would be taken for the answer to the next request.
            self.close()
            raise
        finally:
            self._waiter = self._on_body = None
        return answer.status, answer.headers, b"".join(self._pieces)

    def close(self) -> None:
        """Close at once; a request in progress fails."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of another class in every event loop

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            # Nobody asked.
            self.close()
            return
        answer = self._answer
        try:
            self._take(answer, answer.receive(data))
        except MalformedAnswer as error:
            self._settle(ConnectionBroken(str(error)))
            self.close()
        except Exception as error:
            self._settle(error)
        else:
            if answer.complete:
                self._settle(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiter is None:
            return
        try:
            if exc is not None:
                raise MalformedAnswer("closed before the answer was complete")
            self._answer.end()
        except MalformedAnswer as error:
            self._settle(ConnectionBroken(str(error)))
        else:
            self._settle(None)

    def _take(self, answer: AnswerReader, piece: bytes) -> None:
        if not piece:
            return
        if self._on_body is not None and answer.status == _OK:
            self._on_body(piece)
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._max_body:
            raise MalformedAnswer(f"answer larger than {self._max_body} bytes")

    def _settle(self, error: Exception | None) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if error is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(error)


class ConnectionPool:
    """Connections to one origin.

    :param size: most connections at a time; further requests wait for one
    :param idle_seconds: longest pause after which a connection is used again; less than any server keeps one
    """

    def __init__(
        self,
        origin: Origin,
        *,
        size: int,
        idle_seconds: float,
        max_body: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._origin = origin
        self._size = size
        self._idle_seconds = idle_seconds
        self._max_body = max_body
        self._tls = tls
        self._idle: list[HttpConnection] = []
        self._taken = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def request(
        self, data: bytes, connect_seconds: float, on_body: OnBody | None = None
    ) -> tuple[int, RawHeaders, bytes]:
        """Send a request; see :meth:`HttpConnection.exchange`.

        :param connect_seconds: longest wait for a place in the pool and for a new connection
        :raises ConnectionBroken: the origin cannot be reached, or gave no usable answer
        :raises TimeoutError: no connection in time
        """
        connection = self._take_idle() or await self._take_new(connect_seconds)
        try:
            return await connection.exchange(data, on_body)
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _take_idle(self) -> HttpConnection | None:
        oldest = asyncio.get_running_loop().time() - self._idle_seconds
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.used_at > oldest:
                self._taken += 1
                return connection
            connection.close()
        return None

    async def _take_new(self, connect_seconds: float) -> HttpConnection:
        async with asyncio.timeout(connect_seconds):
            while self._taken >= self._size:
                await self._wait_for_place()
                if (connection := self._take_idle()) is not None:
                    return connection
            self._taken += 1
            try:
                return await self._connect()
            except BaseException:
                self._leave_place()
                raise

    async def _connect(self) -> HttpConnection:
        host, port = self._origin.host, self._origin.port
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: HttpConnection(self._max_body), host, port, ssl=self._tls
            )
        except TimeoutError:
            raise
        except (OSError, ssl.CertificateError) as error:
            raise ConnectionBroken(reason_of(error)) from error
        return connection

    async def _wait_for_place(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._wake_one()
            else:
                self._waiters.remove(waiter)
            raise

    def _give_back(self, connection: HttpConnection) -> None:
        if connection.open:
            connection.used_at = asyncio.get_running_loop().time()
            self._idle.append(connection)
        self._leave_place()

    def _leave_place(self) -> None:
        self._taken -= 1
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
