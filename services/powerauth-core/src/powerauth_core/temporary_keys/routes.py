"""HTTP side of the key store calls (spec/core-api.md §13)."""

from powerauth_contracts.rest import temporary_keys as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.temporary_keys import service
from powerauth_core.temporary_keys.ports import Ports

router = CallRouter("Temporary keys")


@router.answers(contract.CREATE)
async def create_key(
    ports: Ports, request: contract.CreateTemporaryKeyRequest
) -> contract.CreateTemporaryKeyResponse:
    return await service.create_temporary_key(ports, request)


@router.answers(contract.REMOVE)
async def remove_key(
    ports: Ports, request: contract.RemoveTemporaryKeyRequest
) -> contract.RemoveTemporaryKeyResponse:
    return await service.remove_temporary_key(ports.database, request)
