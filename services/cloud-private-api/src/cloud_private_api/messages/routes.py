"""HTTP of messages to a user (spec/cloud-api.md §9.1)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.messages import service
from cloud_private_api.messages.ports import Running
from cloud_private_api.parameters import IdempotencyKeyHeader
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import messages as contract
from powerauth_contracts.cloud.messages import SendMessage
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Messages")


@router.answers(contract.SEND_MESSAGE)
async def send_message(
    ports: Running, caller: CallerDep, request: SendMessage, key: IdempotencyKeyHeader = None
) -> Response:
    """Send a push message to a user."""
    await service.send(
        ports,
        caller,
        user_id=request.user_id,
        registration_id=request.registration_id,
        app_id=request.app_id,
        silent=request.silent,
        title=request.title,
        message=request.message,
        sound=request.sound,
        extras=request.extras,
        key=key,
    )
    return answer(StatusResponse())
