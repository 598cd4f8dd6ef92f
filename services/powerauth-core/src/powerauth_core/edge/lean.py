"""The hot calls answered before routing: the framework's route costs more than the call itself (design §8).

The calls stay ordinary routes, which document them and serve whatever this shortcut leaves alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from powerauth_contracts.wire import JsonReader, ObjectRequest
from powerauth_core.kernel.answers import answer
from servicekit import logs, metrics, units
from servicekit.bundles import (
    CONTENT_TYPE,
    BundledCall,
    MalformedBundle,
    read_calls,
    refuse,
    write_answer,
)
from servicekit.edge.routing import ALLOWED_KEY, answer_without_route
from servicekit.errors import (
    DataRefused,
    ErrorContext,
    ErrorFamily,
    ErrorHandlers,
    ServiceError,
    Unavailable,
    error_response,
)
from servicekit.targets import path_in_service

DOOR = "/dmz/v1/"
BUNDLE_PATH = f"{DOOR}bundle"
_JSON = b"application/json"

log = logs.get_logger(__name__)
_calls = metrics.counter("bundled_calls", "Calls answered in bundles", ["route", "status"])


class LeanCall:
    """One call: its request model and the service function that answers it."""

    def __init__(
        self, path: str, request: type[BaseModel], perform: Callable[[Any, Any], Awaitable[BaseModel]]
    ) -> None:
        """
        :param path: path inside the service
        :param perform: opens its own transaction
        """
        self.path = path
        self.perform = perform
        self.parse = JsonReader(ObjectRequest[request])  # type: ignore[valid-type]


@dataclass(frozen=True, slots=True)
class _Template:
    """What the edge reads of a matched route, for its metrics."""

    path: str


_BUNDLE = _Template(BUNDLE_PATH)


class LeanCalls:
    """ASGI middleware in front of the router, behind authentication."""

    def __init__(self, app: ASGIApp, *, family: ErrorFamily, calls: Mapping[str, LeanCall]) -> None:
        """
        :param calls: by path inside the service
        """
        self.app = app
        self._family = family
        self._handlers = ErrorHandlers(family)
        self._calls = {path: (call, _Template(path)) for path, call in calls.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http":
            path = path_in_service(scope)
            if path == BUNDLE_PATH:
                await self._bundle(scope, receive, send)
                return
            if scope["method"] == "POST":
                found = self._calls.get(path)
        if found is None or not _is_json(scope):
            await self.app(scope, receive, send)
            return
        call, template = found
        body = await _body(receive)
        try:
            request = call.parse(body)
        except ValidationError:
            # The route words it.
            await self.app(scope, _again(body, receive), send)
            return
        scope["route"] = template
        await (await self._answer(call, request.request_object, scope))(scope, receive, send)

    async def _bundle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Several calls of the dmz door, each answered when it is done (spec/call-bundles.md §3)."""
        scope["route"] = _BUNDLE
        if scope["method"] != "POST":
            await self._other_method(scope, receive, send)
            return
        try:
            calls = read_calls(await _body(receive))
        except MalformedBundle:
            await PlainTextResponse("not a bundle", 400)(scope, receive, send)
            return
        headers = [(b"content-type", CONTENT_TYPE.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        pending = {asyncio.create_task(self._bundled(call, scope)) for call in calls}
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                body = b"".join([task.result() for task in done])
                await send({"type": "http.response.body", "body": body, "more_body": bool(pending)})
        finally:
            for task in pending:
                task.cancel()

    async def _other_method(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ALLOWED_KEY] = {"POST": None}
        try:
            await answer_without_route(scope, receive, send)
        except HTTPException as error:
            refused = await self._handlers.http_error(Request(scope), error)
            await refused(scope, receive, send)

    async def _bundled(self, bundled: BundledCall, scope: Scope) -> bytes:
        """The answer's line; a call that is not for bundles, or whose refusal the route words, is refused."""
        number, path, correlation_id, body = bundled
        call, _ = self._calls.get(path, (None, None))
        if call is None or not path.startswith(DOOR):
            return refuse(number)
        try:
            request = call.parse(body)
        except ValidationError:
            return refuse(number)
        if correlation_id is not None:
            logs.correlation_id.set(correlation_id)  # of this task alone
        try:
            answered = await self._answer(call, request.request_object, scope)
        except Exception:
            log.exception("unexpected error", route=path)
            context = ErrorContext(scope["method"], path)
            answered = error_response(self._family.unexpected(context))
        _calls.labels(path, str(answered.status_code)).inc()
        retry_after = answered.headers.get("retry-after")
        return write_answer(number, answered.status_code, retry_after, bytes(answered.body))

    async def _answer(self, call: LeanCall, request: BaseModel, scope: Scope) -> Response:
        try:
            return answer(await units.repeated(lambda: call.perform(scope["app"].state.core, request)))
        except ServiceError as error:
            return await self._handlers.service_error(Request(scope), error)
        except Unavailable as error:
            return await self._handlers.unavailable(Request(scope), error)
        except DataRefused as error:
            return await self._handlers.data_refused(Request(scope), error)


def _is_json(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return bool(value[: len(_JSON)] == _JSON)
    return False


async def _body(receive: Receive) -> bytes:
    """The whole body; the edge bounds its size."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` as it was before the body was read."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
