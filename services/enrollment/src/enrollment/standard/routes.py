"""Paths and methods of the standard API (spec/enrollment-api.md §6.0)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.pipeline.failures import counting_failures
from enrollment.pipeline.incoming import receive_any, receive_json
from enrollment.standard import activations, keystore, sealed, signatures, tokens, upgrade
from enrollment.standard.user_info import user_info
from enrollment.wire import json_response, ok_response
from powerauth_contracts.wire import json_bytes
from servicekit import clock
from servicekit.routing import DirectRoute

router = APIRouter(prefix="/pa/v3", tags=["PowerAuth Standard API"], route_class=DirectRoute)


@router.post("/status")
async def get_server_status(request: Request) -> Response:
    """The server's time (ms) and name; devices correct their clocks with it."""
    settings = enrollment_of(request).settings
    application = {"name": settings.application_name, "version": settings.application_version}
    return ok_response({"serverTime": clock.now_ms(), "application": application})


@router.post("/keystore/create")
@counting_failures
async def create_temporary_key(request: Request) -> Response:
    """A temporary encryption key for a signed request (JWT)."""
    enrollment = enrollment_of(request)
    return ok_response(await keystore.create_temporary_key(enrollment, await receive_json(request)))


@router.post("/activation/create")
@counting_failures
async def create_activation(request: Request) -> Response:
    """Key exchange; encrypted in application scope, with a second layer for the core."""
    enrollment = enrollment_of(request)
    return json_response(await activations.create_activation(enrollment, await receive_json(request)))


@router.post("/activation/status")
async def get_activation_status(request: Request) -> Response:
    """The encrypted status of an activation; random bytes for an unknown one."""
    incoming = await receive_json(request)
    return ok_response(await activations.activation_status(enrollment_of(request), incoming))


@router.post("/activation/remove")
async def remove_activation(request: Request) -> Response:
    """Remove the signing activation."""
    incoming = await receive_json(request)
    return ok_response(await activations.remove_activation(enrollment_of(request), incoming))


@router.post("/activation/detail")
@counting_failures
async def get_activation_detail(request: Request) -> Response:
    """Name of the token's activation; encrypted in activation scope."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await activations.activation_detail(enrollment_of(request), incoming)))


@router.post("/activation/rename")
@counting_failures
async def rename_activation(request: Request) -> Response:
    """Rename the signing activation; signed, then encrypted in activation scope."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await activations.rename_activation(enrollment_of(request), incoming)))


@router.post("/token/create")
@counting_failures
async def create_token(request: Request) -> Response:
    """Issue a token; encrypted for the core, then signed."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await sealed.create_token(enrollment_of(request), incoming)))


@router.post("/token/remove")
async def remove_token(request: Request) -> Response:
    """Remove a token of the signing activation."""
    incoming = await receive_json(request)
    return ok_response(await tokens.remove_token(enrollment_of(request), incoming))


@router.post("/vault/unlock")
@counting_failures
async def unlock_vault(request: Request) -> Response:
    """Hand out the vault key; encrypted for the core, then signed."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await sealed.unlock_vault(enrollment_of(request), incoming)))


@router.api_route("/signature/validate", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
async def validate_signature(request: Request) -> Response:
    """Verify a signature over any body or query."""
    incoming = await receive_any(request)
    query = request.scope.get("query_string", b"").decode("latin-1")
    await signatures.validate_signature(enrollment_of(request), incoming, request.method, query)
    return ok_response()


@router.post("/upgrade/start")
@counting_failures
async def start_upgrade(request: Request) -> Response:
    """Start the protocol upgrade of an old activation; encrypted for the core."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await upgrade.start_upgrade(enrollment_of(request), incoming)))


@router.post("/upgrade/commit")
async def commit_upgrade(request: Request) -> Response:
    """Commit the protocol upgrade of the signing activation."""
    incoming = await receive_json(request)
    await upgrade.commit_upgrade(enrollment_of(request), incoming)
    return ok_response()


@router.post("/recovery/confirm")
@counting_failures
async def confirm_recovery(request: Request) -> Response:
    """Confirm a recovery code; encrypted for the core, then signed."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await sealed.confirm_recovery(enrollment_of(request), incoming)))


@router.post("/user/info")
@counting_failures
async def get_user_info(request: Request) -> Response:
    """Claims about the user; encrypted in activation scope."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await user_info(enrollment_of(request), incoming)))
