"""HTTP of telemetry (spec/cloud-api.md §11.8)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.routing import CloudRouter, answer
from cloud_private_api.telemetry import service
from cloud_private_api.telemetry.ports import Running
from powerauth_contracts.cloud import telemetry as contract
from powerauth_contracts.cloud.telemetry import TelemetryRequest

router = CloudRouter("Telemetry")


@router.answers(contract.TELEMETRY_REPORT)
async def report(ports: Running, request: TelemetryRequest) -> Response:
    """How many users an application has."""
    about = request.parameters
    return answer(
        await service.report(ports.core, request.name, application=about.application, days=about.days)
    )
