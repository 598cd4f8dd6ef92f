"""HTTP of operations in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.operations.ports import Running
from cloud_private_api.operations.v1 import service
from cloud_private_api.operations.v2 import service as operations
from cloud_private_api.parameters import OperationIdQuery, StatusReasonQuery
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import operations as contract
from powerauth_contracts.cloud.operations import CreateSingleOperation
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Operations (single device)")


@router.answers(contract.CREATE_OPERATION)
async def create_operation(ports: Running, caller: CallerDep, request: CreateSingleOperation) -> Response:
    """Create an operation."""
    made = await service.create(
        ports,
        caller,
        user_id=request.user_id,
        template=request.template,
        external_id=request.external_id,
        parameters=request.parameters,
        language=request.language,
    )
    return answer(made)


@router.answers(contract.GET_OPERATION)
async def get_operation(ports: Running, caller: CallerDep, operation_id: OperationIdQuery) -> Response:
    """One operation."""
    return answer(await service.detail(ports, caller, operation_id))


@router.answers(contract.CANCEL_OPERATION)
async def cancel_operation(
    ports: Running,
    caller: CallerDep,
    operation_id: OperationIdQuery,
    status_reason: StatusReasonQuery = None,
) -> Response:
    """Cancel an operation."""
    await operations.cancel(ports, caller, operation_id, status_reason=status_reason)
    return answer(StatusResponse())
