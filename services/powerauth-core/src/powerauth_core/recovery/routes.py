"""HTTP side of the recovery calls (spec/core-api.md §8)."""

from fastapi import APIRouter

from powerauth_contracts.rest.recovery import (
    ConfirmRecoveryCodeRequest,
    ConfirmRecoveryCodeResponse,
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
from powerauth_core.kernel.answers import answer
from powerauth_core.recovery import postcards, service
from powerauth_core.recovery.ports import Running
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3", tags=["Recovery"], route_class=JsonRoute)


@router.post("/recovery/create", response_model=ObjectResponse[CreateRecoveryCodeResponse])
async def create_code(request: ObjectRequest[CreateRecoveryCodeRequest], ports: Running) -> JsonResponse:
    """Make a postcard code."""
    return answer(await postcards.create_code(ports, request.request_object))


@router.post("/recovery/confirm", response_model=ObjectResponse[ConfirmRecoveryCodeResponse])
async def confirm_code(request: ObjectRequest[ConfirmRecoveryCodeRequest], ports: Running) -> JsonResponse:
    """Make a received code usable."""
    return answer(await service.confirm_code(ports, request.request_object))


@router.post("/recovery/lookup", response_model=ObjectResponse[LookupRecoveryCodesResponse])
async def look_up_codes(request: ObjectRequest[LookupRecoveryCodesRequest], ports: Running) -> JsonResponse:
    """Codes of a user or of an activation."""
    return answer(
        await service.look_up_codes(ports.database, ports.application_cache, request.request_object)
    )


@router.post("/recovery/revoke", response_model=ObjectResponse[RevokeRecoveryCodesResponse])
async def revoke_codes(request: ObjectRequest[RevokeRecoveryCodesRequest], ports: Running) -> JsonResponse:
    """Revoke codes."""
    return answer(await service.revoke_codes(ports.database, request.request_object))


@router.post("/recovery/config/detail", response_model=ObjectResponse[RecoveryConfigResponse])
async def get_config(request: ObjectRequest[RecoveryConfigRequest], ports: Running) -> JsonResponse:
    """How an application offers recovery."""
    return answer(await postcards.get_config(ports.database, ports.application_cache, request.request_object))


@router.post("/recovery/config/update", response_model=ObjectResponse[UpdateRecoveryConfigResponse])
async def update_config(request: ObjectRequest[UpdateRecoveryConfigRequest], ports: Running) -> JsonResponse:
    """Change how an application offers recovery."""
    return answer(await postcards.update_config(ports, request.request_object))
