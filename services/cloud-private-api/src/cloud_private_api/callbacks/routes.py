"""HTTP of callbacks (spec/cloud-api.md §11.5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.callbacks import service
from cloud_private_api.callbacks.ports import Running
from cloud_private_api.callers import CallerDep
from cloud_private_api.parameters import AppIdPath
from cloud_private_api.routing import answer, cloud_router
from powerauth_contracts.cloud.callbacks import Callback, Callbacks, SaveCallback
from powerauth_contracts.wire import StatusResponse

router = cloud_router("Callbacks")

CallbackIdPath = Annotated[str, Path(alias="callbackId")]

_ALL = "/v2/admin/applications/{appId}/callbacks"
_ONE = "/v2/admin/applications/{appId}/callbacks/{callbackId}"


@router.post(_ALL, operation_id="createCallback", response_model=Callback)
async def create_callback(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: SaveCallback
) -> Response:
    """Register a callback URL."""
    return answer(await service.create(ports.database, ports.core, caller, app_id, request))


@router.get(_ALL, operation_id="listCallbacks", response_model=Callbacks)
async def list_callbacks(ports: Running, app_id: AppIdPath) -> Response:
    """The callbacks of an application."""
    return answer(await service.list_all(ports, app_id))


@router.get(_ONE, operation_id="getCallback", response_model=Callback)
async def get_callback(ports: Running, app_id: AppIdPath, callback_id: CallbackIdPath) -> Response:
    """One callback."""
    return answer(await service.detail(ports.core, app_id, callback_id))


@router.put(_ONE, operation_id="updateCallback", response_model=Callback)
async def update_callback(
    ports: Running, caller: CallerDep, app_id: AppIdPath, callback_id: CallbackIdPath, request: SaveCallback
) -> Response:
    """Replace a callback; secrets that are missing stay."""
    return answer(await service.update(ports.database, ports.core, caller, app_id, callback_id, request))


@router.delete(_ONE, operation_id="removeCallback", response_model=StatusResponse)
async def remove_callback(
    ports: Running, caller: CallerDep, app_id: AppIdPath, callback_id: CallbackIdPath
) -> Response:
    """Remove a callback."""
    await service.remove(ports.database, ports.core, caller, app_id, callback_id)
    return answer(StatusResponse())
