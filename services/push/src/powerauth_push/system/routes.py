"""HTTP side of the status call (spec/push-api.md §18)."""

from __future__ import annotations

from powerauth_contracts.push import system as contract
from powerauth_push.parts import WithSettings
from powerauth_push.routing import Asked, PushRouter
from powerauth_push.version import VERSION
from servicekit import clock

router = PushRouter("Service")


@router.answers(contract.STATUS)
async def service_status(ports: WithSettings, _: Asked[None]) -> contract.ServiceStatus:
    settings = ports.settings
    return contract.ServiceStatus(
        application_name=settings.application_name,
        application_display_name=settings.application_display_name,
        application_environment=settings.application_environment,
        version=VERSION,
        timestamp=clock.now(),
    )
