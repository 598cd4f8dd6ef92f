"""One HTTP/2 connection of a client, without I/O (RFC 9113) on the library h2.

h2 takes a GOAWAY for the end of everything and would refuse the answers that still come to requests below its
last stream. Therefore frames are told apart here, a GOAWAY is read here, and h2 gets all others.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import FlowControlError, FrameTooLargeError, H2Error
from h2.settings import SettingCodes, Settings

from powerauth_push.providers.http2.exchange import (
    Answer,
    NoAnswer,
    Overdue,
    Refused,
    Request,
    Unanswered,
    Unsent,
)

# The library tells every header that it writes, device tokens and authorizations too.
logging.getLogger("hpack").setLevel(logging.WARNING)

MAX_ANSWER_BYTES = 32 * 1024
"""Of one body; a provider's answers are some hundred bytes."""
_MAX_FRAME_BYTES = 16_384
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_FRAME_HEAD = 9
_GOAWAY = 7
_STREAM_BITS = 0x7FFF_FFFF
_LAST_STREAM = 0x7FFF_FFF0
_LATE = "no answer in time"
_MOST_OVERDUE = 5
"""Requests in a row without an answer in time, after which a connection is given up."""

Ended = tuple[int, Answer | NoAnswer]
"""A stream and what became of its request."""


class ConnectionUnusable(Exception):
    """The other side breaks the protocol; the text is out of a short list."""


@dataclass(slots=True)
class _Stream:
    """A request under way.

    :ivar rest: of the body, what flow control has not let through yet
    """

    rest: memoryview | None = None
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def answer(self) -> Answer | NoAnswer:
        if not self.status:
            return Unanswered("answer without status")
        return Answer(self.status, self.headers, self.body)


class ClientConnection:
    """Requests out, answers in.

    :param most_streams: requests at a time, however many more the server allows
    :ivar settled: whether the server's settings are known
    :ivar accepting: whether the server still takes requests here
    :ivar answered: whether it has answered one
    """

    def __init__(self, most_streams: int) -> None:
        self._h2 = H2Connection(_configuration())
        self._most = most_streams
        self._streams: dict[int, _Stream] = {}
        self._blocked: list[int] = []
        self._rest = b""
        self._allowed = 0
        self.settled = False
        self._overdue = 0
        self.accepting = True
        self.answered = False
        self.pinged = False
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: 65_535,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_ANSWER_BYTES,
            },
        )

    @property
    def capacity(self) -> int:
        """How many more requests fit now.

        None before the server's settings, which may allow a single one until it has seen who we are; none
        either while a body waits for the server's window, since it would only be followed by others that
        wait.
        """
        if not self.accepting or self._blocked:
            return 0
        return max(0, self._allowed - len(self._streams))

    @property
    def under_way(self) -> int:
        """How many requests wait for their answer."""
        return len(self._streams)

    def start(self) -> None:
        """Make our side's opening."""
        self._h2.initiate_connection()

    def submit(self, request: Request) -> int:
        """Begin a request; only while there is `capacity`.

        :return: its stream
        """
        number = self._h2.get_next_available_stream_id()
        if number >= _LAST_STREAM:
            self.accepting = False
        body = request.body
        self._h2.send_headers(number, request.headers, end_stream=not body)
        stream = self._streams[number] = _Stream()
        if body:
            try:
                self._h2.send_data(number, body, end_stream=True)
            except (FlowControlError, FrameTooLargeError):
                stream.rest = memoryview(body)
                self._blocked.append(number)
                self._unblock()
        return number

    def cancel(self, number: int) -> NoAnswer | None:
        """Give up a request. A connection that lets none through, or answers none, is given up with it.

        :return: what is known of it; None: it had ended
        """
        stream = self._streams.pop(number, None)
        if stream is None:
            return None
        self._reset(number)
        self._overdue += 1
        if stream.rest is not None or self._overdue >= _MOST_OVERDUE:
            self.accepting = False
        return Unsent(_LATE) if stream.rest is not None else Overdue(_LATE)

    def ping(self) -> None:
        """Ask whether the server is there; `pinged` until it has answered."""
        self._h2.ping(b"awake?\x00\x00")
        self.pinged = True

    def goodbye(self) -> None:
        """Tell the server that we are leaving."""
        self.accepting = False
        self._h2.close_connection()

    def data_to_send(self) -> bytes:
        """What has to go to the server."""
        return self._h2.data_to_send()

    def receive(self, data: bytes) -> Iterator[Ended]:
        """Take what came from the server; requests that ended by it.

        :raises ConnectionUnusable: after the requests that had ended before
        """
        for frames, is_goaway in self._complete(data):
            if is_goaway:
                yield from self._leave(frames)
                continue
            try:
                happened = self._h2.receive_data(frames)
            except (H2Error, ValueError) as error:
                raise ConnectionUnusable(type(error).__name__) from None
            for event in happened:
                handler = _HANDLERS.get(type(event))
                ended = handler(self, event) if handler is not None else None
                if ended is not None:
                    yield ended

    def lose(self, reason: str) -> Iterator[Ended]:
        """The connection is gone; what is known of the requests that were under way."""
        self.accepting = False
        streams, self._streams = self._streams, {}
        self._blocked.clear()
        for number, stream in streams.items():
            yield number, _given_up(stream, reason)

    def _complete(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Whole frames, as many together as stand between one GOAWAY and another."""
        received = self._rest + data if self._rest else data
        start = at = 0
        while len(received) - at >= _FRAME_HEAD:
            end = at + _FRAME_HEAD + (received[at] << 16 | received[at + 1] << 8 | received[at + 2])
            if end - at > _FRAME_HEAD + _MAX_FRAME_BYTES:
                raise ConnectionUnusable("frame too large")
            if end > len(received):
                break
            if received[at + 3] == _GOAWAY:
                if start < at:
                    yield received[start:at], False
                yield received[at:end], True
                start = end
            at = end
        self._rest = received[at:]
        if start < at:
            yield received[start:at], False

    def _leave(self, frame: bytes) -> Iterator[Ended]:
        """GOAWAY: requests above the last stream were not worked on, those up to it still get an answer."""
        if len(frame) < _FRAME_HEAD + 8:
            raise ConnectionUnusable("GOAWAY too short")
        last = int.from_bytes(frame[_FRAME_HEAD : _FRAME_HEAD + 4], "big") & _STREAM_BITS
        self.accepting = False
        for number in [number for number in self._streams if number > last]:
            self._forget(number)
            yield number, Unsent("connection is being closed")

    def _begin_answer(self, event: events.ResponseReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        for name, value in event.headers:
            if name == b":status":
                stream.status = int(value) if _STATUS.fullmatch(value) else 0
            else:
                stream.headers.append((name, value))

    def _take(self, event: events.DataReceived) -> Ended | None:
        number = event.stream_id
        self._h2.acknowledge_received_data(event.flow_controlled_length, number)
        stream = self._streams.get(number)
        if stream is None:
            return None
        stream.body += event.data
        if len(stream.body) <= MAX_ANSWER_BYTES:
            return None
        self._forget(number)
        self._reset(number)
        return number, Unanswered("answer too large")

    def _end(self, event: events.StreamEnded) -> Ended | None:
        number = event.stream_id
        stream = self._streams.pop(number, None)
        if stream is None:
            return None
        if stream.rest is not None:
            # Answered before it had the whole body, which it does not want then.
            self._reset(number)
        self.answered = True
        self._overdue = 0
        return number, stream.answer()

    def _was_reset(self, event: events.StreamReset) -> Ended | None:
        number = event.stream_id
        stream = self._forget(number)
        if stream is None:
            return None
        if event.error_code == ErrorCodes.REFUSED_STREAM:
            return number, Refused("stream refused")
        return number, _given_up(stream, "stream reset")

    def _widen(self, _event: events.Event) -> None:
        self._unblock()

    def _settle(self, _event: events.Event) -> None:
        self.settled = True
        self._allowed = min(self._most, self._h2.remote_settings.max_concurrent_streams)
        self._unblock()

    def _was_ponged(self, _event: events.Event) -> None:
        self.pinged = False

    def _forget(self, number: int) -> _Stream | None:
        if number in self._blocked:
            self._blocked.remove(number)
        return self._streams.pop(number, None)

    def _reset(self, number: int) -> None:
        if number in self._blocked:
            self._blocked.remove(number)
        try:
            self._h2.reset_stream(number, ErrorCodes.CANCEL)
        except H2Error:
            return  # the other side closed it at the same time

    def _unblock(self) -> None:
        self._blocked = [number for number in self._blocked if not self._is_through(number)]

    def _is_through(self, number: int) -> bool:
        """Whether nothing of a request's body waits any more, after another try."""
        try:
            return self._push(number, self._streams[number])
        except H2Error:
            return True  # it was reset by what came along with the window, of which we hear next

    def _push(self, number: int, stream: _Stream) -> bool:
        """Send as much of a body as both windows allow; whether all of it is sent."""
        rest = stream.rest
        while rest is not None:
            window = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if window < len(rest):
                if window <= 0:
                    return False
                self._h2.send_data(number, rest[:window])
                rest = stream.rest = rest[window:]
                continue
            self._h2.send_data(number, rest, end_stream=True)
            rest = stream.rest = None
        return True


_HANDLERS: Mapping[type[events.Event], Callable[[ClientConnection, Any], Ended | None]] = {
    events.ResponseReceived: ClientConnection._begin_answer,
    events.DataReceived: ClientConnection._take,
    events.StreamEnded: ClientConnection._end,
    events.StreamReset: ClientConnection._was_reset,
    events.WindowUpdated: ClientConnection._widen,
    events.RemoteSettingsChanged: ClientConnection._settle,
    events.PingAckReceived: ClientConnection._was_ponged,
}


def _given_up(stream: _Stream, reason: str) -> NoAnswer:
    # Nobody acts on half a message.
    return Unanswered(reason) if stream.rest is None else Unsent(reason)


def _configuration() -> H2Configuration:
    # Our requests are made by code that writes them rightly, and of answers three headers are read.
    # Normalising would also keep the authorization out of the header table, so that its 200 characters would
    # be compressed and sent anew with each request; Apple asks for it there.
    return H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
