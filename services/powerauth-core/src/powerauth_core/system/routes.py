"""System calls: they touch no state (spec/core-api.md §4)."""

from datetime import UTC, datetime
from pathlib import Path

from starlette.responses import HTMLResponse

from powerauth_contracts.rest import system as contract
from powerauth_core import __version__
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.kernel.errors import SERVICE_ERRORS
from powerauth_core.system.ports import Ports
from servicekit import clock

router = CallRouter("System")

BUILD_TIME = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC).replace(tzinfo=None)
"""When this code was installed."""

_ERRORS = contract.ErrorList(
    errors=[contract.ErrorModel(code=error.code, value=error.message) for error in SERVICE_ERRORS]
)
_INFO = "<!DOCTYPE html><html lang=en><title>PowerAuth Server</title><h1>PowerAuth Server</h1></html>"


@router.get("/", include_in_schema=False)
async def info_page() -> HTMLResponse:
    """A page for humans that says the server runs."""
    return HTMLResponse(_INFO)


@router.answers(contract.STATUS)
async def status(ports: Ports, _: None) -> contract.SystemStatus:
    settings = ports.settings
    return contract.SystemStatus(
        application_name=settings.application_name,
        application_display_name=settings.application_display_name,
        application_environment=settings.application_environment,
        version=settings.compatible_version,
        product_version=__version__,
        build_time=BUILD_TIME,
        timestamp=clock.now(),
    )


@router.answers(contract.ERROR_LIST)
async def list_errors(_ports: Ports, _: None) -> contract.ErrorList:
    return _ERRORS
