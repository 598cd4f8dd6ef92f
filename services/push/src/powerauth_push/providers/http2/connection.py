"""One HTTP/2 connection of a client, without I/O (RFC 9113) on the library h2.

h2 takes a GOAWAY for the end of everything and would refuse the answers that still come to requests below its
last stream. Therefore frames are told apart here, a GOAWAY is read here, and h2 gets all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
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

MAX_ANSWER_BYTES = 32 * 1024
"""Of one body; a provider's answers are some hundred bytes."""
_MAX_FRAME_BYTES = 16_384
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
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def answer(self) -> Answer | NoAnswer:
        if not self.status:
            return Unanswered("answer without status")
        return Answer(self.status, self.headers, b"".join(self.pieces))


class ClientConnection:
    """Requests out, answers in.

    :param most_streams: requests at a time, however many more the server allows
    :ivar accepting: whether the server still takes requests here
    :ivar answered: whether it has answered one
    """

    def __init__(self, most_streams: int) -> None:
        self._h2 = H2Connection(_configuration())
        self._most = most_streams
        self._streams: dict[int, _Stream] = {}
        self._blocked: list[int] = []
        self._received = bytearray()
        self._settled = False
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
        if not self.accepting or not self._settled or self._blocked:
            return 0
        allowed = min(self._most, self._h2.remote_settings.max_concurrent_streams)
        return max(0, allowed - len(self._streams))

    @property
    def under_way(self) -> int:
        """How many requests wait for their answer."""
        return len(self._streams)

    @property
    def settled(self) -> bool:
        """Whether the server's settings are known."""
        return self._settled

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
            stream.rest = memoryview(body)
            if not self._push(number, stream):
                self._blocked.append(number)
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
        self._received += data
        for kind, frame in self._frames():
            if kind == _GOAWAY:
                yield from self._leave(frame)
                continue
            try:
                happened = self._h2.receive_data(frame)
            except (H2Error, ValueError) as error:
                raise ConnectionUnusable(type(error).__name__) from None
            for event in happened:
                yield from self._handle(event)

    def lose(self, reason: str) -> Iterator[Ended]:
        """The connection is gone; what is known of the requests that were under way."""
        self.accepting = False
        streams, self._streams = self._streams, {}
        self._blocked.clear()
        for number, stream in streams.items():
            yield number, _given_up(stream, reason)

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        received = self._received
        at = 0
        while len(received) - at >= _FRAME_HEAD:
            length = int.from_bytes(received[at : at + 3], "big")
            if length > _MAX_FRAME_BYTES:
                raise ConnectionUnusable("frame too large")
            end = at + _FRAME_HEAD + length
            if len(received) < end:
                break
            yield received[at + 3], bytes(received[at:end])
            at = end
        del received[:at]

    def _leave(self, frame: bytes) -> Iterator[Ended]:
        """GOAWAY: requests above the last stream were not worked on, those up to it still get an answer."""
        if len(frame) < _FRAME_HEAD + 8:
            raise ConnectionUnusable("GOAWAY too short")
        last = int.from_bytes(frame[_FRAME_HEAD : _FRAME_HEAD + 4], "big") & _STREAM_BITS
        self.accepting = False
        for number in [number for number in self._streams if number > last]:
            self._forget(number)
            yield number, Unsent("connection is being closed")

    def _handle(self, event: events.Event) -> Iterator[Ended]:
        match event:
            case events.ResponseReceived(stream_id=int(number)):
                self._begin_answer(number, event)
            case events.DataReceived(stream_id=int(number)):
                yield from self._take(number, event)
            case events.StreamEnded(stream_id=int(number)):
                yield from self._end(number)
            case events.StreamReset(stream_id=int(number)):
                yield from self._was_reset(number, event)
            case events.WindowUpdated():
                self._unblock()
            case events.RemoteSettingsChanged():
                self._settled = True
                self._unblock()
            case events.PingAckReceived():
                self.pinged = False

    def _begin_answer(self, number: int, event: events.ResponseReceived) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        for name, value in event.headers or ():
            if name == b":status":
                stream.status = int(value)
            else:
                stream.headers.append((name, value))

    def _take(self, number: int, event: events.DataReceived) -> Iterator[Ended]:
        self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
        stream = self._streams.get(number)
        if stream is None:
            return
        stream.pieces.append(event.data or b"")
        stream.size += len(event.data or b"")
        if stream.size > MAX_ANSWER_BYTES:
            del self._streams[number]
            self._reset(number)
            yield number, Unanswered("answer too large")

    def _end(self, number: int) -> Iterator[Ended]:
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        if stream.rest is not None:
            # Answered before it had the whole body, which it does not want then.
            self._reset(number)
        self.answered = True
        self._overdue = 0
        yield number, stream.answer()

    def _was_reset(self, number: int, event: events.StreamReset) -> Iterator[Ended]:
        stream = self._forget(number)
        if stream is None:
            return
        if event.error_code == ErrorCodes.REFUSED_STREAM:
            yield number, Refused("stream refused")
        else:
            yield number, _given_up(stream, "stream reset")

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
        self._blocked = [number for number in self._blocked if not self._push(number, self._streams[number])]

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


def _given_up(stream: _Stream, reason: str) -> NoAnswer:
    # Nobody acts on half a message.
    return Unanswered(reason) if stream.rest is None else Unsent(reason)


def _configuration() -> H2Configuration:
    # Our requests are made by code that writes them rightly. Normalising would also keep the authorization
    # out of the header table, so that its 200 characters would be compressed and sent anew with each request;
    # Apple asks for it there.
    return H2Configuration(
        client_side=True,
        header_encoding=None,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
