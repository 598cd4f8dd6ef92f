"""HTTP of telemetry (spec/cloud-api.md §11.8)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.routing import answer, cloud_router
from cloud_private_api.telemetry import service
from cloud_private_api.telemetry.ports import Running
from powerauth_contracts.cloud.telemetry import TelemetryReport, TelemetryRequest

router = cloud_router("Telemetry")


@router.post("/admin/telemetry/report", operation_id="telemetryReport", response_model=TelemetryReport)
async def report(ports: Running, request: TelemetryRequest) -> Response:
    """How many users an application has."""
    return answer(await service.report(ports.core, request))
