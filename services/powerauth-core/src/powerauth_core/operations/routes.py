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
from powerauth_core.container import CoreDependency
from powerauth_core.kernel.answers import answer, answer_list
from powerauth_core.operations import creation, service
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/operation", tags=["Operations"], route_class=JsonRoute)

Detail = ObjectResponse[OperationDetailResponse]
Details = ObjectResponse[list[OperationDetailResponse]]
Acted = ObjectResponse[OperationUserActionResponse]


@router.post("/create", response_model=Detail)
async def create(core: CoreDependency, body: ObjectRequest[OperationCreateRequest]) -> Response:
    """Make an operation from a template."""
    return answer(await creation.create(core, body.request_object))


@router.post("/detail", response_model=Detail)
async def detail(core: CoreDependency, body: ObjectRequest[OperationDetailRequest]) -> Response:
    """Show one operation."""
    return answer(await service.detail(core, body.request_object))


@router.post("/claim", response_model=Detail)
async def claim(core: CoreDependency, body: ObjectRequest[OperationClaimRequest]) -> Response:
    """Give a pending operation without owner to a user."""
    return answer(await service.claim(core, body.request_object))


@router.post("/list", response_model=Details)
async def list_all(core: CoreDependency, body: ObjectRequest[OperationListRequest]) -> Response:
    """Operations of a user."""
    return answer_list(await service.list_all(core, body.request_object))


@router.post("/list/pending", response_model=Details)
async def list_pending(core: CoreDependency, body: ObjectRequest[OperationListRequest]) -> Response:
    """Pending operations of a user."""
    return answer_list(await service.list_pending(core, body.request_object))


@router.post("/list/external", response_model=Details)
async def list_external(core: CoreDependency, body: ObjectRequest[OperationExternalListRequest]) -> Response:
    """Operations with an external id."""
    return answer_list(await service.list_external(core, body.request_object))


@router.post("/approve", response_model=Acted)
async def approve(core: CoreDependency, body: ObjectRequest[OperationApproveRequest]) -> Response:
    """Approve an operation, or count a failed approval."""
    return answer(await service.approve(core, body.request_object))


@router.post("/approve/fail", response_model=Acted)
async def fail_approval(core: CoreDependency, body: ObjectRequest[OperationFailApprovalRequest]) -> Response:
    """Count a failed approval."""
    return answer(await service.fail_approval(core, body.request_object))


@router.post("/reject", response_model=Acted)
async def reject(core: CoreDependency, body: ObjectRequest[OperationRejectRequest]) -> Response:
    """Reject an operation for its user."""
    return answer(await service.reject(core, body.request_object))


@router.post("/cancel", response_model=Detail)
async def cancel(core: CoreDependency, body: ObjectRequest[OperationCancelRequest]) -> Response:
    """Cancel an operation."""
    return answer(await service.cancel(core, body.request_object))
