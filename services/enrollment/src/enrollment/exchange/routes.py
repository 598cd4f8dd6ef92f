"""Paths of the echo endpoints (spec/enrollment-api.md §18)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.exchange import service
from enrollment.pipeline.failures import counting_failures
from enrollment.pipeline.incoming import receive_json
from enrollment.wire import json_response
from powerauth_protocol.ecies import Scope
from servicekit.routing import DirectRoute

PREFIX = "/exchange/v3"

router = APIRouter(prefix=PREFIX, tags=["Test exchange"], route_class=DirectRoute)


@router.post("/application")
@counting_failures
async def echo_in_application_scope(request: Request) -> Response:
    """Echo in application scope."""
    incoming = await receive_json(request)
    return json_response(await service.echo(enrollment_of(request), incoming, Scope.APPLICATION))


@router.post("/activation")
@counting_failures
async def echo_in_activation_scope(request: Request) -> Response:
    """Echo in activation scope."""
    incoming = await receive_json(request)
    return json_response(await service.echo(enrollment_of(request), incoming, Scope.ACTIVATION))


@router.post("/signed")
async def echo_signed(request: Request) -> Response:
    """Echo of a signed object."""
    incoming = await receive_json(request)
    return json_response(await service.echo_signed(enrollment_of(request), incoming, f"{PREFIX}/signed"))


@router.post("/signed/string")
async def echo_signed_string(request: Request) -> Response:
    """Echo of a signed JSON string."""
    incoming = await receive_json(request)
    return json_response(
        await service.echo_string(enrollment_of(request), incoming, f"{PREFIX}/signed/string")
    )


@router.post("/signed/raw")
async def echo_signed_raw(request: Request) -> Response:
    """Echo of signed bytes."""
    incoming = await receive_json(request)
    return json_response(await service.echo_raw(enrollment_of(request), incoming, f"{PREFIX}/signed/raw"))


@router.post("/signed/generics")
async def echo_signed_wrapped(request: Request) -> Response:
    """Echo of a signed request object."""
    incoming = await receive_json(request)
    return json_response(
        await service.echo_wrapped(enrollment_of(request), incoming, f"{PREFIX}/signed/generics")
    )
