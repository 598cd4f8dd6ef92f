"""Puts a service together: application, error envelope, edge, health, metrics, documentation; and runs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit import health as health_routes
from servicekit import tracing
from servicekit.documentation import add_documentation
from servicekit.doors import management_door, service_door
from servicekit.edge.middleware import EdgeMiddleware
from servicekit.edge.routing import RouteTable, answer_without_route, fields_built_late
from servicekit.errors import ErrorFamily, install_error_handlers
from servicekit.health import Check, ProcessVitals, Vitals
from servicekit.management import API_DOCS, document_elsewhere, management_routers
from servicekit.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]

_ERROR_SCHEMA = {
    "type": "object",
    "required": ["status", "responseObject"],
    "properties": {
        "status": {"const": "ERROR"},
        "responseObject": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        },
    },
}
_ERROR_RESPONSE = {
    "description": "Error",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}},
}


_FRAMEWORK: dict[str, Any] = {
    "docs_url": None,
    "redoc_url": None,
    "swagger_ui_oauth2_redirect_url": None,
    "redirect_slashes": False,
    # The framework's own would put what callers sent into records of failed requests.
    "telemetry": {"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
}
"""Of what the framework could do, what we do ourselves or not at all."""


class _Service(FastAPI):
    """Documents errors as the services really answer them, in place of the framework's own form."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The framework's own for requests, without a look at what it could measure (`_FRAMEWORK`)."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The framework's stack without its outermost layers: the edge answers unexpected errors, bounds
        bodies and counts, and every layer costs each request something.
        """
        handlers = {key: handler for key, handler in self.exception_handlers.items() if key is not Exception}
        stack: ASGIApp = ExceptionMiddleware(AsyncExitStackMiddleware(self.router), handlers=handlers)
        for layer, arguments, options in reversed(self.user_middleware):
            stack = layer(stack, *arguments, **options)
        return stack

    def openapi(self) -> dict[str, Any]:
        with fields_built_late():
            document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "ErrorEnvelope" not in schemas:
            schemas["ErrorEnvelope"] = _ERROR_SCHEMA
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            for item in document["paths"].values():
                for operation in item.values():
                    operation["responses"].pop("422", None)
                    operation["responses"].setdefault("default", _ERROR_RESPONSE)
        return document


def create_app(
    title: str,
    version: str,
    settings: ServiceSettings,
    family: ErrorFamily,
    lifespan: Lifespan | None = None,
    routers: Sequence[APIRouter] = (),
    readiness: Sequence[Check] = (),
    *,
    health: Sequence[Check] = (),
    lasting: Sequence[Check] = (),
    name: str | None = None,
    openapi_tags: list[dict[str, Any]] | None = None,
) -> FastAPI:
    """A service's application; what belongs on a management port is in ``app.state.management``.

    :param title: shown in the documentation
    :param health: checks of what the service owns; part of readiness too
    :param readiness: checks of what it needs from others
    :param lasting: checks of what it works without for a while, with health DEGRADED
    :param name: the service's name in ``/actuator/info`` and in metrics; ``title`` when absent
    """
    name = name or title
    managed = management_routers(name, version, settings)
    vitals = ProcessVitals(health, readiness, settings.health_cache_seconds, lasting)
    documented = API_DOCS if settings.swagger_enabled and settings.management_on_service_port else None
    app = _Service(
        title=title,
        version=version,
        lifespan=_traced(lifespan, name, version, settings) if settings.tracing_endpoint else lifespan,
        openapi_url=documented,
        openapi_tags=openapi_tags,
        **_FRAMEWORK,
    )
    beside = managed if settings.management_on_service_port else [health_routes.alive()]
    _take_routes(app, [*routers, *beside])
    if documented:
        add_documentation(app, API_DOCS)
    _complete(app, name, settings, family, vitals)
    if settings.management_port is not None:
        management = _Service(title=title, version=version, openapi_url=None, **_FRAMEWORK)
        _take_routes(management, managed)
        if settings.swagger_enabled:
            document_elsewhere(management, app, settings.root_path)
        _complete(management, name, settings, family, vitals, traced=False)
        app.state.management = management_door(management, settings, settings.management_port)
    return app


def add_door(
    app: FastAPI,
    settings: ServiceSettings,
    family: ErrorFamily,
    routers: Sequence[APIRouter],
    *,
    name: str,
    port: int,
    client_names: Iterable[str],
    host: str | None = None,
) -> FastAPI:
    """A further port of a service, with an application of its own, so that what the one serves the other does
    not know. The service's lifespan is that of both.

    :param name: as for the service
    :param client_names: in certificates of those that are let in
    :param host: where it listens; None: where the service does
    :return: the application
    """
    further = _Service(title=app.title, version=app.version, openapi_url=None, **_FRAMEWORK)
    _take_routes(further, [*routers, health_routes.alive()])
    _complete(further, name, settings, family, app.state.vitals)
    door = service_door(further, settings, host or settings.host, port, client_names)
    app.state.further_doors = (*getattr(app.state, "further_doors", ()), door)
    return further


def _traced(lifespan: Lifespan | None, name: str, version: str, settings: ServiceSettings) -> Lifespan:
    """The same, with spans of all that it does; of several services in one process the first one's settings
    hold.
    """
    from servicekit.trace_export import SdkRecorder  # noqa: PLC0415 - an optional extra

    made_of = (name, version, settings.traces_url, settings.tracing_sample_ratio)

    @asynccontextmanager
    async def traced(app: FastAPI) -> AsyncGenerator[Any]:
        own = None if tracing.is_on() else SdkRecorder(*made_of)
        if own is not None:
            tracing.use(own)
        try:
            async with lifespan(app) if lifespan else nullcontext() as state:
                yield state
        finally:
            if own is not None:
                tracing.use(None)
                await own.close()

    return traced


def _take_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """The routes as they are: the framework's own way makes each anew for every application."""
    for router in routers:
        app.router.routes.extend(router.routes)


def _complete(
    app: FastAPI,
    name: str,
    settings: ServiceSettings,
    family: ErrorFamily,
    vitals: Vitals,
    *,
    traced: bool = True,
) -> None:
    """What every application has around and in front of its routes."""
    app.state.vitals = vitals
    install_error_handlers(app, family)
    app.router.default = answer_without_route
    app.router.routes.insert(0, RouteTable(app))
    traced = traced and bool(settings.tracing_endpoint)
    app.add_middleware(EdgeMiddleware, service=name, settings=settings, family=family, traced=traced)


def serve(app: Any, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in progress within the grace period; in this
    process, or in as many as the settings want.

    Returns after such a stop, so that the process can end with status 0.

    :raises StartRefused: its configuration does not fit what it found
    :raises SystemExit: the application did not start
    """
    # An application that a test imports, or that another process embeds, needs no server.
    if settings.workers > 1:
        from servicekit.prefork.supervisor import supervise  # noqa: PLC0415

        supervise(app, settings)
    else:
        from servicekit.serving import serve_until_told  # noqa: PLC0415

        serve_until_told(app, settings)
