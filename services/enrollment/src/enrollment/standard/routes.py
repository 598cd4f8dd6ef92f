"""Paths and methods of the standard API (spec/enrollment-api.md §6.0): one table, mounted per generation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.core_client import CoreDoor
from enrollment.pipeline.incoming import Endpoint, Incoming, counting_failures, receive_any, receive_json
from enrollment.standard import activations, keystore, sealed, signatures, tokens, upgrade
from enrollment.standard.user_info import user_info
from enrollment.wire import json_response, ok_response
from powerauth_contracts.wire import json_bytes
from servicekit import clock
from servicekit.edge.routing import LateRoute

Forward = Callable[[CoreDoor, Incoming], Awaitable[Any]]
"""A use case that needs the core alone."""


async def get_server_status(request: Request) -> Response:
    """The server's time (ms) and name; devices correct their clocks with it."""
    settings = enrollment_of(request).settings
    application = {"name": settings.application_name, "version": settings.application_version}
    return ok_response({"serverTime": clock.now_ms(), "application": application})


@counting_failures
async def create_temporary_key(request: Request) -> Response:
    """A temporary encryption key for a signed request (JWT)."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    return ok_response(await keystore.create_temporary_key(enrollment.door, enrollment.limits, incoming))


@counting_failures
async def create_activation(request: Request) -> Response:
    """Key exchange; encrypted in application scope, with a second layer for the core."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    return json_response(await activations.create_activation(enrollment.door, enrollment.limits, incoming))


async def get_activation_status(request: Request) -> Response:
    """The encrypted status of an activation; random bytes for an unknown one."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    return ok_response(await activations.activation_status(enrollment.door, enrollment.limits, incoming))


async def validate_signature(request: Request) -> Response:
    """Verify a signature over any body or query."""
    incoming = await receive_any(request)
    query = request.scope.get("query_string", b"").decode("latin-1")
    await signatures.validate_signature(enrollment_of(request).door, incoming, request.method, query)
    return ok_response()


def _open(name: str, meaning: str, forward: Forward) -> Endpoint:
    """Answers in clear."""

    async def endpoint(request: Request) -> Response:
        incoming = await receive_json(request)
        return ok_response(await forward(enrollment_of(request).door, incoming))

    return _named(endpoint, name, meaning)


def _sealed(name: str, meaning: str, forward: Forward) -> Endpoint:
    """Answers what only the device opens; whoever tries envelopes counts on his address (D18)."""

    async def endpoint(request: Request) -> Response:
        incoming = await receive_json(request)
        return json_response(json_bytes(await forward(enrollment_of(request).door, incoming)))

    return counting_failures(_named(endpoint, name, meaning))


def _named(endpoint: Endpoint, name: str, meaning: str) -> Endpoint:
    endpoint.__name__, endpoint.__doc__ = name, meaning
    return endpoint


RESOURCES: Mapping[str, Endpoint] = {
    "/status": get_server_status,
    "/keystore/create": create_temporary_key,
    "/activation/create": create_activation,
    "/activation/status": get_activation_status,
    "/activation/remove": _open(
        "remove_activation", "Remove the signing activation.", activations.remove_activation
    ),
    "/activation/detail": _sealed(
        "get_activation_detail",
        "Name of the token's activation; encrypted in activation scope.",
        activations.activation_detail,
    ),
    "/activation/rename": _sealed(
        "rename_activation",
        "Rename the signing activation; signed, then encrypted in activation scope.",
        activations.rename_activation,
    ),
    "/token/create": _sealed(
        "create_token", "Issue a token; encrypted for the core, then signed.", sealed.create_token
    ),
    "/token/remove": _open("remove_token", "Remove a token of the signing activation.", tokens.remove_token),
    "/vault/unlock": _sealed(
        "unlock_vault", "Hand out the vault key; encrypted for the core, then signed.", sealed.unlock_vault
    ),
    "/upgrade/start": _sealed(
        "start_upgrade",
        "Start the protocol upgrade of an old activation; encrypted for the core.",
        upgrade.start_upgrade,
    ),
    "/upgrade/commit": _open(
        "commit_upgrade", "Commit the protocol upgrade of the signing activation.", upgrade.commit_upgrade
    ),
    "/recovery/confirm": _sealed(
        "confirm_recovery",
        "Confirm a recovery code; encrypted for the core, then signed.",
        sealed.confirm_recovery,
    ),
    "/user/info": _sealed(
        "get_user_info", "Claims about the user; encrypted in activation scope.", user_info
    ),
}
"""What is posted where, below the prefix of a generation."""


def standard_router(prefix: str) -> APIRouter:
    """The standard API under ``/pa/v3`` or the prefix of another generation."""
    router = APIRouter(prefix=prefix, tags=["PowerAuth Standard API"], route_class=LateRoute)
    for path, endpoint in RESOURCES.items():
        router.add_api_route(path, endpoint, methods=["POST"])
    router.add_api_route(
        "/signature/validate",
        validate_signature,
        methods=["GET", "POST", "PUT", "DELETE"],
        include_in_schema=False,
    )
    return router
