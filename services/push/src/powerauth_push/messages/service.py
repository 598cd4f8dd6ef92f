"""Sending of messages, at once or by way of the queue (spec/push-api.md §8)."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.devices.rules import PROVIDERS
from powerauth_push.dispatch import repository
from powerauth_push.dispatch.dispatcher import Dispatcher
from powerauth_push.dispatch.rules import Outgoing
from powerauth_push.dispatch.settlement import queued
from powerauth_push.messages.addressing import NewMessage, address
from powerauth_push.messages.ports import Ports
from powerauth_push.providers.outcomes import Verdict
from servicekit import clock
from servicekit.bus import Event
from servicekit.database import after_commit
from servicekit.errors import Unavailable
from servicekit.inbox import handle_once

_SENDING = "message"
_EVENT_ID_LENGTH = 36


Counts = Mapping[str, Counter[str]]
"""``sent``, ``failed`` and ``pending`` messages by provider."""


async def send(ports: Ports, app_id: str, messages: Sequence[NewMessage]) -> Counts:
    """Send messages and wait for the providers, but not for ever: what is not known then is pending.

    :raises ApplicationNotFound: there is no such application
    """
    number = await ports.applications.number(app_id)
    stores = ports.settings.message_storage_enabled
    async with ports.database.transaction() if stores else ports.database.read() as session:
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


async def _sent(dispatcher: Dispatcher, items: Sequence[Outgoing], deadline: float) -> Counts:
    """Every device has exactly one outcome; those that come too late are in the queue by then."""
    counts = {provider: Counter[str]() for provider in set(PROVIDERS.values())}
    tasks = {dispatcher.begin(item): item for item in items}
    if tasks:
        _done, late = await asyncio.wait(tasks, timeout=deadline)
        await dispatcher.keep([tasks[task] for task in late])
    for task, item in tasks.items():
        counts[item.provider][_counted(task)] += 1
    return counts


def _counted(task: asyncio.Task[Any]) -> str:
    if not task.done() or task.cancelled() or isinstance(task.exception(), Unavailable):
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
