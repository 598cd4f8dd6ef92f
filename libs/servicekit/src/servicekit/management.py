"""What operators and platforms read, apart from what callers call (spec/cloud-api.md §17).

Metrics, health in detail, versions and the API document help an attacker and cost work. With a management
port they are served there and nowhere else; in production without one, nowhere. The service's own port then
only tells that the process answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from servicekit import health as health_routes
from servicekit import metrics
from servicekit.documentation import add_documentation
from servicekit.health import Check
from servicekit.settings import ServiceSettings

API_DOCS = "/v3/api-docs"


def management_routers(
    name: str, version: str, settings: ServiceSettings, health: Sequence[Check], readiness: Sequence[Check]
) -> list[APIRouter]:
    """Health, and metrics where they are enabled.

    :param health: checks of what the service owns
    :param readiness: checks of what it needs beside that
    """
    routers = [health_routes.router(name, version, health, readiness, settings.health_cache_seconds)]
    if settings.metrics_enabled:
        routers.append(metrics.router())
    return routers


def document_elsewhere(management: FastAPI, service: FastAPI, root_path: str) -> None:
    """Serve the API document of a service and its page from another application."""

    async def document(_request: Request) -> JSONResponse:
        return JSONResponse({**service.openapi(), "servers": [{"url": root_path or "/"}]})

    management.add_route(API_DOCS, document, include_in_schema=False)
    add_documentation(management, API_DOCS)


@dataclass(frozen=True, slots=True)
class Management:
    """What a service wants served on its management port."""

    app: FastAPI
    host: str
    port: int
    settings: ServiceSettings


def management_of(app: FastAPI) -> Management | None:
    """An application's part on a management port; None: it has none."""
    return getattr(app.state, "management", None)
