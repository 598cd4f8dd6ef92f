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
from powerauth_core.container import CoreDependency
from powerauth_core.kernel.answers import answer, answer_empty, answer_list
from powerauth_core.templates import service, texts
from powerauth_core.templates.schemas import OperationTextUpdateRequest
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/operation", tags=["Operation templates"], route_class=JsonRoute)

Detail = ObjectResponse[OperationTemplateDetailResponse]


@router.post("/template/create", response_model=Detail)
async def create(core: CoreDependency, body: ObjectRequest[OperationTemplateCreateRequest]) -> Response:
    """Make a template."""
    return answer(await service.create(core, body.request_object))


@router.post("/template/update", response_model=Detail)
async def update(core: CoreDependency, body: ObjectRequest[OperationTemplateUpdateRequest]) -> Response:
    """Replace a template's content."""
    return answer(await service.update(core, body.request_object))


@router.post("/template/detail", response_model=Detail)
async def detail(core: CoreDependency, body: ObjectRequest[OperationTemplateDetailRequest]) -> Response:
    """Show one template."""
    return answer(await service.detail(core, body.request_object))


@router.post("/template/list", response_model=ObjectResponse[list[OperationTemplateDetailResponse]])
async def list_all(core: CoreDependency) -> Response:
    """All templates; the request body is ignored."""
    return answer_list(await service.list_all(core))


@router.post("/template/remove", response_model=StatusResponse)
async def remove(core: CoreDependency, body: ObjectRequest[OperationTemplateRemoveRequest]) -> Response:
    """Remove a template; existing operations stay as they are."""
    await service.remove(core, body.request_object)
    return answer_empty()


@router.post("/text/list", response_model=ObjectResponse[OperationTextListResponse])
async def list_texts(core: CoreDependency, body: ObjectRequest[OperationTextListRequest]) -> Response:
    """Localised texts of operations."""
    return answer(await texts.list_texts(core, body.request_object))


@router.post("/text/update", response_model=ObjectResponse[OperationTextRow])
async def update_text(core: CoreDependency, body: ObjectRequest[OperationTextUpdateRequest]) -> Response:
    """Make or replace the texts of an operation type in a language."""
    return answer(await texts.update(core, body.request_object))


@router.post("/text/remove", response_model=ObjectResponse[OperationTextRemoveResponse])
async def remove_text(core: CoreDependency, body: ObjectRequest[OperationTextRemoveRequest]) -> Response:
    """Remove the texts of an operation type in a language."""
    return answer(await texts.remove(core, body.request_object))
