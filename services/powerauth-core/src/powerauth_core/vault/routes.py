"""HTTP of the vault call (spec/core-api.md §10)."""

from fastapi import APIRouter

from powerauth_core.kernel.answers import answer
from powerauth_core.vault import service
from powerauth_core.vault.ports import Running
from powerauth_core.vault.schemas import UnlockVaultRequest, UnlockVaultResponse
from servicekit.routing import JsonRoute
from servicekit.wire import JsonResponse, ObjectRequest, ObjectResponse

router = APIRouter(prefix="/rest/v3/vault", tags=["Vault"], route_class=JsonRoute)


@router.post("/unlock", response_model=ObjectResponse[UnlockVaultResponse])
async def unlock(ports: Running, body: ObjectRequest[UnlockVaultRequest]) -> JsonResponse:
    """Verify a signature and hand out the vault key, encrypted for the device."""
    return answer(await service.unlock(ports, body.request_object))
