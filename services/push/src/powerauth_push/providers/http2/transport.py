"""A connection on a socket: bytes in and out, answers to those who wait, a sign of life when it is silent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable

from powerauth_push.providers.http2.connection import ClientConnection, ConnectionUnusable, Ended
from powerauth_push.providers.http2.exchange import Answer, NoAnswer, Request, Unsent

OnEnd = Callable[[Answer | NoAnswer], None]
_PROTOCOL = "h2"


class Http2Transport(asyncio.Protocol):
    """One connection.

    :param most_streams: requests at a time
    :param ping_seconds: of silence, after which the server is asked whether it is there; half of that again
        without an answer, and the connection is closed
    :param on_change: called when there may be room for requests, or when there will be none any more
    """

    def __init__(
        self, most_streams: int, ping_seconds: float, on_change: Callable[[Http2Transport], None]
    ) -> None:
        self._connection = ClientConnection(most_streams)
        self._ping_seconds = ping_seconds
        self._on_change = on_change
        self._waiting: dict[int, OnEnd] = {}
        self._loop = asyncio.get_running_loop()
        self._socket: asyncio.Transport | None = None
        self._writable = True
        self._flushing = False
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reason = "connection lost"
        self._early = b""
        self.ready: asyncio.Future[None] = self._loop.create_future()

    @property
    def capacity(self) -> int:
        """How many more requests can be sent now."""
        return self._connection.capacity if self._writable and self._socket is not None else 0

    @property
    def usable(self) -> bool:
        """Whether requests can be sent now or later."""
        return self._socket is not None and self._connection.accepting

    @property
    def answered(self) -> bool:
        """Whether the server has answered a request."""
        return self._connection.answered

    @property
    def under_way(self) -> int:
        """How many requests wait for their answer."""
        return self._connection.under_way

    def submit(self, request: Request, on_end: OnEnd) -> int:
        """Send a request; only while there is `capacity`.

        :return: its stream, for `cancel`
        """
        number = self._connection.submit(request)
        self._waiting[number] = on_end
        self._flush_soon()
        return number

    def cancel(self, number: int) -> NoAnswer:
        """Give up a request; what is known of it."""
        self._waiting.pop(number, None)
        known = self._connection.cancel(number)
        self._flush_soon()
        self._on_change(self)
        return known or Unsent("no answer in time")

    def close(self) -> None:
        """Say good-bye and close; whoever still waits hears of it."""
        if self._socket is not None:
            self._reason = "connection closed by us"
            self._connection.goodbye()
            self._flush()
            self._socket.close()

    def abort(self, reason: str) -> None:
        """Close at once."""
        self._reason = reason
        self._connection.accepting = False
        if self._socket is not None:
            self._socket.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = transport  # type: ignore[assignment]  # of another class in every event loop
        spoken: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if spoken is not None and spoken.selected_alpn_protocol() != _PROTOCOL:
            self.abort("server speaks no HTTP/2")
            return
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(self._ping_seconds, self._listen)
        self._connection.start()
        self._flush()
        if self._early:
            self.data_received(self._early)

    def data_received(self, data: bytes) -> None:
        if self._socket is None:
            # Behind a proxy the server's first words can come before TLS is handed over.
            self._early += data
            return
        self._heard_at = self._loop.time()
        try:
            self._settle(self._connection.receive(data))
        except ConnectionUnusable as error:
            self._flush()
            self.abort(str(error))
            return
        if not self.ready.done() and self._connection.settled:
            self.ready.set_result(None)
        self._flush_soon()
        self._on_change(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket = None
        if self._timer is not None:
            self._timer.cancel()
        self._settle(self._connection.lose(self._reason))
        if not self.ready.done():
            self.ready.set_exception(ConnectionUnusable(self._reason))
        self._on_change(self)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._on_change(self)

    def _settle(self, ended: Iterable[Ended]) -> None:
        for number, result in ended:
            on_end = self._waiting.pop(number, None)
            if on_end is not None:
                on_end(result)

    def _flush_soon(self) -> None:
        """One write for all that happens in this turn of the event loop."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._socket is not None:
            data = self._connection.data_to_send()
            if data:
                self._socket.write(data)

    def _listen(self) -> None:
        silent = self._loop.time() - self._heard_at
        left = self._ping_seconds - silent
        if self._connection.pinged and silent >= self._ping_seconds:
            self.abort("connection is dead")
            return
        if left <= 0:
            self._connection.ping()
            self._flush()
            left = self._ping_seconds / 2
        self._timer = self._loop.call_later(left, self._listen)
