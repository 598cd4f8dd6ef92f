"""HTTP side of the key store calls (spec/core-api.md §13)."""

from fastapi import APIRouter

from powerauth_contracts.rest.temporary_keys import (
    CreateTemporaryKeyRequest,
    CreateTemporaryKeyResponse,
    RemoveTemporaryKeyRequest,
    RemoveTemporaryKeyResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.kernel.answers import answer
from powerauth_core.temporary_keys import service
from powerauth_core.temporary_keys.ports import Running
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/keystore", tags=["Temporary keys"], route_class=JsonRoute)


@router.post("/create", response_model=ObjectResponse[CreateTemporaryKeyResponse])
async def create_key(request: ObjectRequest[CreateTemporaryKeyRequest], ports: Running) -> JsonResponse:
    """Issue a temporary key."""
    return answer(await service.create_temporary_key(ports, request.request_object))


@router.post("/remove", response_model=ObjectResponse[RemoveTemporaryKeyResponse])
async def remove_key(request: ObjectRequest[RemoveTemporaryKeyRequest], ports: Running) -> JsonResponse:
    """Delete a temporary key."""
    return answer(await service.remove_temporary_key(ports.database, request.request_object))
