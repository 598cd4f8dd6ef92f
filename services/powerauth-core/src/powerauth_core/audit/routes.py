"""HTTP side of the audit log."""

from fastapi import APIRouter

from powerauth_core.audit import service
from powerauth_core.audit.ports import Running
from powerauth_core.audit.schemas import ListAuditRequest, ListAuditResponse
from powerauth_core.kernel.answers import answer
from servicekit.routing import JsonRoute
from servicekit.wire import JsonResponse, ObjectRequest, ObjectResponse

router = APIRouter(prefix="/rest/v3/audit/log", tags=["Audit"], route_class=JsonRoute)


@router.post("/list", response_model=ObjectResponse[ListAuditResponse])
async def list_records(request: ObjectRequest[ListAuditRequest], ports: Running) -> JsonResponse:
    """Audit records about a user, newest first."""
    return answer(await service.list_records(ports.database, request.request_object))
