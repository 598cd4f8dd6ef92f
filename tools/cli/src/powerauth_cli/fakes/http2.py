"""An HTTP/2 server over TLS that can do wrong all that the protocol allows, and some more."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.x509.oid import NameOID
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error, StreamClosedError
from h2.settings import SettingCodes, Settings

from powerauth_cli.fakes.authority import LOOPBACK
from powerauth_cli.fakes.wire import Fault, Faults, Handler, Received, Reply

_HUGE = 200_000


@dataclass(slots=True)
class Http2Manners:
    """How a server treats its connections.

    :ivar streams: requests at a time that it allows
    :ivar first_streams: so many until a request has shown who the client is; None: as many as ever
    :ivar window: bytes of a body before the server has to give leave for more
    :ivar spare_window: bytes that all bodies of a connection may have more than the protocol's 64 KiB
    :ivar reading: whether it gives leave
    :ivar pings: whether it answers a ping
    :ivar silent: it takes connections and says nothing
    :ivar most_requests: on one connection, then it says good-bye; None: any number
    """

    streams: int = 1000
    first_streams: int | None = None
    window: int = 65_535
    spare_window: int = 0
    reading: bool = True
    pings: bool = True
    silent: bool = False
    most_requests: int | None = None


@dataclass(slots=True)
class Seen:
    """What a server has seen."""

    connections: int = 0
    requests: int = 0
    cancelled: int = 0
    pings: int = 0
    most_at_a_time: int = 0
    broken: list[str] = field(default_factory=list)


class Http2Server:
    """A server on a free port of this machine; `async with` starts and ends it."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext, port: int = 0) -> None:
        self.handler = handler
        self.faults = Faults()
        self.manners = Http2Manners()
        self.seen = Seen()
        self.port = port
        self.connections: set[ServerConnection] = set()
        self._tls = tls
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """`https://host:port`."""
        return f"https://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port after a `stop`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ServerConnection(self), LOOPBACK, self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.drop()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Http2Server:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    def change_settings(self, **changed: int) -> None:
        """Tell all connections of other settings: `max_concurrent_streams`, `initial_window_size` …"""
        codes: Mapping[SettingCodes | int, int] = {
            SettingCodes[name.upper()]: value for name, value in changed.items()
        }
        for connection in self.connections:
            connection.change_settings(codes)

    def read_on(self) -> None:
        """Give leave for what was held back."""
        self.manners.reading = True
        for connection in self.connections:
            connection.read_on()

    def goodbye(self) -> None:
        """Announce the end of all connections, and end each after its last answer."""
        for connection in list(self.connections):
            connection.goodbye(connection.last)


@dataclass(slots=True)
class _Incoming:
    headers: list[tuple[str, str]]
    pieces: list[bytes] = field(default_factory=list)


class ServerConnection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, server: Http2Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._incoming: dict[int, _Incoming] = {}
        self._open: set[int] = set()
        self._unsent: dict[int, bytes] = {}
        self._held: list[tuple[int, int]] = []
        self._topic: str | None = None
        self._known = False
        self._settled = False
        self._leaving = False
        self._requests = 0
        self.last = 0
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._flushing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of another class in every event loop
        self._server.connections.add(self)
        self._server.seen.connections += 1
        self._topic = _topic(transport.get_extra_info("ssl_object"))
        if self._server.manners.silent:
            return
        manners = self._server.manners
        first = manners.streams if manners.first_streams is None else manners.first_streams
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: first,
                SettingCodes.INITIAL_WINDOW_SIZE: manners.window,
                SettingCodes.MAX_FRAME_SIZE: 16_384,
                SettingCodes.MAX_HEADER_LIST_SIZE: 8000,
            },
        )
        self._h2.initiate_connection()
        if manners.spare_window:
            self._h2.increment_flow_control_window(manners.spare_window)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._server.manners.silent:
            return
        try:
            happened = self._h2.receive_data(data)
        except H2Error as error:
            self._server.seen.broken.append(type(error).__name__)
            self._flush()
            self.drop()
            return
        for event in happened:
            self._handle(event)
        if not self._server.manners.pings and any(
            isinstance(event, events.PingReceived) for event in happened
        ):
            self._h2.clear_outbound_data_buffer()
        self._flush_soon()

    def change_settings(self, changed: Mapping[SettingCodes | int, int]) -> None:
        """Tell the client of other settings, once it has taken the first: h2 would mix them up."""
        if self._settled:
            self._h2.update_settings(dict(changed))
            self._flush()

    def read_on(self) -> None:
        """Give leave for what was held back."""
        held, self._held = self._held, []
        for number, length in held:
            self._h2.acknowledge_received_data(length, number)
        self._flush()

    def goodbye(self, last: int) -> None:
        """Announce the end: streams up to `last` get their answer, others are not worked on."""
        if self._leaving or self._transport is None:
            return
        self._flush()
        self._leaving = True
        # h2 itself would take this for the end of everything and send no more answers.
        self._transport.write(_goaway(last, b'{"reason":"Shutdown"}'))
        self._open = {number for number in self._open if number <= last}
        self._end_if_done()

    def drop(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.RequestReceived(stream_id=int(number)):
                if self._leaving:
                    return
                self._incoming[number] = _Incoming(
                    [(str(name), str(value)) for name, value in event.headers or ()]
                )
                self._open.add(number)
                self.last = max(self.last, number)
                seen = self._server.seen
                seen.most_at_a_time = max(seen.most_at_a_time, len(self._open))
            case events.DataReceived(stream_id=int(number)):
                length = event.flow_controlled_length or 0
                if self._server.manners.reading:
                    self._h2.acknowledge_received_data(length, number)
                else:
                    self._held.append((number, length))
                if number in self._incoming:
                    self._incoming[number].pieces.append(event.data or b"")
            case events.StreamEnded(stream_id=int(number)):
                self._serve(number)
            case events.PingReceived():
                self._server.seen.pings += 1
            case events.SettingsAcknowledged():
                self._settled = True
            case events.WindowUpdated():
                self._send_on()
            case events.StreamReset(stream_id=int(number)):
                self._unsent.pop(number, None)
                self._incoming.pop(number, None)
                self._open.discard(number)
                self._server.seen.cancelled += 1

    def _serve(self, number: int) -> None:
        incoming = self._incoming.pop(number, None)
        if incoming is None or number not in self._open:
            return
        self._requests += 1
        server = self._server
        server.seen.requests += 1
        fault = server.faults.next()
        if fault is not None and self._spoil(number, fault):
            return
        received = Received(incoming.headers, b"".join(incoming.pieces), self._topic)
        reply = server.faults.reply(server.handler, received)
        self._greet(reply)
        if fault is Fault.SLOW:
            self._loop.call_later(server.faults.slow_seconds, self._answer, number, reply, fault)
        else:
            self._answer(number, reply, fault)
        if server.manners.most_requests is not None and self._requests >= server.manners.most_requests:
            self.goodbye(self.last)

    def _spoil(self, number: int, fault: Fault) -> bool:
        """Do what keeps a request from being worked on; whether that is so."""
        match fault:
            case Fault.REFUSE:
                self._reset(number, ErrorCodes.REFUSED_STREAM)
            case Fault.RESET:
                self._reset(number, ErrorCodes.INTERNAL_ERROR)
            case Fault.GOAWAY:
                self.goodbye(number - 2)
            case Fault.DROP:
                self.drop()
            case Fault.HANG:
                pass
            case _:
                return False
        return True

    def _answer(self, number: int, reply: Reply, fault: Fault | None) -> None:
        if self._transport is None or number not in self._open:
            return
        match fault:
            case Fault.RESET_DONE:
                self._reset(number, ErrorCodes.INTERNAL_ERROR)
                return
            case Fault.DROP_DONE:
                self.drop()
                return
            case Fault.GOAWAY_DONE:
                self.goodbye(number)
        headers = _altered(reply.headers, fault)
        whole = reply.body + b" " * _HUGE if fault is Fault.HUGE else reply.body
        data = fault is Fault.EMPTY_DATA or bool(whole)
        self._h2.send_headers(number, [(":status", str(reply.status)), *headers], end_stream=not data)
        if data:
            self._send(number, whole)
        self._open.discard(number)
        self._flush_soon()
        self._end_if_done()

    def _send(self, number: int, body: bytes) -> None:
        """As much of a body as the client takes now; the rest when it gives leave."""
        while (room := min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)) > 0:
            piece, body = body[:room], body[room:]
            self._h2.send_data(number, piece, end_stream=not body)
            if not body:
                return
        self._unsent[number] = body

    def _send_on(self) -> None:
        unsent, self._unsent = self._unsent, {}
        for number, body in unsent.items():
            with contextlib.suppress(StreamClosedError):  # the client has had enough
                self._send(number, body)

    def _greet(self, reply: Reply) -> None:
        """The client has shown who it is: from now on it may do more at a time."""
        manners = self._server.manners
        if not self._known and reply.authenticated:
            self._known = True
            if manners.first_streams is not None:
                self._h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: manners.streams})

    def _reset(self, number: int, code: ErrorCodes) -> None:
        self._open.discard(number)
        self._h2.reset_stream(number, code)
        self._flush_soon()

    def _end_if_done(self) -> None:
        if self._leaving and not self._open:
            self._flush()
            if self._transport is not None:
                self._transport.close()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is not None:
            data = self._h2.data_to_send()
            if data:
                self._transport.write(data)


def _goaway(last: int, reason: bytes) -> bytes:
    """The frame (RFC 9113 §6.8): no error."""
    head = (8 + len(reason)).to_bytes(3, "big") + b"\x07" + bytes(5)
    return head + max(last, 0).to_bytes(4, "big") + bytes(4) + reason


def _altered(headers: Mapping[str, str], fault: Fault | None) -> Iterable[tuple[str, str]]:
    for name, value in headers.items():
        if name == "apns-id" and fault is Fault.NO_ID:
            continue
        other = name == "apns-id" and fault is Fault.OTHER_ID
        yield name, "00000000-0000-0000-0000-000000000000" if other else value


def _topic(spoken: ssl.SSLObject | None) -> str | None:
    """What the client's certificate is for, None without one."""
    shown = spoken.getpeercert(binary_form=True) if spoken is not None else None
    if shown is None:
        return None
    found = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.USER_ID)
    return str(found[0].value) if found else ""
