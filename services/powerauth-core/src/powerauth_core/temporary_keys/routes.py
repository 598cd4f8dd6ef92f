"""HTTP side of the key store calls (spec/core-api.md §13)."""

from powerauth_contracts.rest import temporary_keys as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.temporary_keys import service
from powerauth_core.temporary_keys.ports import Ports
from powerauth_core.temporary_keys.views import create_temporary_key

router = CallRouter("Temporary keys")


@router.answers(contract.CREATE)
async def create_key(
    ports: Ports, asked: contract.CreateTemporaryKeyRequest
) -> contract.CreateTemporaryKeyResponse:
    return await create_temporary_key(ports, asked)


@router.answers(contract.REMOVE)
async def remove_key(
    ports: Ports, asked: contract.RemoveTemporaryKeyRequest
) -> contract.RemoveTemporaryKeyResponse:
    await service.remove(ports.database, ports.temporary_keys, asked.id)
    return contract.RemoveTemporaryKeyResponse(id=asked.id, removed=True)
