"""What operators and platforms read, apart from what callers call (spec/cloud-api.md §17).

Metrics, health in detail, versions and the API document help an attacker and cost work. With a management
port they are served there and nowhere else; in production without one, nowhere. The service's own port then
only tells that the process answers.
"""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from servicekit import health as health_routes
from servicekit import metrics
from servicekit.documentation import add_documentation
from servicekit.edge.routing import LateRoute
from servicekit.health import vitals_of
from servicekit.settings import ServiceSettings

API_DOCS = "/v3/api-docs"


def management_routers(name: str, version: str, settings: ServiceSettings) -> list[APIRouter]:
    """Health, and metrics where they are enabled."""
    routers = [health_routes.router(name, version)]
    if settings.metrics_enabled:
        routers.append(_metrics_router())
    return routers


def _metrics_router() -> APIRouter:
    """``/metrics`` and ``/actuator/prometheus``, both in Prometheus' text form."""
    routes = APIRouter(route_class=LateRoute)

    @routes.get("/metrics", include_in_schema=False)
    @routes.get("/actuator/prometheus", include_in_schema=False)
    async def scrape(request: Request) -> Response:
        content = metrics.exposition(await vitals_of(request.app).figures())
        return Response(content, headers={"content-type": metrics.CONTENT_TYPE})

    return routes


def document_elsewhere(management: FastAPI, service: FastAPI, root_path: str) -> None:
    """Serve the API document of a service and its page from another application."""

    async def document(_request: Request) -> JSONResponse:
        return JSONResponse({**service.openapi(), "servers": [{"url": root_path or "/"}]})

    management.add_route(API_DOCS, document, include_in_schema=False)
    add_documentation(management, API_DOCS)
