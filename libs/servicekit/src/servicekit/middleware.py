"""The edge of every service: one plain ASGI middleware around the whole application.

It bounds bodies and headers, carries the correlation id, sets the security headers, counts and logs each
request, and answers unexpected errors. One middleware, because each further one costs every request a set
of wrappers.
"""

from __future__ import annotations

import re
import time
from random import getrandbits

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit import logs, metrics
from servicekit.errors import ErrorContext, ErrorFamily, Shape, error_response
from servicekit.routing import TEMPLATE_KEY
from servicekit.settings import ServiceSettings

_log = logs.get_logger("request")

UNMATCHED = "unmatched"

_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
CLIENT_GONE = 499
"""Status in log and metrics of a request whose client left before it was answered."""


_CLOSE = {"Connection": "close"}
"""A body that is not wanted is not read either: the connection cannot serve another request."""


class BodyTooLarge(HTTPException):
    """More body arrived than allowed; raised into whoever was reading it."""

    def __init__(self) -> None:
        super().__init__(413, headers=_CLOSE)


class EdgeMiddleware:
    """See the module."""

    def __init__(self, app: ASGIApp, *, service: str, settings: ServiceSettings, family: ErrorFamily) -> None:
        self.app = app
        self.service = service
        self.family = family
        self.root_path = settings.root_path
        self.max_body = settings.max_body_bytes
        self.max_header = settings.max_header_bytes
        self.request_log = settings.request_log
        self.correlation_name = (
            settings.correlation_header_name.lower().encode() if settings.correlation_header_enabled else None
        )
        self.correlation_pattern = re.compile(settings.correlation_header_pattern)
        self._durations = metrics.histogram(
            "http_server_request_seconds",
            "Time to answer a request",
            ("service", "method", "route", "status"),
        )
        self._observers: dict[tuple[str, str, int], object] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.root_path and scope["path"].startswith(self.root_path):
            scope["root_path"] = self.root_path
        exchange = _Exchange(self, scope, receive, send)
        token = logs.correlation_id.set(exchange.correlation_id)
        try:
            await exchange.run()
        finally:
            self._record(scope, exchange)
            logs.correlation_id.reset(token)

    def _record(self, scope: Scope, exchange: _Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        method: str = scope["method"]
        template = route_template(scope)
        key = (method if method in _METHODS else "other", template, exchange.status)
        observer = self._observers.get(key)
        if observer is None:
            observer = self._durations.labels(self.service, key[0], template, str(exchange.status)).observe
            self._observers[key] = observer
        observer(seconds)  # type: ignore[operator]
        if self.request_log:
            _log.info(
                "request",
                method=method,
                route=template,
                status=exchange.status,
                ms=round(seconds * 1000, 1),
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def route_template(scope: Scope) -> str:
    """The path as the matching route declares it, without values; :data:`UNMATCHED` when none matched."""
    template = scope.get(TEMPLATE_KEY)
    if template is None:
        included = scope.get("fastapi", {}).get("effective_route_context")
        template = getattr(included or scope.get("route"), "path", None)
    return template if isinstance(template, str) else UNMATCHED


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "correlation_id",
        "edge",
        "receive",
        "received",
        "refusal",
        "scope",
        "send",
        "started",
        "status",
    )

    def __init__(self, edge: EdgeMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        self.edge = edge
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started = time.perf_counter()
        self.status = 0
        self.received = 0
        self.refusal: Shape | None = None
        self.correlation_id = self._read_headers()

    def _read_headers(self) -> str:
        """One pass over the headers: sizes, the announced body length, the correlation id."""
        edge = self.edge
        correlation = None
        for name, value in self.scope["headers"]:
            if len(value) > edge.max_header:
                self.refusal = edge.family.too_large
            elif name == b"content-length":
                if not value.isdigit() or int(value) > edge.max_body:
                    self.refusal = edge.family.too_large
            elif name == edge.correlation_name and edge.correlation_pattern.fullmatch(
                value.decode("latin-1")
            ):
                correlation = value.decode("latin-1")
        # It names a request and protects nothing.
        return correlation or f"{getrandbits(128):032x}"

    async def run(self) -> None:
        if self.refusal is not None:
            await self._answer(self.refusal)
            return
        try:
            await self.edge.app(self.scope, self.receive_bounded, self.send_complete)
        except ClientDisconnect:
            self.status = self.status or CLIENT_GONE
        except Exception:
            _log.exception("unexpected error", route=route_template(self.scope))
            if self.status:
                raise
            await self._answer(self.edge.family.unexpected)

    async def receive_bounded(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            if self.received > self.edge.max_body:
                raise BodyTooLarge
        return message

    async def send_complete(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message.setdefault("headers", [])
            headers.append(_NO_SNIFF)
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(_NO_STORE)
            if self.edge.correlation_name is not None:
                headers.append((self.edge.correlation_name, self.correlation_id.encode("latin-1")))
        await self.send(message)

    async def _answer(self, shape: Shape) -> None:
        root: str = self.scope.get("root_path", "")
        path: str = self.scope["path"]
        context = ErrorContext(self.scope["method"], path.removeprefix(root) or "/")
        headers = _CLOSE if shape is self.edge.family.too_large else None
        await error_response(shape(context), headers)(self.scope, self.receive, self.send_complete)
