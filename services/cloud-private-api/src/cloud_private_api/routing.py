"""The route class of this API: who calls comes first, then query and body, then the endpoint.

Every router uses it: no endpoint is reached without authentication and authorisation
(spec/cloud-api.md §1.4).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar, cast
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cloud_private_api.access.rules import Caller, Requirement, require, requirement_of
from cloud_private_api.auth.authenticator import Authenticator
from cloud_private_api.auth.login import Login
from cloud_private_api.errors import (
    CloudError,
    InvalidRequest,
    NotAcceptable,
    UnsupportedMediaType,
    Violation,
    invalid_request,
)
from powerauth_contracts.calls import Endpoint
from powerauth_protocol.common.json_text import read_first_json
from servicekit.answers import JsonResponse
from servicekit.callers import TrustedProxies
from servicekit.edge.middleware import PatientReceive
from servicekit.edge.routing import ALLOWED_KEY, TEMPLATE_KEY, JsonRequest, LateRoute
from servicekit.errors import input_problems

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Answering = TypeVar("Answering", bound=Callable[..., Any])

_ACCEPTABLE = frozenset({"application/json", "application/*", "*/*"})
_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")


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


class CloudRoute(LateRoute):
    """One endpoint: content negotiation, authentication, authorisation, then FastAPI's own handling.

    :cvar invalid_code: of what does not validate
    """

    invalid_code: str = InvalidRequest.code

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        requirement = requirement_of(self.path_format)
        reader = QueryReader(self.dependant)

        async def guarded(request: Request) -> Response:
            receive = PatientReceive(request.receive)
            asked = CloudRequest(request.scope, receive)
            asked.state.caller = await admitted(
                asked, receive, requirement, with_body=self.body_field is not None
            )
            try:
                asked.query = reader.read(asked.scope["query_string"])
                return await handle(asked)
            except RequestValidationError as error:
                refusal: CloudError = invalid_request(input_problems(error.errors()))
                refusal.code = self.invalid_code
                refusal.operation_id = self.operation_id
                raise refusal from None
            except CloudError as error:
                error.operation_id = self.operation_id
                raise

        return guarded


class CloudRouter(APIRouter):
    """Routes of one subject."""

    def __init__(self, tag: str, route_class: type[CloudRoute] = CloudRoute) -> None:
        """:param tag: under which the documentation lists them"""
        super().__init__(route_class=route_class, tags=[tag])
        self.fast: dict[Endpoint[Any, Any], Callable[..., Awaitable[Response]]] = {}

    def answers(self, call: Endpoint[Any, Any]) -> Callable[[Answering], Answering]:
        """Serve a call with the function that this decorates, a fast one in front of the framework too."""
        serve = self.api_route(
            call.path, methods=[call.method], operation_id=call.name, response_model=call.answer
        )

        def served(endpoint: Answering) -> Answering:
            if call.fast:
                self.fast[call] = endpoint
            return serve(endpoint)

        return served


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


async def admitted(
    request: CloudRequest, receive: PatientReceive, requirement: Requirement, *, with_body: bool
) -> Caller:
    """Who makes a request that may go on: known, allowed, and content with JSON both ways.

    :param receive: gives the messages of the request
    :param with_body: the endpoint reads a body
    :raises CloudError: it may not
    """
    caller = await authenticated(request, receive)
    require(requirement, caller, request.path_params.get("appId"))
    _check_accept(request.headers)
    if with_body:
        await _check_content_type(request)
    return caller


def _check_accept(headers: Headers) -> None:
    accept = headers.get("accept")
    if (
        accept
        and accept not in _ACCEPTABLE
        and _ACCEPTABLE.isdisjoint(part.partition(";")[0].strip().lower() for part in accept.split(","))
    ):
        raise NotAcceptable


async def _check_content_type(request: Request) -> None:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not declared or declared == "application/json" or declared.endswith("+json"):
        return
    if await request.body():
        raise UnsupportedMediaType


class _Ports(Protocol):
    """What tells who calls."""

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def proxies(self) -> TrustedProxies: ...


async def authenticated(request: Request, receive: PatientReceive) -> Caller:
    """Who makes a request whose messages come through ``receive``.

    :raises Unauthorized: nobody known
    :raises TooManyRequests: too many attempts
    """
    ports: _Ports = request.app.state.cloud
    return await ports.authenticator.authenticate(Login.of(request, receive, ports.proxies))


# A coroutine, because the framework runs plain functions in a thread.
async def _caller(request: Request) -> Caller:
    return cast(Caller, request.state.caller)


CallerDep = Annotated[Caller, Depends(_caller)]
"""Parameter type of a route: who makes this request."""


@dataclass(frozen=True, slots=True)
class Repeatable:
    """Annotation of a query parameter that is a list: it may be repeated.

    :ivar separator: what separates values of one occurrence too, if anything; inside a value it is encoded
    """

    separator: bytes | None = None


class QueryReader:
    """Reads the query of one endpoint (spec/cloud-api.md §1.2).

    The framework takes the last of several values in silence, and undecodable bytes for some character. Here
    a parameter that is no list stands once, and what is no percent-encoded UTF-8 is refused.
    """

    def __init__(self, dependant: Dependant) -> None:
        self._declared: Mapping[str, Repeatable | None] = {
            parameter.alias: next(
                (note for note in parameter.field_info.metadata if isinstance(note, Repeatable)), None
            )
            for parameter in dependant.query_params
        }

    def read(self, query: bytes) -> QueryParams:
        """The declared parameters; others are ignored.

        :raises InvalidRequest: a parameter stands twice that is no list, or is not percent-encoded UTF-8
        """
        pairs: list[tuple[str, str]] = []
        seen: set[str] = set()
        for item in query.split(b"&"):
            raw_name, _, raw_value = item.partition(b"=")
            name = _decoded(raw_name)
            if name is None or name not in self._declared:
                continue
            repeatable = self._declared[name]
            if name in seen and repeatable is None:
                raise InvalidRequest(Violation(name, "must not be repeated", parameter=True))
            seen.add(name)
            pairs += ((name, value) for value in _values(name, repeatable, raw_value))
        return QueryParams(pairs)


def _values(name: str, repeatable: Repeatable | None, raw_value: bytes) -> Iterator[str]:
    separator = None if repeatable is None else repeatable.separator
    for part in [raw_value] if separator is None else raw_value.split(separator):
        value = _decoded(part)
        if value is None:
            raise InvalidRequest(Violation(name, "must be percent-encoded UTF-8", parameter=True))
        yield value


def _decoded(raw: bytes) -> str | None:
    if _MALFORMED.search(raw):
        return None
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        return None
