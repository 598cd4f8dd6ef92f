"""The edge of every service: one plain ASGI middleware around the whole application.

It bounds bodies, headers and targets (D28), carries the correlation id, sets the security headers, counts and
logs each request, answers HEAD as GET without the body (RFC 9110 §9.3.2), and answers unexpected errors. One
middleware, because each further one costs every request a set of wrappers. Beside it stand what else takes a
request's messages in hand: `RunAgain` (D27), `PatientReceive` (D28).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Mapping
from contextvars import Token
from random import getrandbits

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit import logs, metrics, tracing, units
from servicekit.edge.routing import METHODS, TEMPLATE_KEY, allow_header
from servicekit.errors import UNREADABLE, ErrorContext, ErrorFamily, Shape, error_response, with_status
from servicekit.settings import ServiceSettings
from servicekit.targets import (
    MAX_TARGET_BYTES,
    MalformedTarget,
    canonical_path,
    path_in_service,
)

_log = logs.get_logger("request")

UNMATCHED = "unmatched"

_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_NO_STORE = (b"cache-control", b"no-store")
EDGE_KEY = "servicekit.edge"
"""Where a request's scope holds the `EdgeMiddleware` that it came through."""
CLIENT_GONE = 499
"""Status in log and metrics of a request whose client left before it was answered."""
_TRACEPARENT = tracing.HEADER.encode()
_MAX_DIGITS = 20
"""Of a content length; more are not worth a conversion."""
MAX_HEADERS = 100
MAX_HEADERS_BYTES = 64 * 1024
"""Of all names and values of a request together."""

_CLOSE = {"Connection": "close"}
"""A body that is not wanted is not read either: the connection cannot serve another request."""


MAX_AHEAD = 64 * 1024
"""Bytes of a body that are taken in before anybody asks for it."""
_FIRST_FAILURE = 400


_durations = metrics.histogram(
    "http_server_request_seconds",
    "Time to answer a request",
    {
        "service": metrics.SERVICE,
        "method": (*sorted(METHODS), "other"),
        "route": metrics.ROUTE,
        "status": metrics.STATUS,
    },
)


class BodyTooLarge(HTTPException):
    """More body arrived than allowed; raised into whoever was reading it."""

    def __init__(self) -> None:
        super().__init__(413, headers=_CLOSE)


class EdgeMiddleware:
    """See the module."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        settings: ServiceSettings,
        family: ErrorFamily,
        traced: bool = False,
    ) -> None:
        """
        :param traced: requests are steps of traces
        """
        self.app = app
        self.service = service
        self.family = family
        self.root_path = settings.root_path
        self.max_body = settings.max_body_bytes
        self._larger_bodies = settings.larger_bodies
        self.max_header = settings.max_header_bytes
        self.request_log = settings.request_log
        self.correlation_name = (
            settings.correlation_header_name.lower().encode() if settings.correlation_header_enabled else None
        )
        self.traced = traced
        self.trusts_traces = traced and settings.tracing_trust_incoming
        self.read_headers = {b"content-length", b"transfer-encoding", self.correlation_name}
        if self.trusts_traces:
            self.read_headers.add(_TRACEPARENT)
        self.correlation_pattern = re.compile(settings.correlation_header_pattern)
        self._observers: dict[tuple[str, str, int], object] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[EDGE_KEY] = self
        exchange = _Exchange(self, scope, receive, send)
        token = logs.correlation_id.set(exchange.correlation_id)
        trace = self.arrive(exchange.traceparent, scope["method"]) if self.traced else None
        try:
            await exchange.run()
        finally:
            self.record(scope["method"], route_template(exchange.scope), exchange.status, exchange.started)
            logs.correlation_id.reset(token)
            if trace is not None:
                tracing.leave(trace)

    def arrive(self, traceparent: str | None, method: str) -> Token[tracing.Span | None]:
        """Begin the span of a request, or of a call that came in one with others; `record` ends it.

        :return: gives back the span before
        """
        return tracing.arrive(traceparent, method if method in METHODS else "other")

    def too_large(self, size: int, path: str) -> bool:
        """Whether a body is larger than a path takes."""
        return size > self.max_body and size > self._larger_bodies.get(path.removeprefix(self.root_path), 0)

    def correlation_of(self, given: str | None) -> str:
        """The id that a caller gave to its call, or a new one where that is none."""
        if given is not None and self.correlation_name and self.correlation_pattern.fullmatch(given):
            return given
        # It names a request and protects nothing.
        return f"{getrandbits(128):032x}"

    def record(self, method: str, template: str, status: int, started: float) -> None:
        """Count and log a request, or a call that came in one with others.

        :param template: as `route_template` gives it
        :param started: by ``time.perf_counter()``
        """
        seconds = time.perf_counter() - started
        key = (method if method in METHODS else "other", template, status)
        observer = self._observers.get(key)
        if observer is None:
            observer = _durations.labels(self.service, key[0], template, str(status)).observe
            self._observers[key] = observer
        observer(seconds)  # type: ignore[operator]
        if self.traced:
            tracing.answered(key[0], None if template is UNMATCHED else template, status)
        if self.request_log:
            _log.info(
                "request",
                method=method,
                route=template,
                status=status,
                ms=round(seconds * 1000, 1),
            )


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
        "traceparent",
    )

    def __init__(self, edge: EdgeMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        self.edge = edge
        # The server looks at the method too, so HEAD becomes GET in a scope of our own.
        self.scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        self.receive = receive
        self.send = send if self.scope is scope else _without_body(send)
        self.started = time.perf_counter()
        self.status = 0
        self.received = 0
        self.refusal: Shape | None = None
        self.traceparent: str | None = None
        self.correlation_id = self._read_headers()
        self._read_target()

    def _read_headers(self) -> str:
        """One pass over the headers: sizes, the announced body length, the correlation id."""
        edge = self.edge
        headers = self.scope["headers"]
        correlation = None
        size = 0
        for name, value in headers:
            size += len(name) + len(value)
            if name not in edge.read_headers:
                continue
            if name == b"content-length":
                sound = value.isdigit() and len(value) <= _MAX_DIGITS
                if not sound or edge.too_large(int(value), self.scope["path"]):
                    self.refusal = edge.family.too_large
            elif name == b"transfer-encoding":
                if value.lower() != b"chunked":
                    self.refusal = edge.family.unimplemented
            elif name == _TRACEPARENT:
                self.traceparent = value.decode("latin-1")
            else:
                correlation = value.decode("latin-1")
        if size > edge.max_header and any(len(part) > edge.max_header for pair in headers for part in pair):
            self.refusal = edge.family.too_large
        if size > MAX_HEADERS_BYTES or len(headers) > MAX_HEADERS:
            self.refusal = with_status(edge.family.too_large, 431)
        return edge.correlation_of(correlation)

    def _read_target(self) -> None:
        """Bound the target, and give the path the form that routes see (:mod:`servicekit.targets`)."""
        scope, edge = self.scope, self.edge
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        if len(raw_path) + len(scope.get("query_string", b"")) > MAX_TARGET_BYTES:
            self.refusal = with_status(edge.family.too_large, 414)
            scope["path"] = "/"
        elif b"%" in raw_path:
            try:
                scope["path"] = canonical_path(raw_path)
            except MalformedTarget:
                self.refusal = _unreadable(edge.family)
        if edge.root_path and f"{scope['path']}/".startswith(f"{edge.root_path}/"):
            scope["root_path"] = edge.root_path

    async def run(self) -> None:
        if self.refusal is not None:
            await self._answer(self.refusal, _CLOSE)
            return
        if not self.scope["path"].startswith("/"):
            await self._answer_server()
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
            if self.edge.too_large(self.received, self.scope["path"]):
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

    async def _answer_server(self) -> None:
        """A request about the server as a whole, ``OPTIONS *`` (RFC 9110 §9.3.7), or for no path at all."""
        method: str = self.scope["method"]
        if method == "OPTIONS":
            answer = Response(headers={"Allow": allow_header(METHODS - {"TRACE"})})
            await answer(self.scope, self.receive, self.send_complete)
        elif method in METHODS:
            await self._answer(_unreadable(self.edge.family), _CLOSE)
        else:
            await self._answer(self.edge.family.unimplemented, _CLOSE)

    async def _answer(self, shape: Shape, headers: Mapping[str, str] | None = None) -> None:
        context = ErrorContext(self.scope["method"], path_in_service(self.scope) or "/")
        await error_response(shape(context), headers)(self.scope, self.receive, self.send_complete)


def _unreadable(family: ErrorFamily) -> Shape:
    return lambda context: family.validation(context, [UNREADABLE])


def _without_body(send: Send) -> Send:
    """What answers a HEAD request: the head of the answer to GET, content length included."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


class RunAgain:
    """ASGI middleware right in front of the router: :func:`servicekit.units.repeated` for whole requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unit, before = units.Unit(), dict(scope)
        run = _FirstRun(unit, receive, send)
        token = units.current.set(unit)
        try:
            await self._app(scope, run.receive, run.send)
            if run.withheld:
                scope.clear()
                scope.update(before)
                await self._app(scope, run.receive_again, send)
        finally:
            units.current.reset(token)


class _FirstRun:
    """Remembers what arrived, and withholds a failure that a second run may not have."""

    __slots__ = ("_receive", "_received", "_send", "_unit", "withheld")

    def __init__(self, unit: units.Unit, receive: Receive, send: Send) -> None:
        self._unit = unit
        self._receive = receive
        self._send = send
        self._received: deque[Message] = deque()
        self.withheld = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._received.append(message)
        return message

    async def receive_again(self) -> Message:
        return self._received.popleft() if self._received else await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= _FIRST_FAILURE:
            self.withheld = self._unit.may_run_again
        if not self.withheld:
            await self._send(message)


class PatientReceive:
    """An ASGI ``receive`` that notices the end of the connection before anybody asks for the body."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()

    async def __call__(self) -> Message:
        """The next message, as the server gave it."""
        return self._kept.popleft() if self._kept else await self._receive()

    async def disconnected(self) -> None:
        """Return when the client is gone; of a client that sends a long body it is not noticed."""
        ahead = 0
        while ahead <= MAX_AHEAD:
            message = await self._receive()
            self._kept.append(message)
            if message["type"] == "http.disconnect":
                return
            ahead += len(message.get("body", b""))
        await asyncio.Event().wait()
