"""Requests to one server over few long connections; each ends in time, with an answer or the reason for none.

What the server certainly has not worked on (refused streams, streams above a GOAWAY) is sent again by itself.
Whatever may have been worked on is left to the caller, who knows what a second time would mean.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable

from powerauth_push.providers.http2.dialling import DialFailed, dial
from powerauth_push.providers.http2.exchange import Answer, NoAnswer, Refused, Request, Unsent
from powerauth_push.providers.http2.transport import Http2Transport
from powerauth_push.providers.network import Origin, Route

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
_MOST_REFUSALS = 3
"""Servers that refuse every stream are not asked for ever."""


class _Sending:
    """A request and who waits for it."""

    __slots__ = ("connection", "done", "refusals", "request", "stream")

    def __init__(self, request: Request, done: asyncio.Future[Answer]) -> None:
        self.request = request
        self.done = done
        self.refusals = 0
        self.connection: Http2Transport | None = None
        self.stream = 0

    def end(self, result: Answer | NoAnswer) -> None:
        if self.done.done():
            return
        if isinstance(result, Answer):
            self.done.set_result(result)
        else:
            self.done.set_exception(result)


class Http2Sender:
    """Sends to one server.

    :param jitter: gives a number from 0 to 1, by which pauses between attempts to connect differ
    """

    def __init__(
        self, origin: Origin, tls: ssl.SSLContext, route: Route, jitter: Callable[[], float] = random.random
    ) -> None:
        self.origin = origin
        self._tls = tls
        self._route = route
        self._jitter = jitter
        self._connections: list[Http2Transport] = []
        self._leaving: set[Http2Transport] = set()
        self._sending: set[_Sending] = set()
        self._waiting: deque[_Sending] = deque()
        self._dialling: asyncio.Task[None] | None = None
        self._failures = 0
        self._not_before = 0.0
        self._closing = False

    async def send(self, request: Request) -> Answer:
        """Send a request; ends after the route's `send_seconds` at the latest.

        :raises Unsent: no connection, no room, or the server refuses; it was not worked on
        :raises Unanswered: whether it was worked on is not known
        """
        loop = asyncio.get_running_loop()
        if self._closing:
            raise Unsent("sender is closed")
        if len(self._waiting) >= self._route.queue:
            raise Unsent("too many requests wait")
        sending = _Sending(request, loop.create_future())
        timer = loop.call_later(self._route.send_seconds, self._expire, sending)
        self._sending.add(sending)
        try:
            self._send(sending)
            return await sending.done
        finally:
            timer.cancel()
            self._sending.discard(sending)
            if sending.done.cancelled():
                self._withdraw(sending)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Take no more requests, let those under way end within the grace, close the connections."""
        self._closing = True
        if self._sending and grace_seconds > 0:
            await asyncio.wait({sending.done for sending in self._sending}, timeout=grace_seconds)
        if self._dialling is not None:
            self._dialling.cancel()
        self._fail_waiting("sender is closed")
        for connection in [*self._connections, *self._leaving]:
            connection.close()

    def _send(self, sending: _Sending) -> None:
        """Send at once if there is room and nobody waits, else wait for it."""
        if not self._waiting:
            for connection in self._connections:
                if connection.capacity:
                    self._begin(connection, sending)
                    return
        self._waiting.append(sending)
        self._pump()

    def _pump(self) -> None:
        """Send what waits as far as there is room, and make room."""
        for connection in self._connections:
            while self._waiting and connection.capacity:
                sending = self._waiting.popleft()
                if not sending.done.done():
                    self._begin(connection, sending)
        if self._waiting:
            self._make_room()

    def _begin(self, connection: Http2Transport, sending: _Sending) -> None:
        sending.connection = connection
        sending.stream = connection.submit(sending.request, lambda result: self._ended(sending, result))

    def _ended(self, sending: _Sending, result: Answer | NoAnswer) -> None:
        sending.connection = None
        if isinstance(result, Unsent) and not self._closing and sending.refusals < _MOST_REFUSALS:
            sending.refusals += isinstance(result, Refused)
            self._waiting.appendleft(sending)
            return  # the connection tells of its change next
        if isinstance(result, Answer):
            self._failures = 0
        sending.end(result)

    def _expire(self, sending: _Sending) -> None:
        if not sending.done.done():
            sending.end(self._withdraw(sending))
        while self._waiting and self._waiting[0].done.done():
            self._waiting.popleft()

    def _withdraw(self, sending: _Sending) -> NoAnswer:
        """Take a request back; what is known of it."""
        connection, sending.connection = sending.connection, None
        if connection is not None:
            return connection.cancel(sending.stream)
        return Unsent("no connection in time")

    def _make_room(self) -> None:
        """Connect, unless that is under way, or another connection has yet to show that it works."""
        if self._dialling is not None or len(self._connections) >= self._route.connections:
            return
        if any(not connection.answered for connection in self._connections):
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            if not self._connections:
                self._fail_waiting("no connection")
            return
        self._dialling = loop.create_task(self._dial(), name=f"connect to {self.origin.host}")

    async def _dial(self) -> None:
        connection = Http2Transport(self._route.streams, self._route.ping_seconds, self._changed)
        try:
            await dial(connection, self.origin, self._tls, self._route.proxy, self._route.connect_seconds)
        except DialFailed as failure:
            self._dialling = None
            self._pause()
            if not self._connections:
                self._fail_waiting(str(failure))
            return
        except BaseException:
            self._dialling = None
            raise
        self._dialling = None
        self._connections.append(connection)
        self._changed(connection)

    def _changed(self, connection: Http2Transport) -> None:
        if not connection.usable:
            self._leave(connection)
        self._pump()

    def _leave(self, connection: Http2Transport) -> None:
        """Send nothing more there, and close it when the last answer has come."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._leaving.add(connection)
        if connection in self._leaving and not connection.under_way:
            self._leaving.remove(connection)
            connection.close()
            if not connection.answered:
                self._pause()

    def _pause(self) -> None:
        """Connect again only after a while: providers take rapid attempts for an attack."""
        longest = min(FIRST_PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures += 1
        now = asyncio.get_running_loop().time()
        self._not_before = now + longest * (0.5 + self._jitter() / 2)

    def _fail_waiting(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, deque()
        for sending in waiting:
            sending.end(Unsent(reason))
