"""Sending of messages, at once or by way of the queue (spec/push-api.md §8)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.devices import repository as devices
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.devices.rules import PROVIDERS
from powerauth_push.dispatch import repository
from powerauth_push.dispatch.dispatcher import Dispatcher, device_of
from powerauth_push.dispatch.rules import MessageStatus, Outgoing
from powerauth_push.dispatch.settlement import queued
from powerauth_push.messages.ports import Ports
from powerauth_push.providers.messages import Message
from powerauth_push.providers.outcomes import Verdict
from powerauth_push.settings import PushSettings
from servicekit import clock
from servicekit.bus import Event
from servicekit.database import after_commit
from servicekit.errors import Unavailable
from servicekit.inbox import handle_once
from servicekit.logs import get_logger

_log = get_logger(__name__)

_SENDING = "message"
_EVENT_ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to a user.

    :ivar activation_id: only to this one's device
    :ivar text: the message as the queue holds it
    :ivar body: its body as the log holds it
    """

    user_id: str
    activation_id: str | None
    message: Message
    text: str = field(repr=False)
    body: str = field(repr=False)


Counts = Mapping[str, Counter[str]]
"""``sent``, ``failed`` and ``pending`` messages by provider."""


async def send(ports: Ports, app_id: str, messages: Sequence[NewMessage]) -> Counts:
    """Send messages and wait for the providers, but not for ever: what is not known then is pending.

    :raises ApplicationNotFound: there is no such application
    """
    number = await ports.applications.number(app_id)
    async with ports.database.transaction() as session:
        items = await address(session, ports.settings, number, messages)
    return await _sent(ports.dispatcher, items, ports.settings.send_deadline_seconds)


async def enqueue(
    ports: Ports, app_id: str, messages: Sequence[NewMessage], idempotency_key: str | None = None
) -> None:
    """Put messages into the queue, from which they are sent whatever happens to this process.

    :param idempotency_key: what came under it before is not sent again
    :raises ApplicationNotFound: there is no such application
    """
    number = await ports.applications.number(app_id)
    async with ports.database.transaction() as session:
        if idempotency_key is None or await _is_first(session, number, idempotency_key):
            await put(session, ports.dispatcher, await address(session, ports.settings, number, messages))


async def put(session: AsyncSession, dispatcher: Dispatcher, items: Sequence[Outgoing]) -> None:
    """Queue messages within a transaction; they are sent from its commit on."""
    now = clock.now()
    await repository.add(session, [queued(item, now) for item in items])
    providers = {item.provider for item in items}
    after_commit(session, lambda: dispatcher.wake(*providers))


async def address(
    session: AsyncSession, settings: PushSettings, app_number: int, messages: Sequence[NewMessage]
) -> list[Outgoing]:
    """The messages to the devices that they go to, noted in the log if there is one.

    Personal ones do not go to devices of activations that are not active.
    """
    found: list[tuple[NewMessage, DeviceRegistration]] = []
    for message in messages:
        rows = await devices.of_user(session, app_number, message.user_id, message.activation_id)
        if not rows:
            _log.warning("no device to send to", application=app_number)
        found += [(message, row) for row in rows if row.is_active or not message.message.personal]
    records: Sequence[int | None] = [None] * len(found)
    if settings.message_storage_enabled:
        records = await repository.add_records(session, [_record(*pair) for pair in found])
    return [outgoing(*pair, record) for pair, record in zip(found, records, strict=True)]


def outgoing(message: NewMessage, row: DeviceRegistration, record: int | None = None) -> Outgoing:
    """A message to one device."""
    return Outgoing(
        key=uuid4(),
        provider=PROVIDERS[row.platform],
        app_number=row.app_id,
        registration=row.id,
        device=device_of(row),
        active=row.is_active,
        message=message.message,
        text=message.text,
        created=clock.now(),
        record=record,
    )


def _record(message: NewMessage, row: DeviceRegistration) -> dict[str, Any]:
    return {
        "device_registration_id": row.id,
        "user_id": message.user_id,
        "activation_id": message.activation_id,
        "is_silent": message.message.silent,
        "is_personal": message.message.personal,
        "message_body": message.body,
        "timestamp_created": clock.now(),
        "status": MessageStatus.PENDING.value,
    }


async def _sent(dispatcher: Dispatcher, items: Sequence[Outgoing], deadline: float) -> Counts:
    """Every device has exactly one outcome; those that come too late are written all the same."""
    counts = {provider: Counter[str]() for provider in set(PROVIDERS.values())}
    tasks = {asyncio.create_task(dispatcher.attempt(item)): item for item in items}
    if tasks:
        _done, late = await asyncio.wait(tasks, timeout=deadline)
        dispatcher.keep(late)
    for task, item in tasks.items():
        counts[item.provider][_counted(task)] += 1
    return counts


def _counted(task: asyncio.Task[Any]) -> str:
    if not task.done() or isinstance(task.exception(), Unavailable):
        return "pending"
    verdict = task.result().verdict
    if verdict is Verdict.SENT:
        return "sent"
    return "pending" if verdict is Verdict.LATER else "failed"


async def _is_first(session: AsyncSession, app_number: int, key: str) -> bool:
    """Whether nothing was sent for the application under this key before."""
    digest = hashlib.sha256(f"{app_number} {key}".encode()).hexdigest()[:_EVENT_ID_LENGTH]
    event = Event(digest, _SENDING, "", "", clock.now(), {})
    return await handle_once(session, event, _SENDING)
