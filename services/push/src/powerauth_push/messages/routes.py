"""HTTP side of sending (spec/push-api.md §8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from powerauth_contracts.push import messages as contract
from powerauth_contracts.push.messages import MessageBody, Mode
from powerauth_push.errors import PushError
from powerauth_push.messages import service
from powerauth_push.messages.addressing import NewMessage, new_message
from powerauth_push.messages.ports import Ports
from powerauth_push.routing import Asked, PushRouter
from powerauth_push.settings import PushSettings
from servicekit import clock

_LONGEST_KEY = 255

router = PushRouter("Messages")


@router.answers(contract.SEND)
async def send_message(ports: Ports, asked: Asked[contract.SendRequest]) -> contract.SendResponse:
    given = asked.content
    return await _send(ports, given.app_id, given.mode, [given.message], asked.idempotency_key)


@router.answers(contract.SEND_BATCH)
async def send_messages(ports: Ports, asked: Asked[contract.SendBatchRequest]) -> contract.SendResponse:
    given = asked.content
    return await _send(ports, given.app_id, given.mode, given.batch, asked.idempotency_key)


async def _send(
    ports: Ports, app_id: str, mode: Mode, messages: Sequence[contract.PushMessage], key: str | None
) -> contract.SendResponse:
    new = [_new(ports.settings, message) for message in messages]
    if mode is Mode.ASYNCHRONOUS:
        if key is not None and not 0 < len(key) <= _LONGEST_KEY:
            raise PushError(f"The idempotency key has no or more than {_LONGEST_KEY} characters")
        await service.enqueue(ports, app_id, new, key)
        return contract.SendResponse(mode=mode)
    counts = await service.send(ports, app_id, new)
    counters = {provider: _counters(counted) for provider, counted in counts.items()}
    return contract.SendResponse(mode=mode, **counters)


def _new(settings: PushSettings, message: contract.PushMessage) -> NewMessage:
    attributes = message.attributes
    return new_message(
        _with_end(settings, message.body),
        message.user_id,
        message.activation_id,
        priority=message.priority.value,
        silent=attributes.silent,
        personal=attributes.personal,
    )


def _with_end(settings: PushSettings, body: MessageBody) -> MessageBody:
    """A body with the installation's validity, unless it names its own."""
    if body.valid_until is not None or not settings.message_default_validity_seconds:
        return body
    end = clock.now() + timedelta(seconds=settings.message_default_validity_seconds)
    return body.model_copy(update={"valid_until": end})


def _counters(counted: Counter[str]) -> contract.Counters:
    return contract.Counters(
        sent=counted["sent"],
        failed=counted["failed"],
        pending=counted["pending"],
        total=counted.total(),
    )
