"""HTTP of the operation template and text calls (spec/core-api.md §20; cloud-api §11.7)."""

from powerauth_contracts.rest import templates as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.templates import service, texts
from powerauth_core.templates.ports import Ports
from powerauth_core.templates.schemas import OperationTextUpdateRequest

router = CallRouter("Operation templates")


@router.answers(contract.TEMPLATE_CREATE)
async def create(
    ports: Ports, request: contract.OperationTemplateCreateRequest
) -> contract.OperationTemplateDetailResponse:
    return await service.create(ports.database, request)


@router.answers(contract.TEMPLATE_UPDATE)
async def update(
    ports: Ports, request: contract.OperationTemplateUpdateRequest
) -> contract.OperationTemplateDetailResponse:
    return await service.update(ports.database, request)


@router.answers(contract.TEMPLATE_DETAIL)
async def detail(
    ports: Ports, request: contract.OperationTemplateDetailRequest
) -> contract.OperationTemplateDetailResponse:
    return await service.detail(ports.database, request)


@router.answers(contract.TEMPLATE_LIST)
async def list_all(ports: Ports, _: None) -> list[contract.OperationTemplateDetailResponse]:
    return await service.list_all(ports.database)


@router.answers(contract.TEMPLATE_REMOVE)
async def remove(ports: Ports, request: contract.OperationTemplateRemoveRequest) -> None:
    await service.remove(ports.database, request)


@router.answers(contract.TEXT_LIST)
async def list_texts(
    ports: Ports, request: contract.OperationTextListRequest
) -> contract.OperationTextListResponse:
    return await texts.list_texts(ports.database, request)


@router.answers(contract.TEXT_UPDATE.read_as(OperationTextUpdateRequest))
async def update_text(ports: Ports, request: OperationTextUpdateRequest) -> contract.OperationTextRow:
    return await texts.update(ports.database, request)


@router.answers(contract.TEXT_REMOVE)
async def remove_text(
    ports: Ports, request: contract.OperationTextRemoveRequest
) -> contract.OperationTextRemoveResponse:
    return await texts.remove(ports.database, request)
