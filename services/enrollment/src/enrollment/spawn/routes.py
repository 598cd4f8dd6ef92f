"""Path of the activation spawn (spec/enrollment-api.md §15)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.pipeline.incoming import counting_failures, receive_json
from enrollment.spawn import service
from enrollment.wire import json_response
from powerauth_contracts.wire import json_bytes
from servicekit.edge.routing import LateRoute

router = APIRouter(prefix="/api/activation", tags=["Activation spawn"], route_class=LateRoute)


@router.post("/code")
@counting_failures
async def create_activation_code(request: Request) -> Response:
    """An activation code for another application or phone; signed, then encrypted for the core."""
    incoming = await receive_json(request)
    return json_response(json_bytes(await service.activation_code(enrollment_of(request).door, incoming)))
