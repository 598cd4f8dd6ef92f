"""HTTP side of the callback calls."""

from fastapi import APIRouter

from powerauth_contracts.rest.callbacks import (
    CallbackUrlDetail,
    CreateCallbackUrlRequest,
    ListCallbackUrlsRequest,
    ListCallbackUrlsResponse,
    RemoveCallbackUrlRequest,
    RemoveCallbackUrlResponse,
    UpdateCallbackUrlRequest,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.callbacks import administration
from powerauth_core.callbacks.ports import Running
from powerauth_core.kernel.answers import answer
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/application/callback", tags=["Callbacks"], route_class=JsonRoute)


@router.post("/create", response_model=ObjectResponse[CallbackUrlDetail])
async def create_callback(request: ObjectRequest[CreateCallbackUrlRequest], ports: Running) -> JsonResponse:
    """Configure a callback URL."""
    return answer(await administration.create_callback(ports, request.request_object))


@router.post("/update", response_model=ObjectResponse[CallbackUrlDetail])
async def update_callback(request: ObjectRequest[UpdateCallbackUrlRequest], ports: Running) -> JsonResponse:
    """Overwrite a callback URL; secrets that are left out are kept."""
    return answer(await administration.update_callback(ports, request.request_object))


@router.post("/list", response_model=ObjectResponse[ListCallbackUrlsResponse])
async def list_callbacks(request: ObjectRequest[ListCallbackUrlsRequest], ports: Running) -> JsonResponse:
    """The callback URLs of an application."""
    return answer(await administration.list_callbacks(ports, request.request_object))


@router.post("/remove", response_model=ObjectResponse[RemoveCallbackUrlResponse])
async def remove_callback(request: ObjectRequest[RemoveCallbackUrlRequest], ports: Running) -> JsonResponse:
    """Switch a callback URL off."""
    return answer(
        await administration.remove_callback(ports.database, ports.callbacks, request.request_object)
    )
