"""Paths of push registration (spec/enrollment-api.md §13); only where a push service is configured."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.pipeline.incoming import receive_json
from enrollment.push import service
from enrollment.wire import ok_response
from servicekit.edge.routing import LateRoute

router = APIRouter(prefix="/api/push/device", tags=["Push registration"], route_class=LateRoute)


@router.post("/register")
@router.post("/register/token")
async def register_device(request: Request) -> Response:
    """Register the device of the token's activation for push messages."""
    enrollment = enrollment_of(request)
    await service.register_device(enrollment.door, enrollment.push_client(), await receive_json(request))
    return ok_response()
