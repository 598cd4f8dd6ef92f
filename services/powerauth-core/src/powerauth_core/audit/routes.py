"""HTTP side of the audit log."""

from powerauth_contracts.rest import audit as contract
from powerauth_core.audit import service
from powerauth_core.audit.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Audit")


@router.answers(contract.LIST)
async def list_records(ports: Ports, request: contract.ListAuditRequest) -> contract.ListAuditResponse:
    return await service.list_records(ports.database, request)
