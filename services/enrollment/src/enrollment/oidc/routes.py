"""Path of the identity provider configuration (spec/enrollment-api.md §16)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.oidc import service
from enrollment.pipeline.incoming import counting_failures, receive_json
from enrollment.wire import json_response
from servicekit.edge.routing import LateRoute

router = APIRouter(prefix="/api/config", tags=["Configuration"], route_class=LateRoute)


@router.post("/oidc")
@counting_failures
async def get_provider_configuration(request: Request) -> Response:
    """Public fields of an identity provider; encrypted in application scope."""
    enrollment = enrollment_of(request)
    return json_response(await service.provider_configuration(enrollment.door, await receive_json(request)))
