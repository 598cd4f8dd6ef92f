"""Hot calls answered in front of the framework, whose route costs more than the call itself (design §8).

They stay ordinary routes, which document them and serve whatever the fast edge leaves alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from powerauth_contracts.wire import JsonReader, ObjectRequest
from servicekit.edge.routing import TEMPLATE_KEY
from servicekit.errors import EXPECTED_ERRORS, ErrorFamily, ErrorHandlers
from servicekit.targets import name_of, path_in_service

Endpoint = Callable[[Request], Awaitable[Response]]
"""Takes a request and gives its answer, nothing else."""
Endpoints = Mapping[tuple[str, str], Endpoint]
"""By method and path inside the service; its last segment may be a parameter, in braces."""
Perform = Callable[[Any, Any], Awaitable[Response]]
"""Gives the answer of an application to what a request's model holds."""

_JSON = b"application/json"
_JSON_WITH_PARAMETERS = (b"application/json;", b"application/json ")


class LeftToRoute(Exception):
    """This request is one for the framework.

    :ivar receive: gives the request as it came
    """

    def __init__(self, receive: Receive) -> None:
        super().__init__()
        self.receive = receive


class FastEdge:
    """ASGI middleware that answers by one look-up what stands in its table, and hands on everything else.

    What an endpoint raises is worded as behind the framework. Nothing that a request must pass may stand
    behind it.
    """

    def __init__(self, app: ASGIApp, *, family: ErrorFamily, endpoints: Endpoints) -> None:
        self._app = app
        self._handlers = ErrorHandlers(family)
        self._endpoints = endpoints
        self._templates = _templates(endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._find(scope) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        answer: ASGIApp
        try:
            answer = await endpoint(request)
        except LeftToRoute as left:
            answer, receive = self._app, left.receive
        except EXPECTED_ERRORS as error:
            answer = await self._handlers.answer(request, error)
        await answer(scope, receive, send)

    def _find(self, scope: Scope) -> Endpoint | None:
        method, path = scope["method"], path_in_service(scope)
        endpoint = self._endpoints.get((method, path))
        if endpoint is not None:
            scope[TEMPLATE_KEY] = path
            return endpoint
        parent, _, last = path.rpartition("/")
        template = self._templates.get((method, parent))
        if template is None or not last:
            return None
        scope[TEMPLATE_KEY] = template.path
        scope["path_params"] = {template.name: name_of(last)}
        return template.endpoint


class _Template(NamedTuple):
    path: str
    name: str
    endpoint: Endpoint


def _templates(endpoints: Endpoints) -> Mapping[tuple[str, str], _Template]:
    """What is below a path, by method and path."""
    found = {}
    for (method, path), endpoint in endpoints.items():
        parent, _, last = path.rpartition("/")
        if last.startswith("{"):
            found[method, parent] = _Template(path, last[1:-1], endpoint)
    return found


class ObjectCall:
    """A call with ``{"requestObject": …}``: read by one look at its model.

    :ivar perform: opens its own transaction
    """

    def __init__(self, request: type[BaseModel], perform: Perform) -> None:
        """
        :param request: what the object is
        """
        self.perform = perform
        self._read = JsonReader(ObjectRequest[request])  # type: ignore[valid-type]

    def read(self, body: bytes) -> Any:
        """The object in a body.

        :raises ValidationError: there is none
        """
        return self._read(body).request_object

    async def answer(self, request: Request) -> Response:
        """The answer to a request of its own.

        :raises LeftToRoute: the body is not such an object; the route says why
        """
        scope, receive = request.scope, request.receive
        if not is_json(scope):
            raise LeftToRoute(receive)
        body = await whole_body(receive)
        try:
            wanted = self._read(body).request_object
        except ValidationError:
            raise LeftToRoute(again(body, receive)) from None
        return await self.perform(scope["app"], wanted)


def endpoints_of(routers: Iterable[APIRouter]) -> Endpoints:
    """The endpoints at constant paths of routers whose endpoints take the request and give the answer.

    :raises TypeError: an endpoint wants more of the framework
    """
    endpoints: dict[tuple[str, str], Endpoint] = {}
    for route in (route for router in routers for route in router.routes):
        if not isinstance(route, APIRoute) or "{" in route.path:
            continue
        asked = route.dependant
        if asked.body_params or asked.query_params or asked.header_params or asked.dependencies:
            raise TypeError(f"{route.path} is not for the fast edge")
        for method in route.methods or ():
            endpoints.setdefault((method, route.path), route.endpoint)
    return endpoints


def is_json(scope: Scope) -> bool:
    """Whether a request says that its body is JSON; the route judges other words for it."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return bool(value == _JSON or value.startswith(_JSON_WITH_PARAMETERS))
    return False


async def whole_body(receive: Receive) -> bytes:
    """What the framework's own reading gives, which takes longer.

    :raises ClientDisconnect: the client left before it was complete
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
    return body


def again(body: bytes, receive: Receive) -> Receive:
    """`receive` as it was before the body was read."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
