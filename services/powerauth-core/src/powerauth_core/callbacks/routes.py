"""HTTP side of the callback calls."""

from powerauth_contracts.rest import callbacks as contract
from powerauth_core.callbacks import administration
from powerauth_core.callbacks.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Callbacks")


@router.answers(contract.CREATE)
async def create_callback(
    ports: Ports, request: contract.CreateCallbackUrlRequest
) -> contract.CallbackUrlDetail:
    return await administration.create_callback(ports, request)


@router.answers(contract.UPDATE)
async def update_callback(
    ports: Ports, request: contract.UpdateCallbackUrlRequest
) -> contract.CallbackUrlDetail:
    return await administration.update_callback(ports, request)


@router.answers(contract.LIST)
async def list_callbacks(
    ports: Ports, request: contract.ListCallbackUrlsRequest
) -> contract.ListCallbackUrlsResponse:
    return await administration.list_callbacks(ports, request)


@router.answers(contract.REMOVE)
async def remove_callback(
    ports: Ports, request: contract.RemoveCallbackUrlRequest
) -> contract.RemoveCallbackUrlResponse:
    return await administration.remove_callback(ports.database, ports.callbacks, request)
