"""HTTP side of the status call (spec/push-api.md §18)."""

from __future__ import annotations

from starlette.responses import HTMLResponse

from powerauth_contracts.push import system as contract
from powerauth_push.parts import WithSettings
from powerauth_push.routing import Asked, PushRouter
from powerauth_push.version import BUILD_TIME, VERSION
from servicekit import clock

router = PushRouter("Service")

_INFO = (
    "<!DOCTYPE html><html lang=en><title>PowerAuth Push Server</title><h1>PowerAuth Push Server</h1></html>"
)


@router.get("/", include_in_schema=False)
async def info_page() -> HTMLResponse:
    """A page for humans that says the server runs."""
    return HTMLResponse(_INFO)


@router.answers(contract.STATUS)
async def service_status(ports: WithSettings, _: Asked[None]) -> contract.ServiceStatus:
    settings = ports.settings
    return contract.ServiceStatus(
        application_name=settings.application_name,
        application_display_name=settings.application_display_name,
        application_environment=settings.application_environment,
        version=VERSION,
        build_time=BUILD_TIME,
        timestamp=clock.now(),
    )
