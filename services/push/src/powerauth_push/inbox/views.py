"""Stored messages as the wire shows them."""

from __future__ import annotations

from powerauth_contracts.push import inbox as contract
from powerauth_push.inbox.models import InboxMessage
from powerauth_push.inbox.service import Stored


def item_view(message: InboxMessage) -> contract.InboxMessageItem:
    """What a list shows."""
    return contract.InboxMessageItem(
        id=message.inbox_id,
        type=contract.InboxMessageType(message.message_type),
        subject=message.subject,
        summary=message.summary,
        read=message.is_read,
        timestamp_created=message.timestamp_created,
    )


def detail_view(stored: Stored) -> contract.InboxMessageDetail:
    """A whole message."""
    message = stored.message
    return contract.InboxMessageDetail(
        **dict(item_view(message)),
        user_id=message.user_id,
        body=message.body,
        timestamp_read=message.timestamp_read,
        applications=list(stored.applications),
    )
