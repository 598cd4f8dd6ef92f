"""Routes of the calls of the contract's table (spec/push-api.md §2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import NoneType
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel
from starlette.requests import Request as HttpRequest

from powerauth_contracts.push.calls import IDEMPOTENCY_HEADER, PageQuery, PushCall
from powerauth_contracts.wire import ObjectRequest, ObjectResponse, StatusResponse, to_json
from powerauth_push.callers.rules import Caller
from powerauth_push.statements.rules import Subject
from powerauth_push.statements.service import asker_of
from servicekit.answers import JsonResponse
from servicekit.edge.routing import JsonRoute

T = TypeVar("T")
Content = BaseModel | Sequence[BaseModel] | None
Handler = Callable[[Any, "Asked[Any]"], Awaitable[Content]]

_LARGEST_ID = 2**31 - 1
_OK = b'{"status":"OK"}'


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """A request, read.

    :ivar content: the request's model
    :ivar caller: who sent it
    :ivar subject: whom the core's statement names, if there came one
    :ivar number: of the campaign in the path
    :ivar idempotency_key: as sent
    """

    content: T
    caller: Caller
    subject: Subject | None = None
    number: int = 0
    idempotency_key: str | None = None


def answer(content: Content, page: PageQuery | None = None) -> JsonResponse:
    """``{"status":"OK","responseObject":…}`` without members that are None; of None alone the status."""
    if content is None:
        return JsonResponse(_OK)
    head = b'{"status":"OK",'
    if page is not None:
        head += b'"page":%d,"size":%d,' % (page.number, page.length)
    return JsonResponse(head + b'"responseObject":' + _written(content) + b"}")


def _written(content: BaseModel | Sequence[BaseModel]) -> bytes:
    if isinstance(content, BaseModel):
        return to_json(content, exclude_none=True)
    return b"[" + b",".join(_written(item) for item in content) + b"]"


async def _asked(request: HttpRequest) -> Asked[None]:
    # A coroutine, because plain dependencies run in a thread.
    caller, subject = await asker_of(request)
    return Asked(None, caller, subject, idempotency_key=request.headers.get(IDEMPOTENCY_HEADER))


async def _running(request: HttpRequest) -> Any:
    return request.app.state.push


_Bare = Annotated[Asked[None], Depends(_asked)]
_Running = Annotated[Any, Depends(_running)]
_Number = Annotated[int, Path(alias="id", ge=0, le=_LARGEST_ID)]


class PushRouter(APIRouter):
    """Routes of one subject."""

    def __init__(self, tag: str) -> None:
        """:param tag: under which the documentation lists them"""
        super().__init__(tags=[tag])

    def answers(self, call: PushCall[Any, Any]) -> Callable[[Handler], Handler]:
        """Serve a call with the function that this decorates."""

        def serve(handler: Handler) -> Handler:
            for method in call.methods:
                route = JsonRoute(
                    call.path,
                    handler,
                    late=partial(_of_models, call, handler),
                    methods=[method],
                    tags=self.tags,
                    description=call.meaning,
                    name=handler.__name__,
                    operation_id=_operation_id(method, call.path),
                )
                self.routes.append(route)
            return handler

        return serve


def _operation_id(method: str, path: str) -> str:
    return method.lower() + path.replace("/", "_").replace("{id}", "id").replace("-", "_")


def _of_models(call: PushCall[Any, Any], handler: Handler) -> dict[str, Any]:
    return {"endpoint": _endpoint(call, handler), "response_model": _documented(call.answer)}


def _documented(content: Any) -> Any:
    return StatusResponse if content is NoneType else ObjectResponse[content]


def _endpoint(call: PushCall[Any, Any], handler: Handler) -> Callable[..., Awaitable[JsonResponse]]:
    """The framework's function for a call: with or without a number in the path, and a request."""

    async def answered(ports: Any, asked: Asked[Any]) -> JsonResponse:
        page = asked.content if call.paged else None
        return answer(await handler(ports, asked), page)

    numbered = "{id}" in call.path
    if call.request is NoneType:
        return _without_request(answered, numbered)
    request: Any = _request_of(call)

    async def with_request(ports: _Running, bare: _Bare, body: request) -> JsonResponse:
        return await answered(ports, _filled(call, bare, body))

    async def with_both(ports: _Running, bare: _Bare, number: _Number, body: request) -> JsonResponse:
        return await answered(ports, _filled(call, bare, body, number))

    chosen: Any = with_both if numbered else with_request
    chosen.__annotations__["body"] = request
    return chosen  # type: ignore[no-any-return]


def _without_request(
    answered: Callable[[Any, Asked[Any]], Awaitable[JsonResponse]], numbered: bool
) -> Callable[..., Awaitable[JsonResponse]]:
    async def with_number(ports: _Running, bare: _Bare, number: _Number) -> JsonResponse:
        return await answered(ports, Asked(None, bare.caller, bare.subject, number))

    async def alone(ports: _Running, bare: _Bare) -> JsonResponse:
        return await answered(ports, bare)

    return with_number if numbered else alone


def _request_of(call: PushCall[Any, Any]) -> Any:
    if call.reads == "query":
        return Annotated[call.request, Query()]
    return ObjectRequest[call.request] if call.reads == "envelope" else call.request  # type: ignore[name-defined]


def _filled(call: PushCall[Any, Any], bare: Asked[None], body: Any, number: int = 0) -> Asked[Any]:
    content = body.request_object if call.reads == "envelope" else body
    return Asked(content, bare.caller, bare.subject, number, bare.idempotency_key)
