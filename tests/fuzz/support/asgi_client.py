"""Requests to an application of this process, byte for byte as a server would hand them over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from servicekit.testing import PATIENCE_SECONDS

_CHUNK = 65_536

Headers = tuple[tuple[bytes, bytes], ...]


def header_list(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    """Headers as they arrive: names in lower case, values as Latin-1 bytes."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``target`` is the path, percent-encoded, with the query."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """The same request with these headers in place of its own of the same name."""
        added = header_list(headers)
        names = {name for name, _value in added}
        kept = tuple(pair for pair in self.headers if pair[0] not in names)
        return Request(self.method, self.target, kept + added, self.body)

    def has_header(self, name: str) -> bool:
        """Whether there is such a header."""
        return any(known == name.lower().encode() for known, _value in self.headers)

    def __str__(self) -> str:
        lines = [f"{self.method} {self.target}"]
        lines += [f"{name.decode()}: {value.decode('latin-1')[:300]}" for name, value in self.headers]
        return "\n".join([*lines, "", repr(self.body[:2000])])


@dataclass(slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body, strictly read.

        :raises ValueError: not JSON, or with NaN or infinity in it
        """
        return json.loads(self.body.decode("utf-8"), parse_constant=_no_constant)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


async def send(app: ASGIApp, request: Request, *, client: str = "127.0.0.1") -> Answer:
    """Send one request.

    :raises Exception: whatever the application lets escape; a server would close the connection on it
    """
    exchange = _Exchange(request, client)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await app(exchange.scope, exchange.receive, exchange.send)
    return exchange.answer


class _Exchange:
    def __init__(self, request: Request, client: str) -> None:
        raw_path, _, query = request.target.partition("?")
        headers = list(request.headers)
        if not request.has_header("host"):
            headers.insert(0, (b"host", b"localhost"))
        if not request.has_header("content-length") and not request.has_header("transfer-encoding"):
            headers.append((b"content-length", str(len(request.body)).encode()))
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(raw_path),
            "raw_path": raw_path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": headers,
            "client": (client, 40_000),
            "server": ("localhost", 80),
            "state": {},
        }
        self.answer = Answer()
        self._chunks = [request.body[at : at + _CHUNK] for at in range(0, len(request.body), _CHUNK)] or [b""]

    async def receive(self) -> Message:
        if not self._chunks:
            # The caller stays until the answer is complete.
            await asyncio.Event().wait()
        chunk = self._chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(self._chunks)}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            for name, value in message.get("headers", ()):
                self.answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        elif message["type"] == "http.response.body":
            self.answer.body += message.get("body", b"")
