"""Puts a service together: application, error envelope, edge, health, metrics, documentation; and runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse

from servicekit import health as health_routes
from servicekit import metrics
from servicekit.errors import ErrorFamily, install_error_handlers
from servicekit.health import Check
from servicekit.middleware import EdgeMiddleware
from servicekit.routing import ExactRoutes
from servicekit.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]

API_DOCS = "/v3/api-docs"


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
    name: str | None = None,
    openapi_tags: list[dict[str, Any]] | None = None,
) -> FastAPI:
    """A service's application.

    :param title: shown in the documentation
    :param health: checks of what the service owns; part of readiness too
    :param readiness: checks of what it needs from others
    :param name: the service's name in ``/actuator/info`` and in metrics; ``title`` when absent
    """
    name = name or title
    app = FastAPI(
        title=title,
        version=version,
        lifespan=lifespan,
        openapi_url=API_DOCS if settings.swagger_enabled else None,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        openapi_tags=openapi_tags,
        redirect_slashes=False,
        strict_content_type=False,
    )
    install_error_handlers(app, family)
    for router in routers:
        app.include_router(router)
    app.include_router(health_routes.router(name, version, health, readiness))
    if settings.metrics_enabled:
        app.include_router(metrics.router())
    if settings.swagger_enabled:
        _add_documentation(app)
    app.router.routes.insert(0, ExactRoutes(app))
    app.add_middleware(EdgeMiddleware, service=name, settings=settings, family=family)
    return app


def _add_documentation(app: FastAPI) -> None:
    @app.get("/swagger-ui", include_in_schema=False)
    @app.get("/swagger-ui/index.html", include_in_schema=False)
    async def swagger_ui(request: Request) -> HTMLResponse:
        root: str = request.scope.get("root_path", "").rstrip("/")
        return get_swagger_ui_html(openapi_url=root + API_DOCS, title=app.title)


def serve(app: Any, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in progress within the grace period."""
    # An application that a test imports, or that another process embeds, needs no server.
    import uvicorn  # noqa: PLC0415

    from servicekit.serving import server_options  # noqa: PLC0415

    uvicorn.run(app, host=settings.host, port=settings.port, loop="uvloop", **server_options(settings))
