"""HTTP side of the audit log."""

from fastapi import APIRouter

from powerauth_contracts.rest.audit import ListAuditRequest, ListAuditResponse
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.audit import service
from powerauth_core.audit.ports import Running
from powerauth_core.kernel.answers import answer
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/audit/log", tags=["Audit"], route_class=JsonRoute)


@router.post("/list", response_model=ObjectResponse[ListAuditResponse])
async def list_records(request: ObjectRequest[ListAuditRequest], ports: Running) -> JsonResponse:
    """Audit records about a user, newest first."""
    return answer(await service.list_records(ports.database, request.request_object))
