"""HTTP side of telemetry."""

from fastapi import APIRouter

from powerauth_core.container import CoreDependency
from powerauth_core.kernel.answers import answer
from powerauth_core.telemetry import service
from powerauth_core.telemetry.schemas import TelemetryReport, TelemetryRequest
from servicekit.routing import JsonRoute
from servicekit.wire import JsonResponse, ObjectRequest, ObjectResponse

router = APIRouter(prefix="/rest/v3/telemetry", tags=["Telemetry"], route_class=JsonRoute)


@router.post("/report", response_model=ObjectResponse[TelemetryReport])
async def report(request: ObjectRequest[TelemetryRequest], core: CoreDependency) -> JsonResponse:
    """Make a report by its name."""
    return answer(await service.report(core, request.request_object))
