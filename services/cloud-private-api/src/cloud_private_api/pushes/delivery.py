"""Hands an announcement to push (spec/cloud-api.md §13.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import CoreCode
from cloud_private_api.errors import PushAway
from cloud_private_api.push_client import PushClient, PushRefused
from cloud_private_api.pushes import rules
from cloud_private_api.pushes.rules import Announcement, Outcome
from cloud_private_api.registrations import activations
from powerauth_contracts.push import messages
from powerauth_contracts.push.messages import Mode
from powerauth_contracts.rest import operations
from powerauth_contracts.texts import CoreRefused
from servicekit import clock, metrics
from servicekit.logs import get_logger

_log = get_logger(__name__)

TAKING_SECONDS = 5.0
"""How long push may take over a message; it is away if it needs more."""
_refused = metrics.counter(
    "push_outbox_refused", "Announcements refused for good", {"application": metrics.APPLICATION}
)
_ACTIVE = "ACTIVE"
_PENDING = "PENDING"


async def deliver(core: CoreClient, push: PushClient, announcement: Announcement) -> Outcome:
    """Have push send an announcement, unless it is too late for it.

    :raises PushAway: push takes nothing now
    :raises PushUnreachable: push did not take this
    :raises Unavailable: the core cannot be asked
    """
    now = clock.now()
    if announcement.expires <= now:
        return Outcome.EXPIRED
    if rules.is_late(announcement, now) and not await _still_wanted(core, announcement):
        return Outcome.OUTDATED
    taken = [await _send(core, push, announcement, app_id) for app_id in announcement.applications]
    return Outcome.SENT if any(taken) else Outcome.REFUSED


async def _still_wanted(core: CoreClient, announcement: Announcement) -> bool:
    """Whether what is announced can still be approved; whatever is no operation can be read for ever."""
    if announcement.operation_id is None:
        return True
    try:
        operation = await core.ask(
            operations.DETAIL,
            operation_id=announcement.operation_id,
            application_ids=announcement.applications,
        )
    except CoreRefused as refusal:
        if refusal.code != CoreCode.OPERATION_NOT_FOUND:
            raise
        return False
    return operation.status == _PENDING


async def _send(core: CoreClient, push: PushClient, announcement: Announcement, app_id: str) -> bool:
    """Whether push takes it for an application."""
    try:
        for activation_id, key in await _targets(core, announcement, app_id):
            message = {**announcement.message, "activationId": activation_id}
            asked = {"appId": app_id, "mode": Mode.ASYNCHRONOUS, "message": message}
            await _tell(push, asked, key)
    except PushRefused as refusal:
        _refused.labels(app_id).inc()
        _log.error("push takes no message", application=app_id, error_code=refusal.code, id=announcement.id)
        return False
    return True


async def _tell(push: PushClient, asked: Mapping[str, object], key: str) -> None:
    try:
        async with asyncio.timeout(TAKING_SECONDS):
            await push.tell(messages.SEND, asked, key=key)
    except TimeoutError:
        _log.warning("push not reached", path=messages.SEND.path, reason="no answer in time")
        raise PushAway from None


async def _targets(core: CoreClient, announcement: Announcement, app_id: str) -> list[tuple[str | None, str]]:
    """Activations, or None for all of the user's, each with what keeps it from getting the message twice."""
    if announcement.flag is None:
        return [(announcement.message["activationId"], announcement.id)]
    found = await activations.of_user(
        core, user_id=announcement.user_id, scope=(app_id,), statuses=(_ACTIVE,)
    )
    return [
        (item.activation_id, f"{announcement.id} {item.activation_id}")
        for item in found
        if announcement.flag in item.activation_flags
    ]
