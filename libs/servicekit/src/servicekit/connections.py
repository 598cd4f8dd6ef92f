"""What our connections add to uvicorn's: bounds, and answers written in one piece.

Bounds that uvicorn leaves open are the size of a request's head and the time a request may take to arrive.
Without them a client that sends one endless header, or one byte a minute, holds memory and connections for
nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from servicekit import metrics
from servicekit.settings import ServiceSettings

MAX_HEAD_BYTES = 64 * 1024

_refused = metrics.counter("http_server_refused_connections", "Connections closed unanswered", ["reason"])


class Corked:
    """A transport that writes what one turn of the event loop gives it in one piece.

    Head and body of an answer come one after the other; each piece sent alone costs a system call here and
    wakes the client up for nothing.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        # What is not about writing goes to the transport itself.
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.set_protocol = transport.set_protocol

    def write(self, data: bytes) -> None:
        """Write before the loop's next turn."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._transport.write(data)

    def close(self) -> None:
        """Close after what waits."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._waiting.clear()
        self._transport.abort()


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection with both bounds."""

    receive_seconds: float = 30.0
    """From a connection's, or a request's, first moment to the request's last byte."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_bytes = 0
        self._in_head = True
        self._incomplete = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, Corked(transport, self.loop)))
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._incomplete:
            self._disarm()
        elif self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
        elif self._deadline is None:
            self._arm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._incomplete = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._incomplete = False
        # The next request's head begins where this one ends.
        self._in_head = True
        super().on_message_complete()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self.receive_seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        _refused.labels("slow").inc()
        self.transport.close()

    def _refuse_head(self) -> None:
        _refused.labels("head").inc()
        self.transport.write(STATUS_LINE[431] + b"connection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()


def protocol_for(settings: ServiceSettings) -> type[HttpToolsProtocol]:
    """The connection class with a service's settings."""
    return type("ServiceProtocol", (BoundedHttpProtocol,), {"receive_seconds": settings.receive_seconds})
