"""HTTP of binding tickets (spec/device-trust.md §1.9)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.device_bindings import service
from cloud_private_api.device_bindings.ports import Running
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import device_bindings as contract
from powerauth_contracts.cloud.device_bindings import CreateDeviceBinding
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Device Bindings")

TicketPath = Annotated[str, Path(alias="ticket")]


@router.answers(contract.CREATE_DEVICE_BINDING)
async def create_binding(ports: Running, caller: CallerDep, request: CreateDeviceBinding) -> Response:
    """Vouch for a user whose device is to be bound."""
    made = await service.create(
        ports.core, caller, user_id=request.user_id, app_id=request.app_id, ttl=request.ttl
    )
    return answer(made)


@router.answers(contract.DELETE_DEVICE_BINDING)
async def delete_binding(ports: Running, caller: CallerDep, ticket: TicketPath) -> Response:
    """Take a ticket back."""
    await service.remove(ports.core, caller, ticket)
    return answer(StatusResponse())
