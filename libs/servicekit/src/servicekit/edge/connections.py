"""What our connections add to uvicorn's: bounds, and answers written in one piece.

Bounds that uvicorn leaves open are the size of a request's head, of what surrounds a body (chunk framing),
of a body that nobody reads, the number of requests sent ahead of their answers, and the time a request may
take to arrive (D28). Without them a client that sends one endless header, or one byte a minute, holds memory
and connections for nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from servicekit import metrics
from servicekit.settings import MEBIBYTE, ServiceSettings
from servicekit.targets import MAX_TARGET_BYTES

MAX_HEAD_BYTES = 64 * 1024
"""Of everything in a message that is not its body: request line, headers, chunk framing."""
MAX_PIPELINED = 64
"""Requests of one connection that wait for the answers before theirs."""
_UNREAD_BYTES = 256 * 1024
"""What may arrive of a too large body before whoever reads it can refuse it."""

_DRAIN_SECONDS = 6.0
"""Clients that are at work all the time send within it, and are told that it was the last one. No client of
ours uses a connection again that was idle for so long."""

_OVERLONG_TARGET = b"/" + b"-" * MAX_TARGET_BYTES
"""Stands for every target that is too long: nobody decodes what is refused anyway."""
_VERSIONS = frozenset({"1.0", "1.1"})
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64} \S+ HTTP/1\.[01]\r\n")

_refused = metrics.counter(
    "http_server_refused_connections",
    "Connections closed unanswered",
    {"reason": ("body", "framing", "head", "malformed", "pipeline", "slow", "trailers", "version")},
)


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

    def stop_reading(self) -> None:
        """Read nothing any more, whoever asks."""
        if not self._transport.is_closing():
            self._transport.pause_reading()
        self.pause_reading = self.resume_reading = lambda: None

    def close(self) -> None:
        """Close after what waits."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._waiting.clear()
        self._transport.abort()


class _Refused(Exception):
    """Raised into the parser by a callback: nothing more of this connection is read."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Connections(ServerState):
    """What uvicorn knows of a server's connections.

    :ivar ending: whether those that are made from now on bring one request each
    """

    ending = False


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection with these bounds."""

    receive_seconds: float = 30.0
    """From a connection's, or a request's, first moment to the request's last byte."""
    max_body: int = MEBIBYTE
    drain_seconds: float = 0.0
    """How long a connection without a request stays open for one more, when the service is told to stop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._raw_bytes = 0
        self._body_bytes = 0
        self._in_head = True
        self._incomplete = True
        self._completed = False
        self._ended = False
        self._refusal: _Refused | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, Corked(transport, self.loop)))
        # Between accepting it and this, whoever stops the server does not see it: a handshake may take long.
        self._last = isinstance(self.server_state, Connections) and self.server_state.ending
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self._unset_keepalive_if_required()
        self._raw_bytes += len(data)
        self._completed = False
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            refusal = self._refusal or _malformed(error, data)
            self._refuse(refusal.status, refusal.reason)
            return
        if self._incomplete or not self._completed:
            if self._raw_bytes - self._body_bytes > MAX_HEAD_BYTES:
                self._refuse(431 if self._in_head else 413, "head" if self._in_head else "framing")
            elif self._deadline is None:
                self._arm()

    def _feed(self, data: bytes) -> None:
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as offer:
                # No other protocol is spoken here: the offer is ignored and HTTP goes on (RFC 9110 §7.8).
                rest = rest[offer.args[0] :]
                self.parser = _parser_behind(self, self._framing())
            else:
                return

    def _framing(self) -> list[bytes]:
        """The headers that say how long a body is; none without one."""
        return [
            b"%s: %s\r\n" % (name, value)
            for name, value in self.scope["headers"]
            if name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        ]

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise self._refusing(429, "pipeline")
        super().on_message_begin()
        self._in_head = self._incomplete = True

    def on_headers_complete(self) -> None:
        if len(self.url) > MAX_TARGET_BYTES:
            self.url = _OVERLONG_TARGET
        elif not self.url.startswith(b"/"):
            self.url = self._reduced_target()
        if self.parser.get_http_version() not in _VERSIONS:
            raise self._refusing(505, "version")
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False
        self._in_head = False
        # What comes behind a body is not added to headers that somebody looks at already.
        self.headers = []

    def _reduced_target(self) -> bytes:
        """The rarer forms of a target (RFC 9112 §3.2): what has no path becomes ``/`` or ``*``."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            return b"*"
        parsed = httptools.parse_url(self.url)
        if parsed.path is not None:
            return self.url
        if method == b"OPTIONS":
            return b"*"
        return b"/" if parsed.query is None else b"/?" + parsed.query

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self.max_body + _UNREAD_BYTES:
            raise self._refusing(413, "body")
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade() and self._framing():
            # The parser leaves a body to the protocol that is offered.
            return
        if self.headers:
            raise self._refusing(400, "trailers")
        self._disarm()
        self._incomplete = False
        self._completed = True
        # The next request's head begins where this one ends; what came of it already is not counted.
        self._in_head = True
        self._raw_bytes = self._body_bytes = 0
        super().on_message_complete()

    def shutdown(self) -> None:
        """Finish: what is under way is answered, and what a client sends before it can know of the end."""
        self._last = True
        # Who was not told with an answer's head that it is the last one may send another request.
        untold = self.cycle is None or self.cycle.response_started
        if self.drain_seconds and untold:
            self.loop.call_later(self.drain_seconds, super().shutdown)
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        # What was answered may be a request before the one that arrives now.
        answered_last = not self._in_head and self.cycle.response_complete
        if answered_last and self._incomplete and self.expect_100_continue:
            # Nobody knows whether the body that was not asked for comes.
            self.transport.close()
        super().on_response_complete()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self.receive_seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        _refused.labels("slow").inc()
        self.transport.close()

    def _refusing(self, status: int, reason: str) -> _Refused:
        self._refusal = _Refused(status, reason)
        return self._refusal

    def _refuse(self, status: int, reason: str) -> None:
        """Read nothing more; answer if nothing else is being answered."""
        _refused.labels(reason).inc()
        self._ended = True
        self._disarm()
        cast(Corked, self.transport).stop_reading()
        cycle = self.cycle
        working = cycle is not None and not cycle.response_complete
        if working and self._in_head:
            # The requests before this one get their answers.
            cycle.keep_alive = False
            return
        unanswered = self._in_head
        if working:
            # Its own request is at fault: whoever works on it hears that the client is gone.
            unanswered = not (cycle.response_started or self.pipeline)
            cycle.disconnected = True
            cycle.message_event.set()
        if unanswered:
            self.transport.write(STATUS_LINE[status] + b"connection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()


def _parser_behind(protocol: BoundedHttpProtocol, framing: list[bytes]) -> httptools.HttpRequestParser:
    """A parser that goes on where another stopped, behind a head.

    :param framing: the headers that say how long the body is; empty: the next request follows
    """
    deaf = bool(framing)

    def heard(callback: Callable[..., None]) -> Callable[..., None]:
        return lambda *arguments: None if deaf else callback(*arguments)

    parser = httptools.HttpRequestParser(
        SimpleNamespace(**{name: heard(getattr(protocol, name)) for name in _CALLBACKS})
    )
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    if framing:
        parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(framing))
    deaf = False
    return parser


_CALLBACKS = (
    "on_message_begin",
    "on_url",
    "on_header",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
)


def _malformed(error: httptools.HttpParserError, data: bytes) -> _Refused:
    """How to refuse what the parser could not read: 501 for a method that nobody knows, else 400."""
    unknown = isinstance(error, httptools.HttpParserInvalidMethodError) and _REQUEST_LINE.match(data)
    return _Refused(501 if unknown else 400, "malformed")


def protocol_for(settings: ServiceSettings) -> type[HttpToolsProtocol]:
    """The connection class with a service's settings."""
    drain = settings.drain_seconds
    bounds = {
        "receive_seconds": settings.receive_seconds,
        "max_body": max(settings.max_body_bytes, *settings.larger_bodies.values(), 0),
        "drain_seconds": (_DRAIN_SECONDS if settings.production else 0.0) if drain is None else drain,
    }
    return type("ServiceProtocol", (BoundedHttpProtocol,), bounds)
