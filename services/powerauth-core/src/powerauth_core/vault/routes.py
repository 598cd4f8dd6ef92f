"""HTTP of the vault call (spec/core-api.md §10)."""

from powerauth_contracts.rest import vault as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.vault import service
from powerauth_core.vault.ports import Ports

router = CallRouter("Vault")


@router.answers(contract.UNLOCK)
async def unlock(ports: Ports, request: contract.UnlockVaultRequest) -> contract.UnlockVaultResponse:
    return await service.unlock(ports, request)
