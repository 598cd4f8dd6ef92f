"""HTTP side of telemetry."""

from powerauth_contracts.rest import telemetry as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.telemetry import service
from powerauth_core.telemetry.ports import Ports

router = CallRouter("Telemetry")


@router.answers(contract.REPORT)
async def report(ports: Ports, request: contract.TelemetryRequest) -> contract.TelemetryReport:
    return await service.report(ports.database, request)
