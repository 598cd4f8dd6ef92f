"""Paths of the mobile token API (spec/enrollment-api.md §10)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of, user_agent
from enrollment.mobile_token import service
from enrollment.pipeline.incoming import receive_json
from enrollment.wire import json_response, ok_response
from powerauth_contracts.wire import json_bytes
from servicekit.edge.routing import LateRoute

router = APIRouter(prefix="/api/auth/token/app/operation", tags=["Mobile Token API"], route_class=LateRoute)


@router.post("/list")
async def list_operations(request: Request) -> Response:
    """Pending operations of the token's user."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    return json_response(
        json_bytes(await service.list_operations(enrollment, incoming, enrollment.language(request)))
    )


@router.post("/detail")
async def get_operation(request: Request) -> Response:
    """One pending operation."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    return json_response(
        json_bytes(await service.operation_detail(enrollment, incoming, enrollment.language(request)))
    )


@router.post("/detail/claim")
async def claim_operation(request: Request) -> Response:
    """Take over an operation that has no user yet."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    return json_response(
        json_bytes(await service.claim_operation(enrollment, incoming, enrollment.language(request)))
    )


@router.post("/history")
async def list_history(request: Request) -> Response:
    """The newest operations in every state; signed."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    return json_response(
        json_bytes(await service.operation_history(enrollment, incoming, enrollment.language(request)))
    )


@router.post("/authorize")
async def authorize_operation(request: Request) -> Response:
    """Approve an operation; the signature covers its data."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    await service.authorize_operation(
        enrollment.door, incoming, enrollment.client_address(request), user_agent(request)
    )
    return ok_response()


@router.post("/cancel")
async def cancel_operation(request: Request) -> Response:
    """Reject an operation; signed with possession."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    await service.cancel_operation(
        enrollment.door, incoming, enrollment.client_address(request), user_agent(request)
    )
    return ok_response()
