"""What is announced, for how long, and how often is tried, without I/O (spec/cloud-api.md §13)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from cloud_private_api.access.rules import Caller
from powerauth_contracts import moments
from powerauth_contracts.rest.operations import OperationDetailResponse
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.json_text import read_json
from servicekit import tracing

LEASE = timedelta(seconds=15)
"""When others may take what a process has taken: it was killed, or cannot keep up."""
LATE = timedelta(seconds=2)
"""What waits for longer in the process that stored it is sent only if its operation is still pending."""
INBOX_VALIDITY = timedelta(days=1)
"""For how long a message of the inbox is announced."""
LONGEST_TITLE = 255
LONGEST_BODY = 512
"""In characters: the 4 KiB that providers take hold both in any script, with what belongs to a message."""
_LONGEST_PAUSE = timedelta(seconds=30)
_SOUND = "default"
_OPERATION = "operationId"


class Outcome(Enum):
    """What became of an announcement; all but the last are final."""

    SENT = "sent"
    REFUSED = "refused"
    EXPIRED = "expired"
    OUTDATED = "outdated"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message for the phones of a user.

    :ivar id: of what it announces; push sends nothing twice under it
    :ivar applications: that push knows
    :ivar message: as push takes it
    :ivar flag: only activations that have it get the message
    :ivar attempts: that have failed
    :ivar waited: it was taken from its row, so nobody can say for how long it has lain there
    :ivar traceparent: of the trace in which it came about, if that is recorded
    """

    id: str
    applications: Sequence[str]
    message: Mapping[str, Any] = field(repr=False)
    created: datetime
    expires: datetime
    flag: str | None = None
    attempts: int = 0
    waited: bool = False
    traceparent: str | None = field(default_factory=tracing.stored)

    @property
    def operation_id(self) -> str | None:
        """The operation that it announces, if it is one."""
        found: str | None = self.message["body"]["extras"].get(_OPERATION)
        return found

    @property
    def user_id(self) -> str:
        """Whose phones get it."""
        user_id: str = self.message["userId"]
        return user_id


def of_operation(
    operation: OperationDetailResponse, applications: Sequence[str], title: str, body: str, now: datetime
) -> Announcement:
    """``operationInit`` (§13.2)."""
    extras = {
        "messageType": "mtoken.operationInit",
        _OPERATION: operation.id,
        "operationName": operation.operation_type,
    }
    if operation.activation_id is not None:
        extras["activationId"] = operation.activation_id
    message = message_to(
        operation.user_id,
        _shortened(title, LONGEST_TITLE),
        _shortened(body, LONGEST_BODY),
        extras,
        activation_id=operation.activation_id,
        category=operation.operation_type,
        validUntil=moments.isoformat_core(operation.timestamp_expires),
    )
    flag = operation.activation_flag if operation.activation_id is None else None
    return Announcement(operation.id, applications, message, now, operation.timestamp_expires, flag)


def of_inbox_message(
    message_id: str, user_id: str, applications: Sequence[str], subject: str, summary: str, now: datetime
) -> Announcement:
    """``inboxMessage.new`` (§9.2)."""
    extras = {"messageType": "mtoken.inboxMessage.new", "inboxId": message_id}
    message = message_to(user_id, subject, summary, extras)
    return Announcement(message_id, applications, message, now, now + INBOX_VALIDITY)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def message_to(
    user_id: str | None,
    title: str | None,
    body: str | None,
    extras: Mapping[str, Any] | None,
    *,
    activation_id: str | None = None,
    silent: bool = False,
    sound: str | None = _SOUND,
    **shown: str,
) -> dict[str, Any]:
    """A personal message as push takes it (§9.1)."""
    return {
        "userId": user_id,
        "activationId": activation_id,
        "priority": "HIGH",
        "attributes": {"silent": silent, "personal": True},
        "body": {"title": title, "body": body, "sound": sound, "extras": extras, **shown},
    }


def key_at_push(caller: Caller, key: str | None) -> str | None:
    """The key of a caller as push gets it: nobody's is that of another caller, or of an announcement."""
    if key is None:
        return None
    return "message " + hashlib.sha256(json_bytes([caller.username, key])).hexdigest()


def content_text(announcement: Announcement) -> str:
    """An announcement as its row holds it."""
    content = {
        "applications": announcement.applications,
        "flag": announcement.flag,
        "message": announcement.message,
        tracing.HEADER: announcement.traceparent,
    }
    return json_bytes(content).decode()


def read(row_id: str, content: str, created: datetime, expires: datetime, attempts: int) -> Announcement:
    """The announcement that a row holds."""
    members = read_json(content)
    return Announcement(
        row_id,
        members["applications"],
        members["message"],
        created,
        expires,
        members["flag"],
        attempts,
        waited=True,
        traceparent=members.get(tracing.HEADER),
    )


def is_late(announcement: Announcement, now: datetime) -> bool:
    """Whether what it announces may be over."""
    return announcement.waited or now - announcement.created > LATE


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts."""
    return min(timedelta(seconds=2 ** min(attempts, 10)), _LONGEST_PAUSE)
