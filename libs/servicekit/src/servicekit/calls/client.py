"""Calls from one of our services to another: over the network, or inside the process of the all-in-one.

Either way the wire behaviour is the same: paths, headers, JSON bytes, statuses.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from multidict import CIMultiDict
from pydantic import BaseModel
from starlette.types import ASGIApp, Message
from yarl import URL

from powerauth_contracts.wire import to_json
from servicekit import logs, tracing, units
from servicekit.callers import basic_header
from servicekit.calls.http1 import RawHeaders
from servicekit.calls.keepalive import ConnectionBroken, ConnectionPool, OnBody, Origin
from servicekit.errors import RemoteUnavailable

__all__ = [
    "AsgiTransport",
    "NetworkTransport",
    "RawAnswer",
    "RemoteUnavailable",
    "ServiceClient",
    "Timeouts",
    "Transport",
]

MAX_ANSWER_BYTES = 1024 * 1024
CORRELATION_HEADER = "X-Correlation-ID"
_IDLE_SECONDS = 4.0
"""Below what a service that is told to stop drains its connections for, and so below its keep-alive: none is
used again while it is being closed."""

_log = logs.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds (spec/cloud-api.md §1.8). ``connect`` covers waiting for a pooled connection too."""

    connect: float = 5.0
    total: float = 60.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back. ``headers`` are looked up without regard to case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Transport(Protocol):
    """Carries one request to the other service."""

    @property
    def max_answer_bytes(self) -> int:
        """Of the body of one answer; a larger one is none."""

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, timeouts: Timeouts
    ) -> RawAnswer:
        """
        :raises RemoteUnavailable: no connection, no answer in time, or not a usable answer
        """

    async def close(self) -> None:
        """Let go of connections."""


class NetworkTransport:
    """Kept-alive connections, a bounded number to each origin. No cookies, redirects or proxies."""

    def __init__(
        self,
        *,
        max_connections: int = 100,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        :param tls: trust anchors and client certificate for https; the system's when absent
        """
        self._max_connections = max_connections
        self.max_answer_bytes = max_answer_bytes
        self._tls = tls
        self._pools: dict[tuple[str, str | None, int | None], ConnectionPool] = {}

    async def send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
        on_body: OnBody | None = None,
    ) -> RawAnswer:
        """See :class:`Transport`.

        :param on_body: takes the body of a successful answer piece by piece, as it arrives
        """
        pool = self._pools.get((url.scheme, url.host, url.port)) or self._open(url)
        request = _request_bytes(method, url, headers, body)
        try:
            async with asyncio.timeout(timeouts.total):
                status, raw_headers, content = await pool.request(request, timeouts.connect, on_body)
        except TimeoutError as error:
            raise RemoteUnavailable(f"{url.host}: no answer in time") from error
        except ConnectionBroken as error:
            raise RemoteUnavailable(f"{url.host}: {error}") from error
        return RawAnswer(status, content, _AnswerHeaders(raw_headers))

    def _open(self, url: URL) -> ConnectionPool:
        secure = url.scheme == "https"
        if secure and self._tls is None:
            self._tls = ssl.create_default_context()
        pool = ConnectionPool(
            Origin(url.host or "localhost", url.port or (443 if secure else 80)),
            size=self._max_connections,
            idle_seconds=_IDLE_SECONDS,
            max_body=self.max_answer_bytes,
            tls=self._tls if secure else None,
        )
        self._pools[url.scheme, url.host, url.port] = pool
        return pool

    async def close(self) -> None:
        """Close the pools. A later call opens new ones."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()


def _request_bytes(method: str, url: URL, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The request as it goes over the wire.

    :raises ValueError: a line break inside a header, which would start another one
    """
    lines = [f"{method} {url.raw_path_qs} HTTP/1.1", f"Host: {url.authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body or b'')}")
    head = "\r\n".join(lines)
    if head.count("\r") + head.count("\n") != 2 * (len(lines) - 1):
        raise ValueError("a line break in a header")
    return b"%s\r\n\r\n%s" % (head.encode("latin-1"), body or b"")


class _AnswerHeaders(Mapping[str, str]):
    """Headers of an answer, made readable when somebody looks: mostly nobody does."""

    def __init__(self, raw: RawHeaders) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        wanted = name.lower().encode("latin-1")
        values = [value.decode("latin-1") for known, value in self._raw if known == wanted]
        if not values:
            raise KeyError(name)
        return values[0]

    def __iter__(self) -> Iterator[str]:
        return iter({name.decode("latin-1"): None for name, _ in self._raw})

    def __len__(self) -> int:
        return len({name for name, _ in self._raw})


class AsgiTransport:
    """Calls an ASGI application of the same process. Its lifespan is run elsewhere."""

    def __init__(self, app: ASGIApp, *, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._app = app
        self.max_answer_bytes = max_answer_bytes

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, timeouts: Timeouts
    ) -> RawAnswer:
        """See :class:`Transport`."""
        call = _AsgiCall(method, url, headers, body or b"")
        try:
            async with asyncio.timeout(timeouts.total):
                await self._app(call.scope, call.receive, call.send)
        except TimeoutError as error:
            raise RemoteUnavailable(f"{url.path}: no answer in time") from error
        except Exception:
            # On a network the caller would see a broken connection or a 500, never our exception.
            _log.exception("application failed", path=url.path)
            if not call.status:
                return RawAnswer(500, b"", {})
        answer = call.answer()
        if len(answer.body) > self.max_answer_bytes:
            raise RemoteUnavailable(f"{url.path}: answer larger than {self.max_answer_bytes} bytes")
        return answer

    async def close(self) -> None:
        """Nothing to let go of."""


class _AsgiCall:
    """One request to an ASGI application and what it sent back."""

    def __init__(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> None:
        raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        raw_headers.append((b"host", (url.host or "localhost").encode("idna")))
        raw_headers.append((b"content-length", str(len(body)).encode()))
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.encode("ascii"),
            "query_string": url.raw_query_string.encode("ascii"),
            "root_path": "",
            "headers": raw_headers,
            "client": ("127.0.0.1", 0),
            "server": (url.host or "localhost", url.port),
            "state": {},
        }
        self.status = 0
        self._body: bytes | None = body
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._chunks: list[bytes] = []

    async def receive(self) -> Message:
        if self._body is None:
            # The caller stays until the answer is complete.
            await asyncio.Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message.get("headers", ()):
                self._headers.add(name.decode("latin-1"), value.decode("latin-1"))
        elif message["type"] == "http.response.body":
            self._chunks.append(message.get("body", b""))

    def answer(self) -> RawAnswer:
        return RawAnswer(self.status, b"".join(self._chunks), self._headers)


class ServiceClient:
    """One other service, its address and our credentials there."""

    def __init__(
        self,
        base_url: str,
        auth: tuple[str, str] | None = None,
        timeouts: Timeouts | None = None,
        transport: Transport | None = None,
    ) -> None:
        """
        :param base_url: with the context path, ``http://core:8080/powerauth-java-server``
        :param auth: user and secret for HTTP Basic
        :param transport: :class:`NetworkTransport` when absent
        """
        self.base_url = base_url.rstrip("/")
        self._timeouts = timeouts or Timeouts()
        self._transport: Transport = transport or NetworkTransport()
        self._headers = {"Accept": "application/json"}
        if auth is not None:
            self._headers["Authorization"] = basic_header(*auth)

    async def post_json(
        self, path: str, body: bytes | BaseModel, headers: Mapping[str, str] | None = None
    ) -> RawAnswer:
        """POST a JSON body. Any status is an answer.

        :param path: below the base URL, percent-encoded where needed
        :raises RemoteUnavailable: no connection, no answer in time, or an answer that is too large
        """
        content = body if isinstance(body, bytes) else to_json(body)
        return await self.request(
            "POST", path, content, {"Content-Type": "application/json", **(headers or {})}
        )

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> RawAnswer:
        """Any request. The correlation id and the trace of the request being served go along.

        :param params: query parameters, not yet encoded
        :raises RemoteUnavailable: no connection, no answer in time, or an answer that is too large
        """
        url = URL(self.base_url + path, encoded=True)
        if params:
            url = url.update_query(params)
        units.spent()
        sent = {**self._headers, **(headers or {})}
        correlation = logs.correlation_id.get()
        if correlation is not None:
            sent[CORRELATION_HEADER] = correlation
        if tracing.current.get() is None:
            return await self._transport.send(method, url, sent, body, timeouts or self._timeouts)
        with tracing.step(method, tracing.Kind.CLIENT) as span:
            assert span is not None
            sent[tracing.HEADER] = span.traceparent
            answer = await self._transport.send(method, url, sent, body, timeouts or self._timeouts)
            span.called(url.host, answer.status)
            return answer

    @property
    def streams(self) -> bool:
        """Whether :meth:`stream` can be used: not inside a process."""
        return isinstance(self._transport, NetworkTransport)

    @property
    def max_answer_bytes(self) -> int:
        """Of the body of one answer, or of one in a bundle."""
        return self._transport.max_answer_bytes

    async def stream(self, path: str, body: bytes, headers: Mapping[str, str], on_body: OnBody) -> RawAnswer:
        """POST and take the body of a successful answer piece by piece; the answer returned has none then.

        :raises RemoteUnavailable: as :meth:`request`; pieces may have come before
        """
        assert isinstance(self._transport, NetworkTransport)
        units.spent()
        url = URL(self.base_url + path, encoded=True)
        sent = {**self._headers, **headers}
        return await self._transport.send("POST", url, sent, body, self._timeouts, on_body)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
