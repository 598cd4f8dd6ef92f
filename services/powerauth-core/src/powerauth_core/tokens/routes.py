"""HTTP of the token calls (spec/core-api.md §11)."""

from fastapi import APIRouter

from powerauth_contracts.envelopes import SealedFields
from powerauth_contracts.rest.tokens import (
    CreateTokenRequest,
    RemoveTokenRequest,
    RemoveTokenResponse,
    ValidateTokenRequest,
    ValidateTokenResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.kernel.answers import answer
from powerauth_core.tokens import service
from powerauth_core.tokens.ports import Running
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/token", tags=["Tokens"], route_class=JsonRoute)


@router.post("/create", response_model=ObjectResponse[SealedFields])
async def create(ports: Running, body: ObjectRequest[CreateTokenRequest]) -> JsonResponse:
    """Issue a token to an activation whose signature the caller has verified."""
    return answer(await service.create_token(ports, body.request_object))


@router.post("/validate", response_model=ObjectResponse[ValidateTokenResponse])
async def validate(ports: Running, body: ObjectRequest[ValidateTokenRequest]) -> JsonResponse:
    """Check a token header; each is accepted once."""
    return answer(await service.validate_token(ports, body.request_object))


@router.post("/remove", response_model=ObjectResponse[RemoveTokenResponse])
async def remove(ports: Running, body: ObjectRequest[RemoveTokenRequest]) -> JsonResponse:
    """Remove a token of an activation."""
    return answer(await service.remove_token(ports.database, body.request_object))
