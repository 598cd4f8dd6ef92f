"""HTTP of the token calls (spec/core-api.md §11)."""

from powerauth_contracts.envelopes import SealedFields
from powerauth_contracts.rest import tokens as contract
from powerauth_core.envelopes.views import closed_envelope, sealed_fields
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.tokens import service
from powerauth_core.tokens.ports import Ports
from powerauth_core.tokens.views import validate_token

router = CallRouter("Tokens")


@router.answers(contract.CREATE)
async def create(ports: Ports, request: contract.CreateTokenRequest) -> SealedFields:
    sealed = await service.create_token(
        ports,
        activation_id=request.activation_id,
        application_ids=request.application_ids,
        signature_type=request.signature_type,
        closed=closed_envelope(request, request.application_key, request.protocol_version),
    )
    return sealed_fields(sealed)


@router.answers(contract.VALIDATE)
async def validate(ports: Ports, request: contract.ValidateTokenRequest) -> contract.ValidateTokenResponse:
    return await validate_token(ports, request)


@router.answers(contract.REMOVE)
async def remove(ports: Ports, request: contract.RemoveTokenRequest) -> contract.RemoveTokenResponse:
    removed = await service.remove_token(
        ports.database,
        token_id=request.token_id,
        activation_id=request.activation_id,
        application_ids=request.application_ids,
    )
    return contract.RemoveTokenResponse(removed=removed)
