"""HTTP of the vault call (spec/core-api.md §10)."""

from powerauth_contracts.rest import vault as contract
from powerauth_core.envelopes.service import members_of
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.vault import service
from powerauth_core.vault.ports import Ports

router = CallRouter("Vault")


@router.answers(contract.UNLOCK)
async def unlock(ports: Ports, asked: contract.UnlockVaultRequest) -> contract.UnlockVaultResponse:
    unlocked = await service.unlock(
        ports,
        activation_id=asked.activation_id,
        application_key=asked.application_key,
        signature_type=asked.signature_type.kind,
        signed_data=asked.signed_data,
        signature=asked.signature,
        version=asked.signature_version,
        members=members_of(asked),
        scope=asked.application_ids,
    )
    sealed = {} if unlocked.sealed is None else dict(unlocked.sealed)
    return contract.UnlockVaultResponse(signature_valid=unlocked.valid, **sealed)
