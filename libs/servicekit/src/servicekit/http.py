"""Calls from one of our services to another: over the network, or inside the process of the all-in-one.

Either way the wire behaviour is the same: paths, headers, JSON bytes, statuses.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from multidict import CIMultiDict
from pydantic import BaseModel
from starlette.types import ASGIApp, Message
from yarl import URL

from servicekit import logs
from servicekit.auth import basic_header
from servicekit.errors import RemoteUnavailable
from servicekit.wire import to_json

if TYPE_CHECKING:
    import aiohttp

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

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, timeouts: Timeouts
    ) -> RawAnswer:
        """
        :raises RemoteUnavailable: no connection, no answer in time, or not a usable answer
        """

    async def close(self) -> None:
        """Let go of connections."""


class NetworkTransport:
    """aiohttp with a bounded pool. No cookies, redirects, proxies from the environment or compression."""

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
        self._max_answer = max_answer_bytes
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, timeouts: Timeouts
    ) -> RawAnswer:
        """See :class:`Transport`."""
        import aiohttp  # noqa: PLC0415 - heavy, and the all-in-one does without

        session = self._session or self._open()
        limits = aiohttp.ClientTimeout(total=timeouts.total, connect=timeouts.connect)
        try:
            async with session.request(
                method, url, headers=headers, data=body, timeout=limits, allow_redirects=False
            ) as response:
                content = await self._read(response)
                return RawAnswer(response.status, content, response.headers)
        except TimeoutError as error:
            raise RemoteUnavailable(f"{url.host}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise RemoteUnavailable(f"{url.host}: {type(error).__name__}") from error

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp  # noqa: PLC0415 - as above

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_connections,
                ttl_dns_cache=30,
                # Below every server's keep-alive: a connection must not be reused while it is being closed.
                keepalive_timeout=30,
                ssl=self._tls or True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            skip_auto_headers=("User-Agent",),
            auto_decompress=False,
            trust_env=False,
        )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        announced = response.content_length
        if announced is not None and announced <= self._max_answer:
            return await response.read()
        chunks, size = [], 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._max_answer:
                response.close()
                raise RemoteUnavailable(f"{response.url.host}: answer larger than {self._max_answer} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def close(self) -> None:
        """Close the pool. A later call opens a new one."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class AsgiTransport:
    """Calls an ASGI application of the same process. Its lifespan is run elsewhere."""

    def __init__(self, app: ASGIApp, *, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._app = app
        self._max_answer = max_answer_bytes

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
        if len(answer.body) > self._max_answer:
            raise RemoteUnavailable(f"{url.path}: answer larger than {self._max_answer} bytes")
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
        :raises RemoteUnavailable: no connection, no answer in time, or an answer larger than 1 MiB
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
        """Any request. The correlation id of the request being served goes along.

        :param params: query parameters, not yet encoded
        :raises RemoteUnavailable: no connection, no answer in time, or an answer larger than 1 MiB
        """
        url = URL(self.base_url + path, encoded=True)
        if params:
            url = url.update_query(params)
        sent = {**self._headers, **(headers or {})}
        correlation = logs.correlation_id.get()
        if correlation is not None:
            sent[CORRELATION_HEADER] = correlation
        return await self._transport.send(method, url, sent, body, timeouts or self._timeouts)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
