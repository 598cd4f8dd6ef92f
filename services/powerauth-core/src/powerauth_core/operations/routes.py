"""HTTP of the operation calls (spec/core-api.md §19)."""

from datetime import datetime

from powerauth_contracts.rest import operations as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.kernel.paging import wanted_page
from powerauth_core.operations import creation, service
from powerauth_core.operations.ports import CreationPorts, Ports, ReadingPorts
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.views import detail_view, shown_code, shown_number
from servicekit import clock

router = CallRouter("Operations")


@router.answers(contract.CREATE)
async def create(
    ports: CreationPorts, asked: contract.OperationCreateRequest
) -> contract.OperationDetailResponse:
    wanted = creation.NewOperation(
        template_name=asked.template_name,
        applications=asked.applications,
        user_id=asked.user_id,
        external_id=asked.external_id,
        activation_flag=asked.activation_flag,
        parameters=asked.parameters or {},
        additional_data=asked.additional_data,
        expires=asked.timestamp_expires,
        with_proximity=asked.proximity_check_enabled,
        activation_id=asked.activation_id,
    )
    operation = await creation.create(ports, wanted, asked.application_ids)
    return detail_view(
        operation, proximity_otp=shown_code(ports, operation), number=shown_number(ports, operation)
    )


@router.answers(contract.DETAIL)
async def detail(ports: Ports, asked: contract.OperationDetailRequest) -> contract.OperationDetailResponse:
    operation = await service.detail(
        ports.database, operation_id=asked.operation_id, user_id=asked.user_id, scope=asked.application_ids
    )
    return detail_view(
        operation,
        proximity_otp=shown_code(ports, operation),
        number=shown_number(ports, operation),
        device=True,
    )


@router.answers(contract.CLAIM)
async def claim(ports: Ports, asked: contract.OperationClaimRequest) -> contract.OperationDetailResponse:
    operation = await service.claim(
        ports.database,
        ports.listeners,
        operation_id=asked.operation_id,
        user_id=asked.user_id,
        scope=asked.application_ids,
    )
    # Without proximity code: only create, detail and the pending list show one (§19.1).
    return detail_view(operation)


@router.answers(contract.LIST)
async def list_all(
    ports: ReadingPorts, request: contract.OperationListRequest
) -> list[contract.OperationDetailResponse]:
    return [detail_view(found) for found in await _listed(ports, request)]


@router.answers(contract.LIST_PENDING)
async def list_pending(
    ports: ReadingPorts, request: contract.OperationListRequest
) -> list[contract.OperationDetailResponse]:
    found = await _listed(ports, request, clock.now())
    return [detail_view(one, proximity_otp=shown_code(ports, one)) for one in found]


@router.answers(contract.LIST_EXTERNAL)
async def list_external(
    ports: Ports, asked: contract.OperationExternalListRequest
) -> list[contract.OperationDetailResponse]:
    found = await service.list_external(
        ports,
        external_id=asked.external_id,
        applications=asked.applications,
        page=wanted_page(ports.settings, asked.page_number, asked.page_size),
        scope=asked.application_ids,
    )
    return [detail_view(operation) for operation in found]


@router.answers(contract.APPROVE)
async def approve(
    ports: Ports, asked: contract.OperationApproveRequest
) -> contract.OperationUserActionResponse:
    acted = await service.approve(
        ports,
        operation_id=asked.operation_id,
        user_id=asked.user_id,
        application_id=asked.application_id,
        data=asked.data,
        signature_type=asked.signature_type,
        number=asked.number_matching,
        additional_data=asked.additional_data,
        scope=asked.application_ids,
    )
    return _acted(acted)


@router.answers(contract.APPROVE_FAIL)
async def fail_approval(
    ports: Ports, asked: contract.OperationFailApprovalRequest
) -> contract.OperationUserActionResponse:
    acted = await service.fail_approval(
        ports.database,
        ports.listeners,
        operation_id=asked.operation_id,
        additional_data=asked.additional_data,
        scope=asked.application_ids,
    )
    return _acted(acted)


@router.answers(contract.REJECT)
async def reject(
    ports: Ports, asked: contract.OperationRejectRequest
) -> contract.OperationUserActionResponse:
    acted = await service.reject(
        ports,
        operation_id=asked.operation_id,
        user_id=asked.user_id,
        application_id=asked.application_id,
        additional_data=asked.additional_data,
        status_reason=asked.status_reason,
        scope=asked.application_ids,
    )
    return _acted(acted)


@router.answers(contract.CANCEL)
async def cancel(ports: Ports, asked: contract.OperationCancelRequest) -> contract.OperationDetailResponse:
    operation = await service.cancel(
        ports.database,
        ports.listeners,
        operation_id=asked.operation_id,
        additional_data=asked.additional_data,
        status_reason=asked.status_reason,
        scope=asked.application_ids,
    )
    return detail_view(operation, device=True)


async def _listed(
    ports: ReadingPorts, asked: contract.OperationListRequest, pending_at: datetime | None = None
) -> list[StoredOperation]:
    return await service.list_of_user(
        ports,
        user_id=asked.user_id,
        applications=asked.applications,
        activation_id=asked.activation_id,
        page=wanted_page(ports.settings, asked.page_number, asked.page_size),
        scope=asked.application_ids,
        pending_at=pending_at,
    )


def _acted(acted: service.Acted) -> contract.OperationUserActionResponse:
    return contract.OperationUserActionResponse(result=acted.result, operation=detail_view(acted.operation))
