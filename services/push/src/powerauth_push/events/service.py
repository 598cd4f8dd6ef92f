"""Hears the core's events, each once, and tells phones (spec/push-api.md §7.1, D20)."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.rest import activations as core
from powerauth_push.applications import repository as applications
from powerauth_push.core_client import CoreClient, CoreFailed
from powerauth_push.devices import repository as devices
from powerauth_push.devices.rules import is_active
from powerauth_push.dispatch.repository import withdraw
from powerauth_push.events import rules
from powerauth_push.events.ports import Ports
from powerauth_push.events.rules import Finished
from powerauth_push.messages.addressing import address, new_message, outgoing
from powerauth_push.messages.service import put
from servicekit import clock
from servicekit.bus import Bus, Event
from servicekit.inbox import handle_once
from servicekit.logs import get_logger

_log = get_logger(__name__)

SERVICE = "push"
CONSUMER = "push"


async def subscribe(ports: Ports, bus: Bus) -> None:
    """By a queue that replicas share."""
    types = [rules.ACTIVATION_STATUS_CHANGED, rules.OPERATION_STATUS_CHANGED]
    await bus.subscribe(SERVICE, types, partial(on_event, ports))


async def on_event(ports: Ports, event: Event) -> None:
    """Do what an event asks for, unless that has been done."""
    if event.type == rules.ACTIVATION_STATUS_CHANGED:
        await _activation_changed(ports, event)
    else:
        await _operation_changed(ports, event)


async def _activation_changed(ports: Ports, event: Event) -> None:
    """Events come in any order, so the core is asked what the registrations have to follow; while it is away
    the event has to do.
    """
    activation_id, told = event.data.get("activationId"), event.data.get("activationStatus")
    if not isinstance(activation_id, str) or not isinstance(told, str):
        _log.error("event unreadable", event_type=event.type, event_id=event.id)
        return
    async with ports.database.read() as session:
        registered = await devices.is_registered(session, activation_id)
    status = (await _current_status(ports.core, activation_id) or told) if registered else None
    async with ports.database.transaction() as session:
        if not await handle_once(session, event, CONSUMER):
            return
        if status is not None:
            await devices.set_active(session, activation_id, is_active(status))
        if not _is_recent(ports, event):
            return
        if status is not None and rules.is_told(status):
            await _tell_of_status(session, ports, activation_id)
        if rules.is_new(event.data):
            await _tell_others(session, ports, activation_id, event.data.get("userId"))


async def _operation_changed(ports: Ports, event: Event) -> None:
    """What still waits to announce an operation goes with its end, however long ago that was."""
    operation_id = rules.ended(event.data)
    if operation_id is None:
        return
    finished = rules.finished(event.data) if _is_recent(ports, event) else None
    async with ports.database.transaction() as session:
        if not await handle_once(session, event, CONSUMER):
            return
        await withdraw(session, ports.database.dialect, operation_id)
        if finished is not None:
            await _tell_of_end(session, ports, finished)


async def _tell_of_end(session: AsyncSession, ports: Ports, finished: Finished) -> None:
    """A silent message to the user's active devices."""
    message = new_message(finished.body, finished.user_id, finished.activation_id, silent=True, personal=True)
    known = await applications.numbers(session, finished.applications)
    for number in known.values():
        await put(session, ports.dispatcher, await address(session, ports.settings, number, [message]))


async def _tell_of_status(session: AsyncSession, ports: Ports, activation_id: str) -> None:
    """A silent message to the activation's devices, which are not active by now."""
    rows = await devices.of_activation(session, ports.database.dialect, activation_id)
    body = rules.status_change(activation_id)
    items = [outgoing(new_message(body, row.user_id or "", silent=True), row) for row in rows]
    await put(session, ports.dispatcher, items)


async def _tell_others(session: AsyncSession, ports: Ports, activation_id: str, user_id: Any) -> None:
    """A silent message to the user's other devices: a stranger's activation shall not stay unseen (D1)."""
    if not isinstance(user_id, str):
        return
    rows = await devices.others_of_user(session, user_id, activation_id)
    message = new_message(rules.new_activation(activation_id), user_id, silent=True, personal=True)
    await put(session, ports.dispatcher, [outgoing(message, row) for row in rows])


async def _current_status(client: CoreClient, activation_id: str) -> str | None:
    try:
        return str((await client.ask(core.STATUS, activation_id=activation_id)).activation_status)
    except CoreFailed:
        return None


def _is_recent(ports: Ports, event: Event) -> bool:
    return rules.is_recent(event.time, clock.now(), ports.settings.event_max_age_seconds)
