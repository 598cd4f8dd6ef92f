"""HTTP of the vault call (spec/core-api.md §10)."""

from powerauth_contracts.rest import vault as contract
from powerauth_core.envelopes.views import closed_envelope
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.vault import service
from powerauth_core.vault.ports import Ports

router = CallRouter("Vault")


@router.answers(contract.UNLOCK)
async def unlock(ports: Ports, asked: contract.UnlockVaultRequest) -> contract.UnlockVaultResponse:
    unlocked = await service.unlock(
        ports,
        activation_id=asked.activation_id,
        signature_type=asked.signature_type.kind,
        signed_data=asked.signed_data,
        signature=asked.signature,
        closed=closed_envelope(asked, asked.application_key, asked.signature_version),
        scope=asked.application_ids,
    )
    sealed = {} if unlocked.sealed is None else unlocked.sealed.members
    return contract.UnlockVaultResponse(signature_valid=unlocked.valid, **sealed)
