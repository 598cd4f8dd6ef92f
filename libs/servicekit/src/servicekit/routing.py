"""Finding the route of a request by one look-up.

The framework tries an application's routes one after the other, which for our larger services costs more
than the rest of the HTTP path together. Almost all our paths are constants: an index in front answers
those, everything else (path parameters, wrong methods, unknown paths) goes the framework's way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.errors import EXPECTED_ERRORS, ErrorFamily, ErrorHandlers

TEMPLATE_KEY = "servicekit.route"
"""Where a request's scope holds the declared path of its route, context path and values left out."""


@dataclass(frozen=True, slots=True)
class _Target:
    app: ASGIApp
    child_scope: dict[str, Any]
    direct: bool


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request and returns the answer, nothing else.

    It stands in the documentation and is matched like any other. Without parameters, dependencies and models
    there is nothing that the framework could do for it: :class:`DirectCalls` calls its endpoint at once.
    """


class DirectCalls:
    """ASGI middleware right inside the edge that answers :class:`DirectRoute` endpoints of constant paths.

    Whatever it does not know goes on to the framework. Only for an application whose routes need nothing of
    the middleware behind it.
    """

    def __init__(self, app: ASGIApp, *, family: ErrorFamily) -> None:
        self._app = app
        self._handlers = ErrorHandlers(family)
        self._targets: dict[tuple[str, str], _Target] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._targets is None:
            self._targets = {key: target for key, target in _targets(scope["app"]) if target.direct}
        path: str = scope["path"]
        target = self._targets.get((scope["method"], path.removeprefix(scope.get("root_path", ""))))
        if target is None:
            await self._app(scope, receive, send)
            return
        scope[TEMPLATE_KEY] = target.child_scope[TEMPLATE_KEY]
        request = Request(scope, receive)
        try:
            answer = await target.child_scope["endpoint"](request)
        except EXPECTED_ERRORS as error:
            answer = await self._handlers.answer(request, error)
        await answer(scope, receive, send)


class ExactRoutes(BaseRoute):
    """The first route of an application: knows every constant path of the others."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._targets: dict[tuple[str, str], _Target] | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A full match for a known method and path, else none."""
        if scope["type"] != "http":
            return Match.NONE, {}
        if self._targets is None:
            self._targets = dict(_targets(self._app))
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root and path.startswith(root):
            path = path[len(root) :]
        target = self._targets.get((scope["method"], path))
        if target is None:
            return Match.NONE, {}
        # The framework puts path parameters and state in there: each request gets its own.
        return Match.FULL, {**target.child_scope, "path_params": {}, _HANDLER_KEY: target.app}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the endpoint that :meth:`matches` found."""
        await scope[_HANDLER_KEY](scope, receive, send)


_HANDLER_KEY = "servicekit.handler"


def _targets(app: FastAPI) -> Iterator[tuple[tuple[str, str], _Target]]:
    """Every constant path. The first declaration wins, as it does in the framework."""
    seen = set()
    for route in _effective_routes(app):
        original = getattr(route, "original_route", route)
        if not isinstance(original, APIRoute) or route.app is None or "{" in route.path:
            continue
        for method in route.methods:
            key = (method, route.path)
            if key not in seen:
                seen.add(key)
                scope = {"endpoint": route.endpoint, "route": original, TEMPLATE_KEY: route.path}
                yield key, _Target(route.app, scope, isinstance(original, DirectRoute))


def _effective_routes(app: FastAPI) -> Iterator[Any]:
    for route in app.router.routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is not None:
            yield from contexts()
        elif isinstance(route, APIRoute):
            yield route
