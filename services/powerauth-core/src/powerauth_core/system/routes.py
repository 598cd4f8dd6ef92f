"""System calls: they touch no state (spec/core-api.md §4)."""

from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from powerauth_contracts.rest.system import ErrorList, ErrorModel, SystemStatus
from powerauth_contracts.wire import ObjectResponse
from powerauth_core import __version__
from powerauth_core.kernel.answers import answer
from powerauth_core.kernel.errors import SERVICE_ERRORS
from powerauth_core.system.ports import Running
from servicekit import clock
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(tags=["System"], route_class=JsonRoute)

BUILD_TIME = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC).replace(tzinfo=None)
"""When this code was installed."""

_ERRORS = ErrorList(errors=[ErrorModel(code=error.code, value=error.message) for error in SERVICE_ERRORS])
_INFO = "<!DOCTYPE html><html lang=en><title>PowerAuth Server</title><h1>PowerAuth Server</h1></html>"


@router.get("/", include_in_schema=False)
async def info_page() -> HTMLResponse:
    """A page for humans that says the server runs."""
    return HTMLResponse(_INFO)


@router.post("/rest/v3/status", response_model=ObjectResponse[SystemStatus])
async def status(ports: Running) -> JsonResponse:
    """Name and version of this installation."""
    settings = ports.settings
    return answer(
        SystemStatus(
            application_name=settings.application_name,
            application_display_name=settings.application_display_name,
            application_environment=settings.application_environment,
            version=settings.compatible_version,
            product_version=__version__,
            build_time=BUILD_TIME,
            timestamp=clock.now(),
        )
    )


@router.post("/rest/v3/error/list", response_model=ObjectResponse[ErrorList])
async def list_errors() -> JsonResponse:
    """All error codes with their messages; always English."""
    return answer(_ERRORS)
