"""Messages for Huawei Push Kit (spec/push-api.md §12.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from powerauth_protocol.common.json_text import write_json
from powerauth_push.providers.messages import Content, Message, Priority
from powerauth_push.providers.payloads.localized import texts
from powerauth_push.providers.payloads.validity import seconds_left

MAX_TTL_SECONDS = 1_296_000
"""15 days."""
MAX_BADGE = 99
_OPEN_THE_APP = 3
_COLLAPSE_KEYS = range(-1, 101)
_INTEGER = re.compile(r"([+-]?)(?:(?:0[xX]|#)([0-9a-fA-F]{1,8})|0([0-7]{1,11})|([0-9]{1,10}))")
_SOUND_FOLDER = "/raw/"


@dataclass(frozen=True, slots=True)
class HmsStyle:
    """What an application decides on.

    :ivar badge_class: entry activity of the app, which some launchers need for its badge
    :ivar high_importance: the app has Huawei's permission for `HIGH`
    """

    badge_class: str | None = None
    high_importance: bool = False


def body(message: Message, token: str, now: datetime, style: HmsStyle) -> bytes | None:
    """The request's body; None: a silent message without extras has no content, and Huawei refuses it.

    Members that are not set are left out: Huawei's own defaults ring and are shown in the foreground.

    :raises EncodingError: an extra is no JSON
    """
    content = message.content
    extras = {name: value for name, value in content.extras.items() if value is not None}
    if message.silent and not extras:
        return None
    sent: dict[str, Any] = {"token": [token]}
    if extras:
        sent["data"] = write_json(extras).decode()
    sent["android"] = _android(message, now, style)
    return write_json({"validate_only": False, "message": sent})


def collapse_key(text: str | None) -> int | None:
    """The group of messages that a text names: -1, 0 or 1 to 100 in decimal, hexadecimal or octal."""
    found = _INTEGER.fullmatch(text or "")
    if found is None:
        return None
    sign, hexadecimal, octal, decimal = found.groups()
    size = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    value = -size if sign == "-" else size
    return value if value in _COLLAPSE_KEYS else None


def _android(message: Message, now: datetime, style: HmsStyle) -> dict[str, Any]:
    content = message.content
    members: dict[str, Any] = {}
    group = collapse_key(content.collapse_key)
    if group is not None:
        members["collapse_key"] = group
    left = seconds_left(content, now, MAX_TTL_SECONDS)
    if left is not None:
        members["ttl"] = f"{left}s"
    if not message.silent:
        members["notification"] = _notification(content, message.priority, style)
    return members


def _notification(content: Content, priority: Priority, style: HmsStyle) -> dict[str, Any]:
    members = texts(content)
    # Any other name is none of a file in the app, and Huawei's default sound is what was meant.
    if content.sound is not None and content.sound.startswith(_SOUND_FOLDER):
        members["sound"] = content.sound
    members["importance"] = "HIGH" if priority is Priority.HIGH and style.high_importance else "NORMAL"
    members["click_action"] = {"type": _OPEN_THE_APP}
    if content.badge is not None:
        badge: dict[str, Any] = {"set_num": min(max(content.badge, 0), MAX_BADGE)}
        if style.badge_class:
            badge["class"] = style.badge_class
        members["badge"] = badge
    return members
