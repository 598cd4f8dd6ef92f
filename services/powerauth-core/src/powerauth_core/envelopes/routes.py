"""HTTP side of the envelope call (spec/core-api.md §12)."""

from powerauth_contracts.rest import envelopes as contract
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Envelopes")


@router.answers(contract.DECRYPTOR)
async def decryptor(ports: Ports, request: contract.DecryptorRequest) -> contract.DecryptorResponse:
    return await handout.decryptor(ports, request)
