"""The inbox of the token's user in the token's application (spec/enrollment-api.md §14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enrollment.core_client import CoreDoor
from enrollment.errors import InboxFailed
from enrollment.inbox.rules import belongs_to, check_id, check_page, message_detail, message_head
from enrollment.pipeline.incoming import Incoming
from enrollment.push.rules import Caller
from enrollment.push.service import who_am_i
from enrollment.push_client import PushClient, PushRefused
from enrollment.wire import JsonObject, ok_object, request_object
from powerauth_contracts.push import inbox
from powerauth_contracts.push.calls import PushCall


async def count_unread(door: CoreDoor, push: PushClient, incoming: Incoming) -> JsonObject:
    """Return how many messages are unread."""
    caller = await who_am_i(door, incoming, "inbox/count")
    asked = {"userId": caller.user_id, "appId": caller.application_id}
    try:
        counted = (await push.ask(inbox.COUNT, asked, caller.statement)).get("responseObject")
    except PushRefused:
        raise InboxFailed from None
    if not isinstance(counted, dict) or not isinstance(counted.get("countUnread"), int):
        raise InboxFailed
    return ok_object({"countUnread": counted["countUnread"]})


async def list_messages(door: CoreDoor, push: PushClient, incoming: Incoming) -> JsonObject:
    """Return one page of messages, newest first."""
    caller = await who_am_i(door, incoming, "inbox/message/list")
    page, size, only_unread = check_page(request_object(incoming.body))
    asked = {
        "userId": caller.user_id,
        "applications": caller.application_id,
        "onlyUnread": only_unread,
        "page": page,
        "size": size,
    }
    try:
        messages = (await push.ask(inbox.LIST, asked, caller.statement)).get("responseObject")
        if not isinstance(messages, list):
            raise InboxFailed
        return ok_object([message_head(message) for message in messages], page=page, size=size)
    except (PushRefused, ValueError, KeyError, AttributeError):
        raise InboxFailed from None


async def message(door: CoreDoor, push: PushClient, incoming: Incoming) -> JsonObject:
    """Return one message of the caller."""
    caller = await who_am_i(door, incoming, "inbox/message/detail")
    found = await _own_message(push, caller, check_id(request_object(incoming.body)))
    try:
        return ok_object(message_detail(found))
    except ValueError:
        raise InboxFailed from None


async def mark_read(door: CoreDoor, push: PushClient, incoming: Incoming) -> JsonObject:
    """Mark one message of the caller as read; once is enough."""
    caller = await who_am_i(door, incoming, "inbox/message/read")
    message_id = check_id(request_object(incoming.body))
    found = await _own_message(push, caller, message_id)
    if not found.get("read"):
        await _change(push, inbox.READ, {"inboxId": message_id}, caller)
    return ok_object()


async def mark_all_read(door: CoreDoor, push: PushClient, incoming: Incoming) -> JsonObject:
    """Mark all messages of the caller as read."""
    caller = await who_am_i(door, incoming, "inbox/message/read-all")
    await _change(push, inbox.READ_ALL, {"userId": caller.user_id, "appId": caller.application_id}, caller)
    return ok_object()


async def _own_message(push: PushClient, caller: Caller, message_id: str) -> JsonObject:
    """A message of another user or application is answered like an unknown one.

    :raises InboxFailed: when it is not the caller's or the push service fails.
    """
    try:
        answer = await push.ask(inbox.DETAIL, {"id": message_id}, caller.statement)
    except PushRefused:
        raise InboxFailed from None
    found = answer.get("responseObject")
    if not isinstance(found, dict) or not belongs_to(found, caller):
        raise InboxFailed
    return found


async def _change(
    push: PushClient, call: PushCall[Any, Any], request: Mapping[str, str], caller: Caller
) -> None:
    try:
        await push.ask(call, request, caller.statement)
    except PushRefused:
        raise InboxFailed from None
