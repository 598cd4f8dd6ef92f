"""Putting callbacks on their way, in the transaction of the change (spec/core-api.md §18.2)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.callbacks import repository, rules
from powerauth_core.callbacks.clients import retry_policy
from powerauth_core.callbacks.dispatcher import Delivery
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.callbacks.rules import RetryPolicy
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.enums import CallbackUrlEventStatus, CallbackUrlType
from powerauth_core.operations.models import Operation
from powerauth_core.operations.user_agent import with_device
from servicekit import clock
from servicekit.database import after_commit
from servicekit.logs import get_logger

if TYPE_CHECKING:
    from powerauth_core.container import Core

log = get_logger(__name__)

Payload = Callable[[Collection[str]], dict[str, Any]]


async def enqueue_activation(
    core: Core, session: AsyncSession, activation: Activation, application_id: str
) -> None:
    """Report the state that ``activation`` has now to the callbacks of its application.

    :param application_id: public id of the application
    """
    await _enqueue(
        core,
        session,
        [application_id],
        CallbackUrlType.ACTIVATION_STATUS_CHANGE,
        lambda attributes: rules.activation_payload(activation, application_id, attributes),
    )


async def enqueue_operation(
    core: Core, session: AsyncSession, operation: Operation, application_ids: Sequence[str]
) -> None:
    """Report the state that ``operation`` has now to the callbacks of all its applications.

    :param application_ids: public ids of the operation's applications
    """
    additional_data = with_device(operation.additional_data or {})
    await _enqueue(
        core,
        session,
        application_ids,
        CallbackUrlType.OPERATION_STATUS_CHANGE,
        lambda attributes: rules.operation_payload(operation, application_ids, additional_data, attributes),
    )


async def _enqueue(
    core: Core,
    session: AsyncSession,
    application_ids: Sequence[str],
    callback_type: CallbackUrlType,
    payload: Payload,
) -> None:
    rows: list[dict[str, Any]] = []
    told: dict[str, tuple[CallbackUrl, RetryPolicy]] = {}
    for callback in await repository.recipients(session, application_ids, callback_type):
        policy = retry_policy(core.settings, callback)
        row = _event_row(core, callback, policy, payload) if policy.max_attempts > 0 else None
        if row is not None:
            rows.append(row)
            told[callback.id] = callback, policy
    if not rows:
        return
    events = await repository.add_events(session, rows)
    deliveries = [
        Delivery.of(event, *told[event.application_callback_id])
        for event in events
        if event.status == CallbackUrlEventStatus.PROCESSING.value
    ]
    after_commit(session, lambda: core.callbacks.submit(deliveries))


def _event_row(
    core: Core, callback: CallbackUrl, policy: RetryPolicy, payload: Payload
) -> dict[str, Any] | None:
    """Column values of a new event; None if its body cannot be made, which never fails the business call."""
    try:
        body = json_text(payload(frozenset(callback.attributes or ())))
    except Exception:
        log.exception("callback not prepared", callback=callback.id)
        return None
    now = clock.now()
    allowed = core.callbacks.clients.allows(callback.id)
    state = rules.started(policy, now) if allowed else rules.given_up(policy, 0, now)
    return (
        {
            "timestamp_last_call": now,
            "timestamp_next_call": None,
            "timestamp_delete_after": None,
            "timestamp_rerun_after": None,
            "attempts": 0,
        }
        | state
        | {
            "application_callback_id": callback.id,
            "callback_data": body,
            "timestamp_created": now,
            "idempotency_key": str(uuid.uuid4()),
        }
    )
