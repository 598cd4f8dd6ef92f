"""The hot calls answered before routing: the framework's route costs more than the call itself (design §8).

The calls stay ordinary routes, which document them and serve whatever this shortcut leaves alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from powerauth_core.answers import answer
from servicekit.errors import DataRefused, ErrorFamily, ErrorHandlers, ServiceError, Unavailable
from servicekit.wire import ObjectRequest

if TYPE_CHECKING:
    from powerauth_core.container import Core

_JSON = b"application/json"


class LeanCall:
    """One call: its request model and the service function that answers it."""

    def __init__(
        self, path: str, request: type[BaseModel], perform: Callable[[Core, Any], Awaitable[BaseModel]]
    ) -> None:
        """
        :param path: path inside the service
        :param perform: opens its own transaction
        """
        self.path = path
        self.perform = perform
        self.parse = TypeAdapter(ObjectRequest[request]).validate_json  # type: ignore[valid-type]


@dataclass(frozen=True, slots=True)
class _Template:
    """What the edge reads of a matched route, for its metrics."""

    path: str


class LeanCalls:
    """ASGI middleware in front of the router, behind authentication."""

    def __init__(self, app: ASGIApp, *, family: ErrorFamily, calls: Mapping[str, LeanCall]) -> None:
        """
        :param calls: by path inside the service
        """
        self.app = app
        self._handlers = ErrorHandlers(family)
        self._calls = {path: (call, _Template(path)) for path, call in calls.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and scope["method"] == "POST":
            root: str = scope.get("root_path", "")
            found = self._calls.get(scope["path"].removeprefix(root))
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

    async def _answer(self, call: LeanCall, request: BaseModel, scope: Scope) -> Response:
        try:
            return answer(await call.perform(scope["app"].state.core, request))
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
