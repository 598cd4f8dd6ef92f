"""HTTP side of the callback calls."""

from powerauth_contracts.rest import callbacks as contract
from powerauth_core.callbacks import administration
from powerauth_core.callbacks.ports import Ports
from powerauth_core.callbacks.views import callback_view
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Callbacks")


@router.answers(contract.CREATE)
async def create_callback(
    ports: Ports, asked: contract.CreateCallbackUrlRequest
) -> contract.CallbackUrlDetail:
    made = await administration.create_callback(ports, _settings(asked), asked.application_ids)
    return callback_view(ports.settings, made)


@router.answers(contract.UPDATE)
async def update_callback(
    ports: Ports, asked: contract.UpdateCallbackUrlRequest
) -> contract.CallbackUrlDetail:
    made = await administration.update_callback(ports, asked.id, _settings(asked), asked.application_ids)
    return callback_view(ports.settings, made)


@router.answers(contract.LIST)
async def list_callbacks(
    ports: Ports, asked: contract.ListCallbackUrlsRequest
) -> contract.ListCallbackUrlsResponse:
    found = await administration.list_callbacks(ports, asked.application_id, asked.application_ids)
    views = [callback_view(ports.settings, callback) for callback in found]
    return contract.ListCallbackUrlsResponse(callback_url_list=views)


@router.answers(contract.REMOVE)
async def remove_callback(
    ports: Ports, asked: contract.RemoveCallbackUrlRequest
) -> contract.RemoveCallbackUrlResponse:
    removed = await administration.remove_callback(
        ports.database, ports.callbacks, asked.id, asked.application_ids
    )
    return contract.RemoveCallbackUrlResponse(id=asked.id, removed=removed)


def _settings(asked: contract.CallbackUrlSettings) -> administration.Settings:
    return administration.Settings(
        application_id=asked.application_id,
        name=asked.name,
        type=asked.type,
        url=asked.callback_url,
        attributes=asked.attributes or [],
        authentication=asked.authentication,
        retention=asked.retention_period,
        initial_backoff=asked.initial_backoff,
        max_attempts=asked.max_attempts,
    )
