"""Payloads for Apple (spec/push-api.md §10.3, §10.4)."""

from __future__ import annotations

import re
from typing import Any

from powerauth_contracts.moments import to_ms
from powerauth_protocol.common.json_text import write_json
from powerauth_push.providers.messages import Content, Message, Priority

MAX_PAYLOAD_BYTES = 4096
MAX_COLLAPSE_ID_BYTES = 64
_IMMEDIATELY, _POWER_SAVING = "10", "5"
_HEADER = re.compile("[!-~]+(?: +[!-~]+)*")
"""What may stand in a header: a blank at either end would cost the connection."""
_NOT_HEXADECIMAL = re.compile("[^0-9a-fA-F]+")
_APS = "aps"


def hexadecimal(token: str) -> str:
    """A device token without everything that is not a hexadecimal digit."""
    return _NOT_HEXADECIMAL.sub("", token)


def priority(message: Message) -> str:
    """`apns-priority`; a silent message never has the high one, which Apple forbids."""
    return _IMMEDIATELY if message.priority is Priority.HIGH and not message.silent else _POWER_SAVING


def push_type(message: Message) -> str:
    """`apns-push-type`."""
    return "background" if message.silent else "alert"


def expiration(content: Content) -> str:
    """`apns-expiration`: seconds since the epoch; 0 is one attempt without storing."""
    return "0" if content.valid_until is None else str(max(to_ms(content.valid_until) // 1000, 0))


def collapse_id(content: Content) -> str | None:
    """`apns-collapse-id`; None without one that Apple takes."""
    key = content.collapse_key
    return key if key and len(key) <= MAX_COLLAPSE_ID_BYTES and _HEADER.fullmatch(key) else None


def aps(message: Message, *, empty_alert: bool = False) -> dict[str, Any]:
    """The dictionary that the system reads.

    :param empty_alert: keep an alert that holds nothing
    """
    content = message.content
    members: dict[str, Any] = {}
    if not message.silent:
        shown = _alert(content)
        if shown or empty_alert:
            members["alert"] = shown
        if content.sound is not None:
            members["sound"] = content.sound
        if content.category is not None:
            members["category"] = content.category
    if content.badge is not None:
        members["badge"] = content.badge
    if message.silent:
        members["content-available"] = 1
    if content.collapse_key is not None:
        members["thread-id"] = content.collapse_key
    return members


def payload(message: Message) -> bytes:
    """The whole body: extras stand beside `aps`, those without a value or of that name are left out.

    :raises EncodingError: an extra is no JSON
    """
    extras = message.content.extras
    own = {name: value for name, value in extras.items() if value is not None and name != _APS}
    return write_json({_APS: aps(message), **own})


def _alert(content: Content) -> dict[str, Any]:
    named = (
        ("title", content.title),
        ("title-loc-key", content.title_loc_key),
        ("title-loc-args", _arguments(content.title_loc_key, content.title_loc_args)),
        ("body", content.body),
        ("loc-key", content.body_loc_key),
        ("loc-args", _arguments(content.body_loc_key, content.body_loc_args)),
    )
    return {name: value for name, value in named if value is not None}


def _arguments(key: str | None, arguments: tuple[str, ...]) -> tuple[str, ...] | None:
    return arguments if key is not None and arguments else None
