"""Stored messages that users read in the app (spec/push-api.md §16)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.wire import json_bytes
from powerauth_push.errors import InboxApplicationNotFound, MessageNotFound
from powerauth_push.inbox import repository
from powerauth_push.inbox.models import InboxMessage
from powerauth_push.inbox.ports import Ports
from powerauth_push.statements.rules import Subject
from servicekit import clock
from servicekit.bus import Event
from servicekit.inbox import handle_once

_STORING = "inbox"


@dataclass(frozen=True, slots=True)
class Stored:
    """A message and the applications that show it."""

    message: InboxMessage
    applications: Sequence[str]


async def create(
    ports: Ports,
    *,
    user_id: str,
    kind: str,
    subject: str,
    summary: str,
    body: str,
    applications: Sequence[str],
    idempotency_key: str | None = None,
) -> Stored:
    """Store a message; nobody is told of it.

    :param idempotency_key: what was stored for the user under it is the answer, and nothing is stored
    :raises InboxApplicationNotFound: an application is unknown, or named twice
    """
    numbers = await _numbers(ports, applications)
    message = InboxMessage(
        inbox_id=_id_under(user_id, idempotency_key),
        user_id=user_id,
        message_type=kind,
        subject=subject,
        summary=summary,
        body=body,
        is_read=False,
        timestamp_created=clock.now(),
    )
    async with ports.database.transaction() as session:
        if idempotency_key is not None:
            former = await _former(session, message.inbox_id)
            if former is not None:
                return former
        await repository.add(session, message, numbers)
    return Stored(message, sorted(applications))


def _id_under(user_id: str, key: str | None) -> str:
    """A key says which id a message has: there it is found again."""
    if key is None:
        return str(uuid.uuid4())
    digest = hashlib.sha256(json_bytes([user_id, key])).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


async def _former(session: AsyncSession, inbox_id: str) -> Stored | None:
    """What was stored before, by a transaction that is under way too: its end is waited for."""
    await handle_once(session, Event(inbox_id, _STORING, "", "", clock.now(), {}), _STORING)
    message = await repository.find(session, inbox_id)
    return None if message is None else Stored(message, await repository.applications_of(session, message))


async def page(
    ports: Ports, user_id: str, applications: Sequence[str], *, only_unread: bool, number: int, size: int
) -> Sequence[InboxMessage]:
    """A page of a user's messages, newest first.

    :raises InboxApplicationNotFound: an application is unknown, or named twice
    """
    numbers = await _numbers(ports, applications)
    async with ports.database.read() as session:
        return await repository.page(
            session, user_id, numbers, only_unread=only_unread, offset=number * size, limit=size
        )


async def count_unread(ports: Ports, user_id: str, app_id: str) -> int:
    """How many messages of a user an application shows as unread.

    :raises InboxApplicationNotFound: the application is unknown
    """
    number = await ports.applications.number(app_id, InboxApplicationNotFound)
    async with ports.database.read() as session:
        return await repository.count_unread(session, user_id, number)


async def detail(ports: Ports, inbox_id: str, subject: Subject | None) -> Stored:
    """A message.

    :param subject: whom it has to be of, if the core has said who asks
    :raises MessageNotFound: there is none
    """
    async with ports.database.read() as session:
        return await _of(session, await repository.find(session, inbox_id), subject)


async def read(ports: Ports, inbox_id: str, subject: Subject | None) -> Stored:
    """Mark a message as read, once; raises as `detail`."""
    async with ports.database.transaction() as session:
        found = await repository.lock(session, ports.database.dialect, inbox_id)
        stored = await _of(session, found, subject)
        if not stored.message.is_read:
            stored.message.is_read, stored.message.timestamp_read = True, clock.now()
    return stored


async def read_all(ports: Ports, user_id: str, app_id: str) -> None:
    """Mark all messages of a user that an application shows.

    :raises InboxApplicationNotFound: the application is unknown
    """
    number = await ports.applications.number(app_id, InboxApplicationNotFound)
    async with ports.database.transaction() as session:
        await repository.read_all(session, user_id, number, clock.now())


async def _numbers(ports: Ports, applications: Sequence[str]) -> Sequence[int]:
    if len(set(applications)) < len(applications):
        raise InboxApplicationNotFound
    return await ports.applications.numbers(applications)


async def _of(session: AsyncSession, message: InboxMessage | None, subject: Subject | None) -> Stored:
    """A message with its applications; of another user or application it is unknown (D31)."""
    if message is None:
        raise MessageNotFound
    applications = await repository.applications_of(session, message)
    if subject is not None and (
        message.user_id != subject.user_id or subject.application_id not in applications
    ):
        raise MessageNotFound
    return Stored(message, applications)
