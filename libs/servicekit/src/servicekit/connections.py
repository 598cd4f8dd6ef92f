"""Bounds of a connection that uvicorn leaves open: the size of a request's head, the time a request may
take to arrive.

Without them a client that sends one endless header, or one byte a minute, holds memory and connections for
nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from servicekit import metrics
from servicekit.settings import ServiceSettings

MAX_HEAD_BYTES = 64 * 1024

_refused = metrics.counter("http_server_refused_connections", "Connections closed unanswered", ["reason"])


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
        super().connection_made(transport)
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
