"""HTTP side of the key exchange (spec/core-api.md §7, §8)."""

from powerauth_contracts.rest import exchange as contract
from powerauth_core.exchange import key_exchange, recovery
from powerauth_core.exchange.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Activations")
recovery_router = CallRouter("Recovery")


@router.answers(contract.PREPARE)
async def prepare(ports: Ports, request: contract.PrepareActivationRequest) -> contract.KeyExchangeResponse:
    return await key_exchange.prepare_activation(ports, request)


@router.answers(contract.CREATE)
async def create(ports: Ports, request: contract.CreateActivationRequest) -> contract.KeyExchangeResponse:
    return await key_exchange.create_activation(ports, request)


@recovery_router.answers(contract.RECOVERY_CREATE)
async def create_by_recovery_code(
    ports: Ports, request: contract.CreateActivationByRecoveryRequest
) -> contract.KeyExchangeResponse:
    return await recovery.create_activation(ports, request)
