"""Finding the route of a request by one look-up, and what HTTP itself asks of every path.

The framework tries an application's routes one after the other, which for our larger services costs more
than the rest of the HTTP path together. It also takes a path apart after decoding it, and knows the methods
of one route only. A table in front of it knows all routes: constant paths by one look-up, others by their
segments, each decoded by itself (:mod:`servicekit.targets`); and it answers ``OPTIONS``, and 405 with all
methods of the path (RFC 9110 §9.3.7, §15.5.6).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from warnings import catch_warnings, simplefilter

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from powerauth_protocol.common.json_text import JsonError, read_json
from servicekit.loading import without
from servicekit.targets import name_of, path_in_service

TEMPLATE_KEY = "servicekit.route"
"""Where a request's scope holds the declared path of its route, context path and values left out."""
ALLOWED_KEY = "servicekit.allowed"
"""Where the scope of a request without a route holds its path's routes by method; empty: no such path."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
"""The methods that are known here; others are answered with 501 (RFC 9110 §9.1)."""


@dataclass(frozen=True, slots=True)
class _Target:
    route: Any
    """With an ``app``."""
    original: BaseRoute
    child_scope: dict[str, Any]
    names: tuple[tuple[int, str], ...]
    """Which segments are parameters."""

    def values(self, parts: list[str]) -> dict[str, str]:
        """The names that stand in the segments of a path."""
        return {name: name_of(parts[index]) for index, name in self.names}


class JsonRequest(Request):
    """A request whose JSON body is read as at every door (D26)."""

    async def json(self) -> Any:
        """The value of the body.

        :raises json.JSONDecodeError: it has none; the message says why
        """
        try:
            return self.read(await self.body())
        except JsonError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None

    @staticmethod
    def read(body: bytes) -> Any:
        """The value in these bytes.

        :raises JsonError: there is none
        """
        return read_json(body)


@contextmanager
def fields_built_late() -> Iterator[None]:
    """Around what builds fields of the framework. It looks up their aliases itself, and silences warnings of
    them where it makes a field; those of our models are built at first use.
    """
    with catch_warnings():
        simplefilter("ignore", UnsupportedFieldAttributeWarning)
        yield


class LateRoute(APIRoute):
    """A route of the framework that is analysed at its first request, or for the API's document.

    To analyse a function and build its models is most of what a route costs, in time and memory, and a
    service has hundreds of them.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        late: Callable[[], Mapping[str, Any]] = dict,
        **declared: Any,
    ) -> None:
        """
        :param late: gives more of what is declared, if that is made of models too
        :param declared: as of the framework's route
        """
        self.path = path
        self.endpoint = endpoint
        self.methods = set(declared.get("methods") or ["GET"])
        # What is no JSON is found out by whoever reads it.
        declared |= {"path": path, "endpoint": endpoint, "strict_content_type": False}
        self._declare: Callable[[], dict[str, Any]] | None = lambda: {**declared, **late()}

    def __getattr__(self, name: str) -> Any:
        # Asked for what is not there yet.
        declare = self.__dict__.get("_declare")
        if declare is None:
            raise AttributeError(name)
        self._declare = None
        self._analyse(declare())
        return getattr(self, name)

    def _analyse(self, declared: Mapping[str, Any]) -> None:
        with without("pydantic.v1"):  # the models of old, which the framework still looks for
            super().__init__(**declared)
        with fields_built_late():
            for made in (self.body_field, *self.dependant.query_params):
                if made is not None:
                    made.validate(None)


class JsonRoute(LateRoute):
    """A route that reads its JSON body as at every door."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler."""
        handle = super().get_route_handler()

        async def read(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return read


@dataclass(slots=True)
class _Segment:
    """What may follow after some segments of a path."""

    literal: dict[str, _Segment] = field(default_factory=dict)
    parameter: _Segment | None = None
    targets: dict[str, _Target] = field(default_factory=dict)
    """By method, if a path may end here."""

    def add(self, path: str, method: str, target: _Target) -> None:
        """The first declaration wins, as it does in the framework."""
        node = self
        for part in path.split("/"):
            if part.startswith("{"):
                node.parameter = node.parameter or _Segment()
                node = node.parameter
            else:
                node = node.literal.setdefault(part, _Segment())
        node.targets.setdefault(method, target)

    def find(self, parts: list[str], index: int = 0) -> Iterator[Mapping[str, _Target]]:
        """The targets of every template that fits, literal segments before parameters."""
        if index == len(parts):
            yield self.targets
            return
        following = self.literal.get(parts[index])
        if following is not None:
            yield from following.find(parts, index + 1)
        if self.parameter is not None and parts[index]:
            yield from self.parameter.find(parts, index + 1)


class RouteTable(BaseRoute):
    """The first and only route that the framework asks: knows all others.

    A request without a route goes to the router's ``default``, with :data:`ALLOWED_KEY` set.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._constant: dict[tuple[str, str], _Target] | None = None
        self._root = _Segment()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A full match for every request."""
        if scope["type"] != "http":
            return Match.NONE, {}
        if self._constant is None:
            self._constant = self._index()
        path = path_in_service(scope)
        method: str = scope["method"]
        target = self._constant.get((method, path))
        if target is not None:
            return Match.FULL, _child_scope(target, {})
        parts = path.split("/")
        allowed: dict[str, _Target] = {}
        for found in self._root.find(parts):
            for known, target in found.items():
                allowed.setdefault(known, target)
        target = allowed.get(method)
        if target is None:
            return Match.FULL, self._without_route(allowed, parts)
        return Match.FULL, _child_scope(target, target.values(parts))

    def _without_route(self, allowed: Mapping[str, _Target], parts: list[str]) -> Scope:
        scope: dict[str, Any] = {
            ALLOWED_KEY: {method: target.original for method, target in allowed.items()},
            _HANDLER_KEY: self._app.router.default,
        }
        for target in allowed.values():
            scope[TEMPLATE_KEY] = target.child_scope[TEMPLATE_KEY]
            scope["path_params"] = target.values(parts)
            break
        return scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the endpoint that :meth:`matches` found."""
        await scope[_HANDLER_KEY](scope, receive, send)

    def _index(self) -> dict[tuple[str, str], _Target]:
        constant: dict[tuple[str, str], _Target] = {}
        for path, method, target in _targets(self._app):
            self._root.add(path, method, target)
            if not target.names:
                constant.setdefault((method, path), target)
        return constant


_HANDLER_KEY = "servicekit.handler"


async def answer_without_route(scope: Scope, receive: Receive, send: Send) -> None:
    """What a request is answered that no route takes: the methods of its path, or an error.

    :raises HTTPException: 404, 405 or 501
    """
    if scope["method"] not in METHODS:
        raise HTTPException(501)
    allowed: Mapping[str, object] = scope[ALLOWED_KEY]
    if not allowed:
        raise HTTPException(404)
    headers = {"Allow": allow_header(allowed)}
    if scope["method"] != "OPTIONS":
        raise HTTPException(405, headers=headers)
    await Response(headers=headers)(scope, receive, send)


def allow_header(methods: Collection[str]) -> str:
    """The value of ``Allow`` for a path whose routes have these methods."""
    implied = {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    return ", ".join(sorted(implied.union(methods)))


def declared(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Path template and method of every route of an application; HEAD and OPTIONS are nobody's own."""
    for path, method, _ in _targets(app):
        yield path, method


def _child_scope(target: _Target, values: dict[str, str]) -> Scope:
    # The framework puts path parameters and state in there: each request gets its own.
    return {**target.child_scope, "path_params": values, _HANDLER_KEY: target.route.app}


def _targets(app: FastAPI) -> Iterator[tuple[str, str, _Target]]:
    """Every route as path, method and target, in the order of declaration; HEAD is GET's."""
    for route, original in _effective_routes(app):
        scope = {"endpoint": route.endpoint, "route": original, TEMPLATE_KEY: route.path}
        names = tuple(_parameters(route.path))
        target = _Target(route, original, scope, names)
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            yield route.path, method, target


def _parameters(path: str) -> Iterator[tuple[int, str]]:
    """Position and name of the segments that are parameters.

    :raises ValueError: a template whose parameters are not whole segments of any text
    """
    for index, part in enumerate(path.split("/")):
        if "{" in part:
            if not (part[0] == "{" and part[-1] == "}" and part[1:-1].isidentifier()):
                raise ValueError(f"parameters are whole segments here: {path}")
            yield index, part[1:-1]


def _effective_routes(app: FastAPI) -> Iterator[tuple[Any, BaseRoute]]:
    """What serves, and the route that was declared: another one inside a router within a router only."""
    for route in app.router.routes:
        if isinstance(route, Route):
            yield route, route
            continue
        contexts = getattr(route, "effective_route_contexts", tuple)
        yield from ((context.starlette_route or context, context.original_route) for context in contexts())
