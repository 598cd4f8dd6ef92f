"""Paths of the passkey API (spec/device-trust.md §4.9)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of, user_agent
from enrollment.passkeys import service
from enrollment.passkeys.service import Browser
from enrollment.pipeline.incoming import counting_failures, receive_json
from enrollment.wire import ok_response
from servicekit.callers import parse_bearer
from servicekit.edge.routing import LateRoute

router = APIRouter(prefix="/api/passkey", tags=["Passkeys"], route_class=LateRoute)
_NAMED = {
    "parameters": [
        {
            "name": "activationId",
            "in": "path",
            "required": True,
            "description": "a passkey of the access token's user",
            "schema": {"type": "string", "minLength": 1},
        }
    ]
}


async def _browser(request: Request) -> Browser:
    return Browser(
        incoming=await receive_json(request),
        access_token=parse_bearer(request.headers.get("Authorization")),
        address=enrollment_of(request).client_address(request),
        user_agent=user_agent(request),
    )


@router.post("/registration/options")
@counting_failures
async def begin_passkey_registration(request: Request) -> Response:
    """What a browser needs to make a passkey; with a signature, an access token or a ticket."""
    browser = await _browser(request)
    return ok_response(await service.registration_options(enrollment_of(request).door, browser))


@router.post("/registration")
@counting_failures
async def register_passkey(request: Request) -> Response:
    """Register the passkey that the browser made."""
    browser = await _browser(request)
    return ok_response(await service.register(enrollment_of(request).door, browser))


@router.post("/assertion/options")
@counting_failures
async def begin_passkey_assertion(request: Request) -> Response:
    """What a browser needs to sign with a passkey; for an operation with an access token."""
    browser = await _browser(request)
    return ok_response(await service.assertion_options(enrollment_of(request).door, browser))


@router.post("/assertion")
@counting_failures
async def assert_passkey(request: Request) -> Response:
    """Sign in, or approve an operation."""
    browser = await _browser(request)
    return ok_response(await service.assert_passkey(enrollment_of(request).door, browser))


@router.get("")
@counting_failures
async def list_passkeys(request: Request) -> Response:
    """The passkeys of the access token's user."""
    browser = await _browser(request)
    return ok_response(await service.list_passkeys(enrollment_of(request).door, browser))


@router.post("/{activationId}/rename", openapi_extra=_NAMED)
@counting_failures
async def rename_passkey(request: Request) -> Response:
    """Give one of them another name."""
    browser = await _browser(request)
    await service.rename(enrollment_of(request).door, browser, request.path_params["activationId"])
    return ok_response()


@router.delete("/{activationId}", openapi_extra=_NAMED)
@counting_failures
async def remove_passkey(request: Request) -> Response:
    """Take one of them away."""
    browser = await _browser(request)
    await service.remove(enrollment_of(request).door, browser, request.path_params["activationId"])
    return ok_response()
