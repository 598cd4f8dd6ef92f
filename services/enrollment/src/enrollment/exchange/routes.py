"""Paths of the echo endpoints (spec/enrollment-api.md §18)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.exchange import service
from enrollment.pipeline.incoming import counting_failures, receive_json
from enrollment.wire import json_response
from powerauth_contracts.dmz.models import SealedAnswer, SealedRequest
from powerauth_contracts.dmz.table import (
    EXCHANGE_GENERICS,
    EXCHANGE_RAW,
    EXCHANGE_SIGNED,
    EXCHANGE_STRING,
    SignedCall,
)
from powerauth_contracts.wire import json_bytes
from servicekit.edge.routing import LateRoute

PREFIX = "/exchange/v3"

router = APIRouter(prefix=PREFIX, tags=["Test exchange"], route_class=LateRoute)


@router.post("/application")
@counting_failures
async def echo_in_application_scope(request: Request) -> Response:
    """Echo in application scope."""
    incoming = await receive_json(request)
    return json_response(await service.echo_in_application_scope(enrollment_of(request).door, incoming))


@router.post("/activation")
@counting_failures
async def echo_in_activation_scope(request: Request) -> Response:
    """Echo in activation scope."""
    incoming = await receive_json(request)
    return json_response(
        json_bytes(await service.echo_in_activation_scope(enrollment_of(request).door, incoming))
    )


@router.post("/signed")
async def echo_signed(request: Request) -> Response:
    """Echo of a signed object."""
    return await _signed(request, EXCHANGE_SIGNED)


@router.post("/signed/string")
async def echo_signed_string(request: Request) -> Response:
    """Echo of a signed JSON string."""
    return await _signed(request, EXCHANGE_STRING)


@router.post("/signed/raw")
async def echo_signed_raw(request: Request) -> Response:
    """Echo of signed bytes."""
    return await _signed(request, EXCHANGE_RAW)


@router.post("/signed/generics")
async def echo_signed_wrapped(request: Request) -> Response:
    """Echo of a signed request object."""
    return await _signed(request, EXCHANGE_GENERICS)


async def _signed(request: Request, target: SignedCall[SealedRequest, SealedAnswer]) -> Response:
    incoming = await receive_json(request)
    return json_response(json_bytes(await service.echo_signed(enrollment_of(request).door, incoming, target)))
