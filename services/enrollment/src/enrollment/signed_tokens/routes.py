"""Paths of signed tokens (spec/device-trust.md §2.5): bare JSON, OAuth's own errors."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.pipeline.incoming import counting_failures
from enrollment.published import Published
from enrollment.signed_tokens import service
from powerauth_contracts.dmz.table import (
    JWKS,
    JWT_DISCOVERY,
    JWT_INTROSPECT,
    JWT_REVOKE,
    JWT_TOKEN,
    JWT_USER_INFO,
)
from servicekit.edge.routing import LateRoute

router = APIRouter(tags=["Signed tokens"], route_class=LateRoute)
_APPLICATION = "/app/{applicationId}"
_NAMED = {
    "parameters": [
        {
            "name": "applicationId",
            "in": "path",
            "required": True,
            "description": "an application with keys of its own, whose tokens name this address as issuer",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
    ]
}


@router.get("/.well-known/openid-configuration")
@router.get(f"{_APPLICATION}/.well-known/openid-configuration", openapi_extra=_NAMED)
@counting_failures
async def get_openid_configuration(request: Request) -> Response:
    """The discovery document of an issuer."""
    return await _published(request, JWT_DISCOVERY)


@router.get("/oidc/jwks")
@router.get(f"{_APPLICATION}/oidc/jwks", openapi_extra=_NAMED)
@counting_failures
async def get_public_keys(request: Request) -> Response:
    """The public keys of an issuer."""
    return await _published(request, JWKS)


@router.post("/oidc/token")
async def issue_tokens(request: Request) -> Response:
    """Tokens for a grant."""
    form = await service.form_of(request)
    return await service.relayed(enrollment_of(request), request, JWT_TOKEN, form=form)


@router.post("/oidc/token/introspection")
async def introspect_token(request: Request) -> Response:
    """What a client may know of a token."""
    form = await service.form_of(request)
    return await service.relayed(enrollment_of(request), request, JWT_INTROSPECT, form=form)


@router.post("/oidc/token/revocation")
async def revoke_token(request: Request) -> Response:
    """Take a token back."""
    form = await service.form_of(request)
    return await service.relayed(enrollment_of(request), request, JWT_REVOKE, form=form)


@router.get("/oidc/userinfo")
async def get_token_user(request: Request) -> Response:
    """Claims about the user of an access token."""
    return await service.relayed(enrollment_of(request), request, JWT_USER_INFO)


async def _published(request: Request, target: Published) -> Response:
    document = await enrollment_of(request).published.get(target, request.path_params.get("applicationId"))
    return service.published(request, document)
