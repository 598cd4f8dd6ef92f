"""HTTP side of the key exchange (spec/core-api.md §7, §8)."""

from fastapi import APIRouter

from powerauth_contracts.rest.exchange import (
    CreateActivationByRecoveryRequest,
    CreateActivationRequest,
    KeyExchangeResponse,
    PrepareActivationRequest,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.exchange import key_exchange, recovery
from powerauth_core.exchange.ports import Running
from powerauth_core.kernel.answers import answer
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3", route_class=JsonRoute)


@router.post("/activation/prepare", tags=["Activations"], response_model=ObjectResponse[KeyExchangeResponse])
async def prepare(request: ObjectRequest[PrepareActivationRequest], ports: Running) -> JsonResponse:
    """Exchange keys for an activation code."""
    return answer(await key_exchange.prepare_activation(ports, request.request_object))


@router.post("/activation/create", tags=["Activations"], response_model=ObjectResponse[KeyExchangeResponse])
async def create(request: ObjectRequest[CreateActivationRequest], ports: Running) -> JsonResponse:
    """Exchange keys for a user the caller has identified."""
    return answer(await key_exchange.create_activation(ports, request.request_object))


@router.post(
    "/activation/recovery/create", tags=["Recovery"], response_model=ObjectResponse[KeyExchangeResponse]
)
async def create_by_recovery_code(
    request: ObjectRequest[CreateActivationByRecoveryRequest], ports: Running
) -> JsonResponse:
    """Exchange keys for a recovery code and its PUK."""
    return answer(await recovery.create_activation(ports, request.request_object))
