"""HTTP of the operation calls (spec/core-api.md §19)."""

from fastapi import APIRouter
from starlette.responses import Response

from powerauth_contracts.rest.operations import (
    OperationApproveRequest,
    OperationCancelRequest,
    OperationClaimRequest,
    OperationCreateRequest,
    OperationDetailRequest,
    OperationDetailResponse,
    OperationExternalListRequest,
    OperationFailApprovalRequest,
    OperationListRequest,
    OperationRejectRequest,
    OperationUserActionResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.kernel.answers import answer, answer_list
from powerauth_core.operations import creation, service
from powerauth_core.operations.ports import Running
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/operation", tags=["Operations"], route_class=JsonRoute)

Detail = ObjectResponse[OperationDetailResponse]
Details = ObjectResponse[list[OperationDetailResponse]]
Acted = ObjectResponse[OperationUserActionResponse]


@router.post("/create", response_model=Detail)
async def create(ports: Running, body: ObjectRequest[OperationCreateRequest]) -> Response:
    """Make an operation from a template."""
    return answer(await creation.create(ports, body.request_object))


@router.post("/detail", response_model=Detail)
async def detail(ports: Running, body: ObjectRequest[OperationDetailRequest]) -> Response:
    """Show one operation."""
    return answer(await service.detail(ports.database, ports.settings, body.request_object))


@router.post("/claim", response_model=Detail)
async def claim(ports: Running, body: ObjectRequest[OperationClaimRequest]) -> Response:
    """Give a pending operation without owner to a user."""
    return answer(await service.claim(ports.database, ports.listeners, body.request_object))


@router.post("/list", response_model=Details)
async def list_all(ports: Running, body: ObjectRequest[OperationListRequest]) -> Response:
    """Operations of a user."""
    return answer_list(await service.list_all(ports, body.request_object))


@router.post("/list/pending", response_model=Details)
async def list_pending(ports: Running, body: ObjectRequest[OperationListRequest]) -> Response:
    """Pending operations of a user."""
    return answer_list(await service.list_pending(ports, body.request_object))


@router.post("/list/external", response_model=Details)
async def list_external(ports: Running, body: ObjectRequest[OperationExternalListRequest]) -> Response:
    """Operations with an external id."""
    return answer_list(await service.list_external(ports, body.request_object))


@router.post("/approve", response_model=Acted)
async def approve(ports: Running, body: ObjectRequest[OperationApproveRequest]) -> Response:
    """Approve an operation, or count a failed approval."""
    return answer(await service.approve(ports, body.request_object))


@router.post("/approve/fail", response_model=Acted)
async def fail_approval(ports: Running, body: ObjectRequest[OperationFailApprovalRequest]) -> Response:
    """Count a failed approval."""
    return answer(await service.fail_approval(ports.database, ports.listeners, body.request_object))


@router.post("/reject", response_model=Acted)
async def reject(ports: Running, body: ObjectRequest[OperationRejectRequest]) -> Response:
    """Reject an operation for its user."""
    return answer(await service.reject(ports, body.request_object))


@router.post("/cancel", response_model=Detail)
async def cancel(ports: Running, body: ObjectRequest[OperationCancelRequest]) -> Response:
    """Cancel an operation."""
    return answer(await service.cancel(ports.database, ports.listeners, body.request_object))
