"""Routes of the calls that a contract's table names."""

from collections.abc import Awaitable, Callable
from types import NoneType
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends

from powerauth_contracts.calls import Call, Content, Requested
from powerauth_contracts.wire import ObjectRequest, ObjectResponse, StatusResponse
from powerauth_core.kernel.answers import answer
from powerauth_core.kernel.ports import running
from servicekit.answers import JsonResponse
from servicekit.edge.routing import JsonRoute

Request = TypeVar("Request", bound=Requested)
Answer = TypeVar("Answer", bound=Content)
Handler = Callable[[Any, Request], Awaitable[Answer]]
"""Takes the ports of its room and the request's model."""

_Running = Annotated[Any, Depends(running)]


class CallRouter(APIRouter):
    """Routes of one subject."""

    def __init__(self, tag: str) -> None:
        """:param tag: under which the documentation lists them"""
        super().__init__(tags=[tag], route_class=JsonRoute)

    def answers(
        self, call: Call[Request, Answer]
    ) -> Callable[[Handler[Request, Answer]], Handler[Request, Answer]]:
        """Serve a call with the function that this decorates."""

        def serve(handler: Handler[Request, Answer]) -> Handler[Request, Answer]:
            self.add_api_route(
                call.path,
                _endpoint(call, handler),
                methods=["POST"],
                response_model=_written(call.answer),
                description=call.meaning,
                name=handler.__name__,
            )
            return handler

        return serve


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
