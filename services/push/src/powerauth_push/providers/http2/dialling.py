"""Making a connection: directly or through a proxy, then TLS."""

from __future__ import annotations

import asyncio
import ssl

from powerauth_push.providers.http2.connection import ConnectionUnusable
from powerauth_push.providers.http2.transport import Http2Transport
from powerauth_push.providers.network import Origin, Proxy

_MAX_PROXY_HEAD = 16 * 1024
_HEAD_END = b"\r\n\r\n"


class DialFailed(Exception):
    """No connection; the text is out of a short list."""


async def dial(
    connection: Http2Transport, origin: Origin, tls: ssl.SSLContext, proxy: Proxy | None, seconds: float
) -> None:
    """Connect, and wait for the server's settings.

    :param seconds: for all of it
    :raises DialFailed: no server, no TLS, no HTTP/2, a proxy that refuses, or not in time
    """
    try:
        async with asyncio.timeout(seconds):
            await _connect(connection, origin, tls, proxy)
            await connection.ready
    except TimeoutError:
        connection.abort("no connection in time")
        raise DialFailed("no connection in time") from None
    except ssl.SSLCertVerificationError:
        raise DialFailed("certificate not trusted") from None
    except ssl.SSLError:
        raise DialFailed("TLS failed") from None
    except ConnectionUnusable as error:
        raise DialFailed(str(error)) from None
    except Exception as error:  # whatever it is, those who wait have to hear of it
        raise DialFailed(f"no connection: {type(error).__name__}") from None
    except BaseException:
        connection.abort("connection given up")
        raise


async def _connect(
    connection: Http2Transport, origin: Origin, tls: ssl.SSLContext, proxy: Proxy | None
) -> None:
    loop = asyncio.get_running_loop()
    if proxy is None:
        await loop.create_connection(lambda: connection, origin.host, origin.port, ssl=tls)
        return
    tunnel = _Tunnel(_connect_request(origin, proxy))
    transport, _ = await loop.create_connection(lambda: tunnel, proxy.host, proxy.port)
    try:
        await tunnel.open
        secured = await loop.start_tls(transport, connection, tls, server_hostname=origin.host)
    except BaseException:
        transport.abort()
        raise
    if secured is None:
        raise ConnectionUnusable("connection lost")
    connection.connection_made(secured)


def _connect_request(origin: Origin, proxy: Proxy) -> bytes:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = f"{host}:{origin.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "\r\n".join(lines).encode() + _HEAD_END


class _Tunnel(asyncio.Protocol):
    """The talk with a proxy until it has connected us."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]  # of another class in every event loop

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(_HEAD_END)
        if end:
            self._judge(head, rest)
        elif len(self._received) > _MAX_PROXY_HEAD:
            self._refuse("answer of the proxy too large")

    def connection_lost(self, exc: Exception | None) -> None:
        self._refuse("proxy closed the connection")

    def _judge(self, head: bytes, rest: bytes) -> None:
        version, _, status = head.split(b"\r\n", 1)[0].partition(b" ")
        if not version.startswith(b"HTTP/1.") or not status[:3].isdigit():
            self._refuse("no answer of a proxy")
        elif not status.startswith(b"2"):
            self._refuse(f"proxy answers {status[:3].decode()}")
        elif rest:
            self._refuse("proxy speaks out of turn")
        elif not self.open.done():
            self.open.set_result(None)

    def _refuse(self, reason: str) -> None:
        if not self.open.done():
            self.open.set_exception(ConnectionUnusable(reason))
