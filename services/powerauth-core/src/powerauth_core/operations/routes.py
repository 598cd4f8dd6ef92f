"""HTTP of the operation calls (spec/core-api.md §19)."""

from powerauth_contracts.rest import operations as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.operations import creation, service
from powerauth_core.operations.ports import Ports

router = CallRouter("Operations")


@router.answers(contract.CREATE)
async def create(ports: Ports, request: contract.OperationCreateRequest) -> contract.OperationDetailResponse:
    return await creation.create(ports, request)


@router.answers(contract.DETAIL)
async def detail(ports: Ports, request: contract.OperationDetailRequest) -> contract.OperationDetailResponse:
    return await service.detail(ports.database, ports.settings, request)


@router.answers(contract.CLAIM)
async def claim(ports: Ports, request: contract.OperationClaimRequest) -> contract.OperationDetailResponse:
    return await service.claim(ports.database, ports.listeners, request)


@router.answers(contract.LIST)
async def list_all(
    ports: Ports, request: contract.OperationListRequest
) -> list[contract.OperationDetailResponse]:
    return await service.list_all(ports, request)


@router.answers(contract.LIST_PENDING)
async def list_pending(
    ports: Ports, request: contract.OperationListRequest
) -> list[contract.OperationDetailResponse]:
    return await service.list_pending(ports, request)


@router.answers(contract.LIST_EXTERNAL)
async def list_external(
    ports: Ports, request: contract.OperationExternalListRequest
) -> list[contract.OperationDetailResponse]:
    return await service.list_external(ports, request)


@router.answers(contract.APPROVE)
async def approve(
    ports: Ports, request: contract.OperationApproveRequest
) -> contract.OperationUserActionResponse:
    return await service.approve(ports, request)


@router.answers(contract.APPROVE_FAIL)
async def fail_approval(
    ports: Ports, request: contract.OperationFailApprovalRequest
) -> contract.OperationUserActionResponse:
    return await service.fail_approval(ports.database, ports.listeners, request)


@router.answers(contract.REJECT)
async def reject(
    ports: Ports, request: contract.OperationRejectRequest
) -> contract.OperationUserActionResponse:
    return await service.reject(ports, request)


@router.answers(contract.CANCEL)
async def cancel(ports: Ports, request: contract.OperationCancelRequest) -> contract.OperationDetailResponse:
    return await service.cancel(ports.database, ports.listeners, request)
