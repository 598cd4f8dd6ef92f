"""Nothing but h2 on a socket: what a request costs that is neither bounded in time nor ever repeated."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from powerauth_push.providers.http2.exchange import Request


class BareConnection(asyncio.Protocol):
    """One connection to a server that does no wrong."""

    def __init__(self) -> None:
        self._h2 = H2Connection(
            H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._statuses: dict[int, int] = {}
        self._transport: asyncio.Transport | None = None
        self._flushing = False

    @classmethod
    async def to(cls, host: str, port: int, tls: ssl.SSLContext) -> BareConnection:
        """Connect."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, host, port, ssl=tls)
        return connection

    async def send(self, request: Request) -> int:
        """Send a request; the status of its answer."""
        number = self._h2.get_next_available_stream_id()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = done
        self._h2.send_headers(number, request.headers)
        self._h2.send_data(number, request.body, end_stream=True)
        self._flush_soon()
        return await done

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            match event:
                case events.ResponseReceived(stream_id=int(number)):
                    self._statuses[number] = int(dict(event.headers or ())[b":status"])
                case events.DataReceived(stream_id=int(number)):
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
                case events.StreamEnded(stream_id=int(number)):
                    self._waiting.pop(number).set_result(self._statuses.pop(number))
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is not None:
            self._transport.write(self._h2.data_to_send())
