"""HTTP of callbacks (spec/cloud-api.md §11.5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.callbacks import service
from cloud_private_api.callbacks.ports import Running
from cloud_private_api.callbacks.rules import WantedCallback
from cloud_private_api.parameters import AppIdPath
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import callbacks as contract
from powerauth_contracts.cloud.callbacks import SaveCallback
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Callbacks")

CallbackIdPath = Annotated[str, Path(alias="callbackId")]


@router.answers(contract.CREATE_CALLBACK)
async def create_callback(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: SaveCallback
) -> Response:
    """Register a callback URL."""
    return answer(await service.create(ports.database, ports.core, caller, app_id, _wanted(request)))


@router.answers(contract.LIST_CALLBACKS)
async def list_callbacks(ports: Running, app_id: AppIdPath) -> Response:
    """The callbacks of an application."""
    return answer(await service.list_all(ports, app_id))


@router.answers(contract.GET_CALLBACK)
async def get_callback(ports: Running, app_id: AppIdPath, callback_id: CallbackIdPath) -> Response:
    """One callback."""
    return answer(await service.detail(ports.core, app_id, callback_id))


@router.answers(contract.UPDATE_CALLBACK)
async def update_callback(
    ports: Running, caller: CallerDep, app_id: AppIdPath, callback_id: CallbackIdPath, request: SaveCallback
) -> Response:
    """Replace a callback; secrets that are missing stay."""
    return answer(
        await service.update(ports.database, ports.core, caller, app_id, callback_id, _wanted(request))
    )


@router.answers(contract.REMOVE_CALLBACK)
async def remove_callback(
    ports: Running, caller: CallerDep, app_id: AppIdPath, callback_id: CallbackIdPath
) -> Response:
    """Remove a callback."""
    await service.remove(ports.database, ports.core, caller, app_id, callback_id)
    return answer(StatusResponse())


def _wanted(request: SaveCallback) -> WantedCallback:
    given = request.authentication
    return WantedCallback(
        name=request.name,
        type=request.type,
        callback_url=request.callback_url,
        attributes=request.attributes,
        authentication=None if given is None else given.model_dump(exclude_none=True),
        max_attempts=request.max_attempts,
        initial_backoff=request.initial_backoff,
        retention_period=request.retention_period,
    )
