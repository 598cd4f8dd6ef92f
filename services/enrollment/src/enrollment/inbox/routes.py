"""Paths of the inbox (spec/enrollment-api.md §14); present only where a push service is configured."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from enrollment.container import enrollment_of
from enrollment.inbox import service
from enrollment.pipeline.incoming import receive_json
from enrollment.wire import json_response
from powerauth_contracts.wire import json_bytes
from servicekit.edge.routing import LateRoute

router = APIRouter(prefix="/api/inbox", tags=["Inbox"], route_class=LateRoute)


@router.post("/count")
async def count_unread(request: Request) -> Response:
    """Number of unread messages."""
    enrollment = enrollment_of(request)
    answer = await service.count_unread(
        enrollment.door, enrollment.push_client(), await receive_json(request)
    )
    return json_response(json_bytes(answer))


@router.post("/message/list")
async def list_messages(request: Request) -> Response:
    """A page of messages, newest first."""
    enrollment = enrollment_of(request)
    answer = await service.list_messages(
        enrollment.door, enrollment.push_client(), await receive_json(request)
    )
    return json_response(json_bytes(answer))


@router.post("/message/detail")
async def get_message(request: Request) -> Response:
    """One message with its body."""
    enrollment, incoming = enrollment_of(request), await receive_json(request)
    answer = await service.message(enrollment.door, enrollment.push_client(), incoming)
    return json_response(json_bytes(answer))


@router.post("/message/read")
async def mark_read(request: Request) -> Response:
    """Mark one message as read."""
    enrollment = enrollment_of(request)
    answer = await service.mark_read(enrollment.door, enrollment.push_client(), await receive_json(request))
    return json_response(json_bytes(answer))


@router.post("/message/read-all")
async def mark_all_read(request: Request) -> Response:
    """Mark all messages as read."""
    enrollment = enrollment_of(request)
    answer = await service.mark_all_read(
        enrollment.door, enrollment.push_client(), await receive_json(request)
    )
    return json_response(json_bytes(answer))
