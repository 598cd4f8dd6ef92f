"""Messages as tables hold them: bodies as on the wire, compact (spec/push-api.md §9, §19)."""

from __future__ import annotations

from powerauth_contracts.push.messages import MessageBody
from powerauth_contracts.wire import json_bytes, to_json
from powerauth_protocol.common.json_text import read_json
from powerauth_push.providers.messages import Content, Message, Priority


def body_text(body: MessageBody) -> str:
    """A body, members that are not set left out."""
    return to_json(body, exclude_none=True).decode()


def content_of(body: MessageBody) -> Content:
    """What a body says."""
    return Content(
        title=body.title,
        title_loc_key=body.title_loc_key,
        title_loc_args=tuple(body.title_loc_args or ()),
        body=body.body,
        body_loc_key=body.body_loc_key,
        body_loc_args=tuple(body.body_loc_args or ()),
        icon=body.icon,
        badge=body.badge,
        sound=body.sound,
        category=body.category,
        collapse_key=body.collapse_key,
        valid_until=body.valid_until,
        extras=body.extras or {},
    )


def message_text(body: MessageBody, *, priority: str, silent: bool, personal: bool) -> str:
    """A whole message, as the queue holds it."""
    attributes = {"priority": priority, "silent": silent, "personal": personal}
    return json_bytes({"body": body, **attributes}).decode()


def read_message(text: str) -> Message:
    """A message of the queue."""
    members = read_json(text)
    return Message(
        content=content_of(MessageBody.model_validate(members["body"])),
        priority=Priority(members["priority"]),
        silent=members["silent"],
        personal=members["personal"],
    )
