"""Routes of the calls that a contract's table names, and the form of their answers (spec/core-api.md §1)."""

from collections.abc import Awaitable, Callable
from functools import partial
from types import NoneType
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from powerauth_contracts.calls import Call, Content, Requested
from powerauth_contracts.wire import ObjectRequest, ObjectResponse, StatusResponse, to_json
from servicekit import units
from servicekit.answers import JsonResponse
from servicekit.edge.fast import Perform
from servicekit.edge.routing import JsonRoute

Request = TypeVar("Request", bound=Requested)
Answer = TypeVar("Answer", bound=Content)
Handler = Callable[[Any, Request], Awaitable[Answer]]
"""Takes the ports of its room and the request's model."""

_OK = b'{"status":"OK"}'
_OPEN = b'{"status":"OK","responseObject":'
_CLOSE = b"}"


def answer(content: Content | BaseModel) -> JsonResponse:
    """``{"status":"OK","responseObject":…}``: an object, members that are None written as ``null``, a bare
    array, or for None no ``responseObject`` at all.
    """
    if isinstance(content, BaseModel):
        return JsonResponse(_OPEN + to_json(content) + _CLOSE)
    if content is None:
        return JsonResponse(_OK)
    return JsonResponse(_OPEN + b"[" + b",".join(map(to_json, content)) + b"]" + _CLOSE)


def performing(handler: Handler[Any, Any]) -> Perform:
    """The handler as the fast edge calls it: with the application and the request's model, for an answer."""

    async def perform(app: Any, request: Any) -> Response:
        core = app.state.core
        return answer(await units.repeated(lambda: handler(core, request)))

    return perform


async def _running(request: HttpRequest) -> Any:
    # A coroutine, because plain dependencies run in a thread.
    return request.app.state.core


_Running = Annotated[Any, Depends(_running)]


class CallRouter(APIRouter):
    """Routes of one subject.

    :ivar handlers: what answers each of its calls
    """

    def __init__(self, tag: str) -> None:
        """:param tag: under which the documentation lists them"""
        super().__init__(tags=[tag])
        self.handlers: dict[Call[Any, Any], Handler[Any, Any]] = {}

    def answers(
        self, call: Call[Request, Answer]
    ) -> Callable[[Handler[Request, Answer]], Handler[Request, Answer]]:
        """Serve a call with the function that this decorates."""

        def serve(handler: Handler[Request, Answer]) -> Handler[Request, Answer]:
            self.handlers[call] = handler
            route = JsonRoute(
                call.path,
                handler,
                late=partial(_of_models, call, handler),
                methods=["POST"],
                tags=self.tags,
                description=call.meaning,
                name=handler.__name__,
            )
            self.routes.append(route)
            return handler

        return serve


def _of_models(call: Call[Any, Any], handler: Handler[Any, Any]) -> dict[str, Any]:
    return {"endpoint": _endpoint(call, handler), "response_model": _written(call.answer)}


def _written(content: Any) -> Any:
    return StatusResponse if content is NoneType else ObjectResponse[content]


def _endpoint(call: Call[Any, Any], handler: Handler[Any, Any]) -> Callable[..., Awaitable[JsonResponse]]:
    if call.request is NoneType:

        async def without_request(ports: _Running) -> JsonResponse:
            return answer(await handler(ports, None))

        return without_request

    async def answered(ports: _Running, body: ObjectRequest[call.request]) -> JsonResponse:  # type: ignore[name-defined]
        return answer(await handler(ports, body.request_object))

    return answered
