"""Which inbox requests are usable, and what of a message a device sees (spec/enrollment-api.md §14)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from enrollment.errors import InvalidRequest
from enrollment.push.rules import Caller
from enrollment.wire import JsonObject, wire_date

DEFAULT_SIZE = 50
LARGEST_SIZE = 100
LARGEST_PAGE = 1_000_000
LONGEST_ID = 255

HEAD_FIELDS = ("id", "type", "subject", "summary", "read")


def check_page(request: JsonObject | None) -> tuple[int, int, bool]:
    """Return page (0-based), size and whether only unread messages are asked for.

    :raises InvalidRequest: for a missing request object or a value out of range.
    """
    if request is None:
        raise InvalidRequest
    page = _whole_number(request, "page", default=0, lowest=0, highest=LARGEST_PAGE)
    size = _whole_number(request, "size", default=DEFAULT_SIZE, lowest=1, highest=LARGEST_SIZE)
    only_unread = request.get("onlyUnread")
    if not isinstance(only_unread, bool | None):
        raise InvalidRequest
    return page, size, bool(only_unread)


def check_id(request: JsonObject | None) -> str:
    """Return the message id of a request.

    :raises InvalidRequest: when it is missing, empty or longer than 255 characters.
    """
    message_id = request.get("id") if request is not None else None
    if not isinstance(message_id, str) or not 1 <= len(message_id) <= LONGEST_ID:
        raise InvalidRequest
    return message_id


def belongs_to(message: Mapping[str, object], caller: Caller) -> bool:
    """Whether a message is of the caller's user and listed for the caller's application."""
    applications = message.get("applications")
    return (
        message.get("userId") == caller.user_id
        and isinstance(applications, list)
        and caller.application_id in applications
    )


def message_head(message: Mapping[str, object]) -> JsonObject:
    """Return what a list shows of a message.

    :raises ValueError: when the push service's date cannot be read.
    """
    head: JsonObject = {name: message[name] for name in HEAD_FIELDS if message.get(name) is not None}
    head["timestampCreated"] = _wire_moment(message.get("timestampCreated"))
    return head


def message_detail(message: Mapping[str, object]) -> JsonObject:
    """Return a message with its body.

    :raises ValueError: when the push service's date cannot be read.
    """
    return message_head(message) | {"body": message.get("body") or ""}


def _wire_moment(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return wire_date(value)
    if not isinstance(value, str):
        raise ValueError("no date")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return wire_date(int(moment.timestamp() * 1000))


def _whole_number(request: JsonObject, name: str, *, default: int, lowest: int, highest: int) -> int:
    value = request.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise InvalidRequest
    return value
