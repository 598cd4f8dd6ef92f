"""HTTP side of telemetry."""

from fastapi import APIRouter

from powerauth_contracts.rest.telemetry import TelemetryReport, TelemetryRequest
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.kernel.answers import answer
from powerauth_core.telemetry import service
from powerauth_core.telemetry.ports import Running
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/telemetry", tags=["Telemetry"], route_class=JsonRoute)


@router.post("/report", response_model=ObjectResponse[TelemetryReport])
async def report(request: ObjectRequest[TelemetryRequest], ports: Running) -> JsonResponse:
    """Make a report by its name."""
    return answer(await service.report(ports.database, request.request_object))
