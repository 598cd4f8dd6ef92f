"""HTTP of ``/v2/operations`` (spec/cloud-api.md §5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.errors import InvalidRequest, Violation
from cloud_private_api.operations.ports import Running
from cloud_private_api.operations.v2 import service
from cloud_private_api.parameters import (
    REGISTRATION_ID,
    OperationIdPath,
    Page,
    QueryBool,
    QueryInt,
    QueryText,
    StatusReasonQuery,
)
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import operations as contract
from powerauth_contracts.cloud.operations import (
    ClaimOperation,
    CreateOperation,
    FailOperation,
    RejectOperation,
)
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Operations")


@router.answers(contract.CREATE_OPERATION_V2)
async def create_operation(ports: Running, caller: CallerDep, request: CreateOperation) -> Response:
    """Create an operation for a user to approve."""
    made = await service.create(
        ports,
        caller,
        user_id=request.user_id,
        template=request.template,
        external_id=request.external_id,
        parameters=request.parameters,
        applications=request.applications,
        expires=request.timestamp_expires,
        flag=request.flag,
        registration_id=request.registration_id,
        additional_data=request.additional_data,
        with_proximity=request.proximity_check_enabled,
        language=request.language,
        silent=request.silent,
    )
    return answer(made)


@router.answers(contract.LIST_OPERATIONS_V2)
async def list_operations(
    ports: Running,
    caller: CallerDep,
    user_id: Annotated[QueryText | None, Query(alias="userId", min_length=1, max_length=255)] = None,
    external_id: Annotated[QueryText | None, Query(alias="externalId", min_length=1, max_length=255)] = None,
    pending: Annotated[QueryBool, Query()] = False,
    registration_id: Annotated[str | None, Query(alias="registrationId", pattern=REGISTRATION_ID)] = None,
    page: Annotated[QueryInt, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[QueryInt, Query(ge=1, le=1000)] = 500,
) -> Response:
    """Operations of a user, or with the bank's own id."""
    part = Page(number=page, size=size)
    if external_id is not None:
        if user_id is not None:
            raise InvalidRequest(
                Violation("externalId", "must not be combined with userId", external_id, parameter=True)
            )
        return answer(await service.list_external(ports, caller, external_id, part))
    if user_id is None:
        raise InvalidRequest(Violation("userId", "must not be null", parameter=True))
    return answer(
        await service.list_of_user(
            ports, caller, user_id, part, pending=pending, registration_id=registration_id
        )
    )


@router.answers(contract.GET_OPERATION_V2)
async def get_operation(ports: Running, caller: CallerDep, operation_id: OperationIdPath) -> Response:
    """One operation."""
    return answer(await service.detail(ports, caller, operation_id))


@router.answers(contract.CANCEL_OPERATION_V2)
async def cancel_operation(
    ports: Running,
    caller: CallerDep,
    operation_id: OperationIdPath,
    status_reason: StatusReasonQuery = None,
) -> Response:
    """Cancel an operation."""
    await service.cancel(ports, caller, operation_id, status_reason=status_reason)
    return answer(StatusResponse())


@router.answers(contract.CLAIM_OPERATION)
async def claim_operation(
    ports: Running, caller: CallerDep, operation_id: OperationIdPath, request: ClaimOperation
) -> Response:
    """Bind an operation without an owner to a user."""
    return answer(await service.claim(ports, caller, operation_id, request.user_id))


@router.answers(contract.FAIL_OPERATION)
async def fail_operation(
    ports: Running,
    caller: CallerDep,
    operation_id: OperationIdPath,
    request: FailOperation | None = None,
) -> Response:
    """Count one failed attempt."""
    additional = request.additional_data if request else None
    return answer(await service.fail(ports, caller, operation_id, additional))


@router.answers(contract.REJECT_OPERATION)
async def reject_operation(
    ports: Running, caller: CallerDep, operation_id: OperationIdPath, request: RejectOperation
) -> Response:
    """Reject an operation for a user who asked the support desk to."""
    return answer(
        await service.reject(
            ports,
            caller,
            operation_id,
            user_id=request.user_id,
            app_id=request.app_id,
            status_reason=request.status_reason,
            additional_data=request.additional_data,
        )
    )
