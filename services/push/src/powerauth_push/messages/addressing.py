"""To which devices a message goes (spec/push-api.md §8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.push.messages import MessageBody
from powerauth_push.devices import repository as devices
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.devices.rules import PROVIDERS
from powerauth_push.dispatch import repository
from powerauth_push.dispatch.dispatcher import device_of
from powerauth_push.dispatch.rules import MessageStatus, Outgoing
from powerauth_push.dispatch.stored import body_text, content_of, message_text
from powerauth_push.providers.messages import Message, Priority
from powerauth_push.settings import PushSettings
from servicekit import clock, tracing
from servicekit.logs import get_logger

_log = get_logger(__name__)


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


def new_message(
    body: MessageBody,
    user_id: str,
    activation_id: str | None = None,
    *,
    priority: str = Priority.HIGH,
    silent: bool = False,
    personal: bool = False,
) -> NewMessage:
    """A message with this body."""
    made = Message(content_of(body), Priority(priority), silent=silent, personal=personal)
    text = message_text(body, priority=priority, silent=silent, personal=personal)
    return NewMessage(user_id, activation_id, made, text, body_text(body))


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
        activation=row.activation_id,
        device=device_of(row),
        active=row.is_active,
        message=message.message,
        text=message.text,
        created=clock.now(),
        record=record,
        traceparent=tracing.stored(),
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
