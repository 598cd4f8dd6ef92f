"""HTTP of the token calls (spec/core-api.md §11)."""

from powerauth_contracts.envelopes import SealedFields
from powerauth_contracts.rest import tokens as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.tokens import service
from powerauth_core.tokens.ports import Ports

router = CallRouter("Tokens")


@router.answers(contract.CREATE)
async def create(ports: Ports, request: contract.CreateTokenRequest) -> SealedFields:
    return await service.create_token(ports, request)


@router.answers(contract.VALIDATE)
async def validate(ports: Ports, request: contract.ValidateTokenRequest) -> contract.ValidateTokenResponse:
    return await service.validate_token(ports, request)


@router.answers(contract.REMOVE)
async def remove(ports: Ports, request: contract.RemoveTokenRequest) -> contract.RemoveTokenResponse:
    return await service.remove_token(ports.database, request)
