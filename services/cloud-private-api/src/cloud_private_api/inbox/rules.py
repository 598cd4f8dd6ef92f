"""What a message of the inbox may be, and how it is shown, without I/O (spec/cloud-api.md §9.2)."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_private_api.errors import InboxRefused, Violation
from cloud_private_api.push_client import PushRefused
from powerauth_contracts.cloud.inbox import InboxItem, InboxMessage
from powerauth_contracts.push import inbox as contract
from powerauth_contracts.push.inbox import LONGEST_BODY, InboxMessageType

_SHORTEST = 8
_LONGEST = 255


def check(subject: str, summary: str, body: str, kind: str) -> None:
    """:raises InboxRefused: a text is too short or too long, or there is no such type"""
    problems = tuple(_problems(subject, summary, body, kind))
    if problems:
        raise InboxRefused(violations=problems)


def _problems(subject: str, summary: str, body: str, kind: str) -> Iterator[Violation]:
    for field, text, longest in (
        ("subject", subject, _LONGEST),
        ("summary", summary, _LONGEST),
        ("body", body, LONGEST_BODY),
    ):
        if not _SHORTEST <= len(text) <= longest:
            shown = text if len(text) <= _LONGEST else None
            yield Violation(field, f"size must be between {_SHORTEST} and {longest}", shown)
    if kind not in set(InboxMessageType):
        yield Violation("type", "must be text or html", kind)


def refused(refusal: PushRefused) -> InboxRefused:
    """What push's refusal means to the bank."""
    return InboxRefused(violations=refusal.violations)


def item(found: contract.InboxMessageItem) -> InboxItem:
    """A message in a list."""
    return InboxItem(
        id=found.id,
        type=found.type,
        subject=found.subject,
        summary=found.summary,
        read=found.read,
        timestamp=found.timestamp_created,
    )


def created(found: contract.InboxMessageDetail) -> InboxMessage:
    """A new message."""
    return InboxMessage(**item(found).model_dump(), body=found.body)


def detail(found: contract.InboxMessageDetail) -> InboxMessage:
    """A whole message, with whose it is."""
    shown = created(found)
    shown.user_id, shown.timestamp_read = found.user_id, found.timestamp_read
    return shown
