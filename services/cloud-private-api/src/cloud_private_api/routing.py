"""The route class of this API: who calls comes first, then the body, then the endpoint.

Every router uses it: no endpoint is reached without authentication and authorisation
(spec/cloud-api.md §1.4).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cloud_private_api.access.rules import require, requirement_of
from cloud_private_api.callers import authenticated
from cloud_private_api.errors import CloudError, NotAcceptable, UnsupportedMediaType, invalid_request
from cloud_private_api.queries import QueryReader
from powerauth_contracts.calls import Endpoint
from powerauth_protocol.common.json_text import read_first_json
from servicekit.answers import JsonResponse
from servicekit.edge.middleware import PatientReceive
from servicekit.edge.routing import ALLOWED_KEY, TEMPLATE_KEY, JsonRequest
from servicekit.errors import input_problems

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Answering = TypeVar("Answering", bound=Callable[..., Any])

_ACCEPTABLE = frozenset({"application/json", "application/*", "*/*"})


class CloudRequest(JsonRequest):
    """A request whose JSON body may be followed by unread text (spec/cloud-api.md §1.2 item 14)."""

    query: QueryParams

    @property
    def query_params(self) -> QueryParams:
        """What the route has read."""
        return self.query

    @staticmethod
    def read(body: bytes) -> Any:
        """The first complete JSON value of the body.

        :raises JsonError: there is none
        """
        return read_first_json(body)


class CloudRoute(APIRoute):
    """One endpoint: content negotiation, authentication, authorisation, then FastAPI's own handling."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        requirement = requirement_of(self.path_format)
        reader = QueryReader(self.dependant)

        async def guarded(request: Request) -> Response:
            receive = PatientReceive(request.receive)
            asked = CloudRequest(request.scope, receive)
            caller = await authenticated(asked, receive)
            require(requirement, caller, asked.path_params.get("appId"))
            asked.state.caller = caller
            _check_accept(asked.headers)
            if self.body_field is not None:
                await _check_content_type(asked)
            try:
                asked.query = reader.read(asked.scope["query_string"])
                return await handle(asked)
            except RequestValidationError as error:
                refusal: CloudError = invalid_request(input_problems(error.errors()))
                refusal.operation_id = self.operation_id
                raise refusal from None
            except CloudError as error:
                error.operation_id = self.operation_id
                raise

        return guarded


class CloudRouter(APIRouter):
    """Routes of one subject."""

    def __init__(self, tag: str) -> None:
        """:param tag: under which the documentation lists them"""
        super().__init__(route_class=CloudRoute, tags=[tag])

    def answers(self, call: Endpoint[Any, Any]) -> Callable[[Answering], Answering]:
        """Serve a call with the function that this decorates."""
        return self.api_route(
            call.path, methods=[call.method], operation_id=call.name, response_model=call.answer
        )


def answer(model: BaseModel) -> Response:
    """A success: HTTP 200, the bare object, members without a value left out (spec/cloud-api.md §1.2)."""
    return JsonResponse(model, exclude_none=True)


def guard_paths_without_route(app: FastAPI) -> None:
    """A path that is unknown, or has no such method: even to learn that, one must log in, and have the right
    to call what the path has.

    What anybody may see (spec/cloud-api.md §1.4) tells everybody its methods too.
    """
    without_login = app.router.default

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            routes = scope[ALLOWED_KEY].values()
            if not routes or any(isinstance(route, CloudRoute) for route in routes):
                receive = PatientReceive(receive)
                request = Request(scope, receive)
                caller = await authenticated(request, receive)
                if routes:
                    require(requirement_of(scope[TEMPLATE_KEY]), caller, request.path_params.get("appId"))
        await without_login(scope, receive, send)

    app.router.default = guarded


def _check_accept(headers: Headers) -> None:
    accept = headers.get("accept")
    if accept and _ACCEPTABLE.isdisjoint(
        part.partition(";")[0].strip().lower() for part in accept.split(",")
    ):
        raise NotAcceptable


async def _check_content_type(request: Request) -> None:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not declared or declared == "application/json" or declared.endswith("+json"):
        return
    if await request.body():
        raise UnsupportedMediaType
