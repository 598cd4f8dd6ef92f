"""HTTP of the inbox (spec/cloud-api.md §9.2, §9.3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from cloud_private_api.inbox import service
from cloud_private_api.inbox.ports import Running
from cloud_private_api.parameters import (
    AppIdQuery,
    IdempotencyKeyHeader,
    Page,
    QueryBool,
    QueryInt,
    UserIdQuery,
)
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import inbox as contract
from powerauth_contracts.cloud.inbox import CreateInboxMessage, ReadAllMessages
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Inbox")

MessageIdPath = Annotated[str, Path(alias="id")]


@router.answers(contract.CREATE_INBOX_MESSAGE)
async def create_message(
    ports: Running, caller: CallerDep, request: CreateInboxMessage, key: IdempotencyKeyHeader = None
) -> Response:
    """Store a message for a user, and tell the user's phones."""
    made = await service.create(
        ports,
        caller,
        user_id=request.user_id,
        subject=request.subject,
        summary=request.summary,
        body=request.body,
        kind=request.type,
        applications=request.applications,
        silent=request.silent,
        key=key,
    )
    return answer(made)


@router.answers(contract.LIST_INBOX_MESSAGES)
async def list_messages(
    ports: Running,
    caller: CallerDep,
    user_id: UserIdQuery,
    only_unread: Annotated[QueryBool, Query(alias="onlyUnread")] = False,
    page: Annotated[QueryInt, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[QueryInt, Query(ge=1, le=1000)] = 500,
) -> Response:
    """A user's messages, newest first."""
    part = Page(number=page, size=size)
    return answer(await service.list_of_user(ports, caller, user_id, part, only_unread=only_unread))


@router.answers(contract.COUNT_INBOX_MESSAGES)
async def count_messages(
    ports: Running, caller: CallerDep, user_id: UserIdQuery, app_id: AppIdQuery = None
) -> Response:
    """How many messages of a user are unread."""
    return answer(await service.count(ports, caller, user_id, app_id))


@router.answers(contract.READ_ALL_INBOX_MESSAGES)
async def mark_all_read(ports: Running, caller: CallerDep, request: ReadAllMessages) -> Response:
    """Mark all messages of a user as read."""
    await service.mark_all_read(ports, caller, request.user_id, request.app_id)
    return answer(StatusResponse())


@router.answers(contract.GET_INBOX_MESSAGE)
async def get_message(ports: Running, caller: CallerDep, message_id: MessageIdPath) -> Response:
    """A whole message."""
    return answer(await service.detail(ports, caller, message_id))


@router.answers(contract.READ_INBOX_MESSAGE)
async def mark_read(ports: Running, caller: CallerDep, message_id: MessageIdPath) -> Response:
    """Mark a message as read."""
    await service.mark_read(ports, caller, message_id)
    return answer(StatusResponse())
