"""HTTP side of telemetry."""

from powerauth_contracts.rest import telemetry as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.telemetry import service
from powerauth_core.telemetry.ports import Ports

router = CallRouter("Telemetry")


@router.answers(contract.REPORT)
async def report(ports: Ports, asked: contract.TelemetryRequest) -> contract.TelemetryReport:
    made = await service.report(ports.database, asked.name, asked.parameters or {})
    data = {"application": made.application, "users": made.users, "days": made.days}
    return contract.TelemetryReport(name=made.name, report_data=data)
