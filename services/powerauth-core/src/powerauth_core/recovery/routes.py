"""HTTP side of the recovery calls (spec/core-api.md §8)."""

from fastapi import APIRouter

from powerauth_contracts.rest.activations import KeyExchangeResponse
from powerauth_contracts.rest.recovery import (
    ConfirmRecoveryCodeRequest,
    ConfirmRecoveryCodeResponse,
    CreateActivationByRecoveryRequest,
    CreateRecoveryCodeRequest,
    CreateRecoveryCodeResponse,
    LookupRecoveryCodesRequest,
    LookupRecoveryCodesResponse,
    RecoveryConfigRequest,
    RecoveryConfigResponse,
    RevokeRecoveryCodesRequest,
    RevokeRecoveryCodesResponse,
    UpdateRecoveryConfigRequest,
    UpdateRecoveryConfigResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.container import CoreDependency
from powerauth_core.exchange import recovery as activation
from powerauth_core.kernel.answers import answer
from powerauth_core.recovery import postcards, service
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3", tags=["Recovery"], route_class=JsonRoute)


@router.post("/activation/recovery/create", response_model=ObjectResponse[KeyExchangeResponse])
async def create_activation(
    request: ObjectRequest[CreateActivationByRecoveryRequest], core: CoreDependency
) -> JsonResponse:
    """Exchange keys for a recovery code and its PUK."""
    return answer(await activation.create_activation(core, request.request_object))


@router.post("/recovery/create", response_model=ObjectResponse[CreateRecoveryCodeResponse])
async def create_code(
    request: ObjectRequest[CreateRecoveryCodeRequest], core: CoreDependency
) -> JsonResponse:
    """Make a postcard code."""
    return answer(await postcards.create_code(core, request.request_object))


@router.post("/recovery/confirm", response_model=ObjectResponse[ConfirmRecoveryCodeResponse])
async def confirm_code(
    request: ObjectRequest[ConfirmRecoveryCodeRequest], core: CoreDependency
) -> JsonResponse:
    """Make a received code usable."""
    return answer(await service.confirm_code(core, request.request_object))


@router.post("/recovery/lookup", response_model=ObjectResponse[LookupRecoveryCodesResponse])
async def look_up_codes(
    request: ObjectRequest[LookupRecoveryCodesRequest], core: CoreDependency
) -> JsonResponse:
    """Codes of a user or of an activation."""
    return answer(await service.look_up_codes(core, request.request_object))


@router.post("/recovery/revoke", response_model=ObjectResponse[RevokeRecoveryCodesResponse])
async def revoke_codes(
    request: ObjectRequest[RevokeRecoveryCodesRequest], core: CoreDependency
) -> JsonResponse:
    """Revoke codes."""
    return answer(await service.revoke_codes(core, request.request_object))


@router.post("/recovery/config/detail", response_model=ObjectResponse[RecoveryConfigResponse])
async def get_config(request: ObjectRequest[RecoveryConfigRequest], core: CoreDependency) -> JsonResponse:
    """How an application offers recovery."""
    return answer(await postcards.get_config(core, request.request_object))


@router.post("/recovery/config/update", response_model=ObjectResponse[UpdateRecoveryConfigResponse])
async def update_config(
    request: ObjectRequest[UpdateRecoveryConfigRequest], core: CoreDependency
) -> JsonResponse:
    """Change how an application offers recovery."""
    return answer(await postcards.update_config(core, request.request_object))
