"""Use cases of the inbox (spec/cloud-api.md §9.2, §9.3).

Push looks a message up by its id alone: whose it is is compared here, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud_private_api.access.rules import Caller, given_or_all, one_application
from cloud_private_api.errors import InboxMessageNotFound, InboxRefused
from cloud_private_api.inbox import rules
from cloud_private_api.inbox.ports import Ports
from cloud_private_api.parameters import Page, is_storable
from cloud_private_api.push_client import PushRefused
from cloud_private_api.pushes.rules import key_at_push
from powerauth_contracts.cloud.inbox import InboxItems, InboxMessage, UnreadMessages
from powerauth_contracts.push import inbox as contract

_UNKNOWN = "ERROR_MESSAGE_NOT_FOUND"


async def create(
    ports: Ports,
    caller: Caller,
    *,
    user_id: str,
    subject: str,
    summary: str,
    body: str,
    kind: str,
    applications: Sequence[str] | None,
    silent: bool,
    key: str | None,
) -> InboxMessage:
    """Store a message for a user, and announce it unless it is silent.

    :param key: the caller's; what was stored under it is the answer, and nothing is stored
    :raises InboxRefused: a text has not the right length, or push does not know the applications
    """
    rules.check(subject, summary, body, kind)
    wanted = given_or_all(caller, applications)
    known = await ports.push_applications.known(wanted)
    if not known or (applications is not None and len(known) < len(wanted)):
        raise InboxRefused("The push service does not know an application of the message")
    texts = {"subject": subject, "summary": summary, "body": body}
    asked = {"userId": user_id, "type": kind, **texts, "applications": known}
    try:
        made = await ports.push.ask(contract.CREATE, asked, key=key_at_push(caller, key))
    except PushRefused as refusal:
        raise rules.refused(refusal) from None
    if not silent:
        await ports.announcements.inbox_message(made.id, user_id, known, subject, summary)
    return rules.created(made)


async def list_of_user(
    ports: Ports, caller: Caller, user_id: str, page: Page, *, only_unread: bool
) -> InboxItems:
    """A user's messages, newest first."""
    known = await ports.push_applications.known(caller.applications) if caller.applications else []
    if not known:
        return InboxItems(messages=[])
    asked = {
        "userId": user_id,
        "applications": ",".join(known),
        "onlyUnread": only_unread,
        "page": page.number,
        "size": page.size,
    }
    try:
        found = await ports.push.ask(contract.LIST, asked)
    except PushRefused as refusal:
        raise rules.refused(refusal) from None
    return InboxItems(messages=[rules.item(message) for message in found])


async def detail(ports: Ports, caller: Caller, message_id: str) -> InboxMessage:
    """A whole message."""
    return rules.detail(await _find(ports, caller, message_id))


async def count(ports: Ports, caller: Caller, user_id: str, app_id: str | None) -> UnreadMessages:
    """How many messages of a user in an application are unread."""
    chosen = one_application(caller, app_id, parameter=True)
    try:
        found = await ports.push.ask(contract.COUNT, {"userId": user_id, "appId": chosen})
    except PushRefused as refusal:
        raise rules.refused(refusal) from None
    return UnreadMessages(count_unread=found.count_unread)


async def mark_read(ports: Ports, caller: Caller, message_id: str) -> None:
    """Mark a message as read."""
    found = await _find(ports, caller, message_id)
    try:
        await ports.push.tell(contract.READ, {"inboxId": found.id})
    except PushRefused as refusal:
        raise rules.refused(refusal) from None


async def mark_all_read(ports: Ports, caller: Caller, user_id: str, app_id: str | None) -> None:
    """Mark all messages of a user in an application as read."""
    chosen = one_application(caller, app_id)
    try:
        await ports.push.tell(contract.READ_ALL, {"userId": user_id, "appId": chosen})
    except PushRefused as refusal:
        raise rules.refused(refusal) from None


async def _find(ports: Ports, caller: Caller, message_id: str) -> contract.InboxMessageDetail:
    """A message that the caller may see.

    :raises InboxMessageNotFound: unknown, or of no application of the caller
    """
    if not caller.applications or not is_storable(message_id):
        raise InboxMessageNotFound
    try:
        found = await ports.push.ask(contract.DETAIL, {"id": message_id})
    except PushRefused as refusal:
        raise (InboxMessageNotFound if refusal.code == _UNKNOWN else rules.refused(refusal)) from None
    if set(caller.applications).isdisjoint(found.applications):
        raise InboxMessageNotFound
    return found
