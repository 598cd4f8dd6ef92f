"""HTTP of the operation template and text calls (spec/core-api.md §20; cloud-api §11.7)."""

from fastapi import APIRouter
from starlette.responses import Response

from powerauth_contracts.rest.templates import (
    OperationTemplateCreateRequest,
    OperationTemplateDetailRequest,
    OperationTemplateDetailResponse,
    OperationTemplateRemoveRequest,
    OperationTemplateUpdateRequest,
    OperationTextListRequest,
    OperationTextListResponse,
    OperationTextRemoveRequest,
    OperationTextRemoveResponse,
    OperationTextRow,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse, StatusResponse
from powerauth_core.kernel.answers import answer, answer_empty, answer_list
from powerauth_core.templates import service, texts
from powerauth_core.templates.ports import Running
from powerauth_core.templates.schemas import OperationTextUpdateRequest
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/operation", tags=["Operation templates"], route_class=JsonRoute)

Detail = ObjectResponse[OperationTemplateDetailResponse]


@router.post("/template/create", response_model=Detail)
async def create(ports: Running, body: ObjectRequest[OperationTemplateCreateRequest]) -> Response:
    """Make a template."""
    return answer(await service.create(ports.database, body.request_object))


@router.post("/template/update", response_model=Detail)
async def update(ports: Running, body: ObjectRequest[OperationTemplateUpdateRequest]) -> Response:
    """Replace a template's content."""
    return answer(await service.update(ports.database, body.request_object))


@router.post("/template/detail", response_model=Detail)
async def detail(ports: Running, body: ObjectRequest[OperationTemplateDetailRequest]) -> Response:
    """Show one template."""
    return answer(await service.detail(ports.database, body.request_object))


@router.post("/template/list", response_model=ObjectResponse[list[OperationTemplateDetailResponse]])
async def list_all(ports: Running) -> Response:
    """All templates; the request body is ignored."""
    return answer_list(await service.list_all(ports.database))


@router.post("/template/remove", response_model=StatusResponse)
async def remove(ports: Running, body: ObjectRequest[OperationTemplateRemoveRequest]) -> Response:
    """Remove a template; existing operations stay as they are."""
    await service.remove(ports.database, body.request_object)
    return answer_empty()


@router.post("/text/list", response_model=ObjectResponse[OperationTextListResponse])
async def list_texts(ports: Running, body: ObjectRequest[OperationTextListRequest]) -> Response:
    """Localised texts of operations."""
    return answer(await texts.list_texts(ports.database, body.request_object))


@router.post("/text/update", response_model=ObjectResponse[OperationTextRow])
async def update_text(ports: Running, body: ObjectRequest[OperationTextUpdateRequest]) -> Response:
    """Make or replace the texts of an operation type in a language."""
    return answer(await texts.update(ports.database, body.request_object))


@router.post("/text/remove", response_model=ObjectResponse[OperationTextRemoveResponse])
async def remove_text(ports: Running, body: ObjectRequest[OperationTextRemoveRequest]) -> Response:
    """Remove the texts of an operation type in a language."""
    return answer(await texts.remove(ports.database, body.request_object))
