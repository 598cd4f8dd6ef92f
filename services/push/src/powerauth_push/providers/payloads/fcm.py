"""Messages for Google, HTTP v1 (spec/push-api.md §11.2, §11.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from powerauth_protocol.common.json_text import characters, write_json
from powerauth_push.providers.messages import Message
from powerauth_push.providers.payloads import apns
from powerauth_push.providers.payloads.localized import texts
from powerauth_push.providers.payloads.validity import seconds_left

MAX_TTL_SECONDS = 2_419_200
"""Four weeks."""
MAX_PAYLOAD_BYTES = 4096
_RESERVED = ("from", "message_type")
_RESERVED_PREFIXES = ("google", "gcm")
NOTIFICATION_IN_DATA = "_notification"
_PRIORITIES = {"HIGH": "PRIORITY_HIGH", "NORMAL": "PRIORITY_DEFAULT"}


class NotTaken(Exception):
    """Google would refuse a message, whoever it is for; the text is out of a short list."""


def body(message: Message, token: str, now: datetime, *, data_only: bool = False) -> bytes:
    """The request's body.

    :param data_only: what is to be shown goes to the app as data, whichever way it then shows it
    :raises EncodingError: an extra is no JSON
    :raises NotTaken: Google would refuse it
    """
    content = message.content
    sent: dict[str, Any] = {"token": token}
    data = {name: _text(value) for name, value in content.extras.items() if value is not None}
    if any(name in _RESERVED or name.startswith(_RESERVED_PREFIXES) for name in data):
        raise NotTaken("extras with a reserved name")
    if data_only:
        data[NOTIFICATION_IN_DATA] = write_json(_notification(message)).decode()
    if data:
        sent["data"] = data
    android = sent["android"] = _android(message, now, shown=not message.silent and not data_only)
    if _size(data) + len(write_json(android.get("notification", {}))) > MAX_PAYLOAD_BYTES:
        raise NotTaken("PayloadTooLarge")
    sent["apns"] = _apns(message)
    return write_json({"message": sent})


def question(token: str) -> bytes:
    """A request that delivers nothing and can be refused for nothing but its token."""
    return write_json({"validate_only": True, "message": {"token": token, "data": {"question": "1"}}})


def _size(data: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in data.items())


def _android(message: Message, now: datetime, *, shown: bool) -> dict[str, Any]:
    content = message.content
    members: dict[str, Any] = {"priority": message.priority.value}
    if content.collapse_key is not None:
        members["collapse_key"] = content.collapse_key
    left = seconds_left(content, now, MAX_TTL_SECONDS)
    if left is not None:
        members["ttl"] = f"{left}s"
    if shown:
        members["notification"] = _notification(message)
    return members


def _notification(message: Message) -> dict[str, Any]:
    content = message.content
    members = texts(content)
    if content.sound is not None:
        members["sound"] = content.sound
    members["notification_priority"] = _PRIORITIES[message.priority]
    if content.badge is not None and content.badge >= 0:
        members["notification_count"] = content.badge
    return members


def _apns(message: Message) -> dict[str, Any]:
    """For tokens of iOS apps. Google itself copies `data` into what they get."""
    headers = {"apns-priority": apns.priority(message), "apns-push-type": apns.push_type(message)}
    collapse_id = apns.collapse_id(message.content)
    if collapse_id is not None:
        headers["apns-collapse-id"] = collapse_id
    return {"headers": headers, "payload": {"aps": apns.aps(message, empty_alert=True)}}


def _text(value: object) -> str:
    """Values of `data` are texts; what is none is written as JSON."""
    if isinstance(value, str):
        return value
    plain = characters(value)
    return plain if isinstance(plain, str) else write_json(value).decode()
