"""HTTP of operations in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.container import CallerDep, CloudDep
from cloud_private_api.operations.schemas import (
    CreateSingleOperation,
    SingleOperation,
)
from cloud_private_api.operations.v1 import service
from cloud_private_api.operations.v2 import service as operations
from cloud_private_api.parameters import OperationIdQuery, StatusReasonQuery
from cloud_private_api.routing import answer, cloud_router
from powerauth_contracts.wire import StatusResponse

router = cloud_router("Operations (single device)")


@router.post("/operations", operation_id="createOperation", response_model=SingleOperation)
async def create_operation(cloud: CloudDep, caller: CallerDep, request: CreateSingleOperation) -> Response:
    """Create an operation."""
    return answer(await service.create(cloud, caller, request))


@router.get("/operations", operation_id="getOperation", response_model=SingleOperation)
async def get_operation(cloud: CloudDep, caller: CallerDep, operation_id: OperationIdQuery) -> Response:
    """One operation."""
    return answer(await service.detail(cloud, caller, operation_id))


@router.delete("/operations", operation_id="cancelOperation", response_model=StatusResponse)
async def cancel_operation(
    cloud: CloudDep,
    caller: CallerDep,
    operation_id: OperationIdQuery,
    status_reason: StatusReasonQuery = None,
) -> Response:
    """Cancel an operation."""
    await operations.cancel(cloud, caller, operation_id, status_reason=status_reason)
    return answer(StatusResponse())
