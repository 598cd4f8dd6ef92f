"""Putting callbacks on their way, in the transaction of the change (spec/core-api.md §18.2)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import CallbackUrlType
from powerauth_core.callbacks import repository, rules
from powerauth_core.callbacks.clients import retry_policy
from powerauth_core.callbacks.dispatcher import CallbackDispatcher, Delivery
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.callbacks.rules import RetryPolicy
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.changes import ActivationChanged, OperationChanged, OperationStep
from powerauth_core.kernel.enums import CallbackUrlEventStatus
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.database import after_commit
from servicekit.logs import get_logger

log = get_logger(__name__)

Payload = Callable[[Collection[str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CallbackOutbox:
    """Hears of changes and reports them to the callbacks of the applications concerned."""

    settings: CoreSettings
    dispatcher: CallbackDispatcher

    async def activation_changed(self, session: AsyncSession, change: ActivationChanged) -> None:
        """Report an activation's change that callbacks may hear of."""
        if change.notify:
            await self._enqueue(
                session,
                [change.application_id],
                CallbackUrlType.ACTIVATION_STATUS_CHANGE,
                lambda attributes: rules.activation_payload(change, attributes),
            )

    async def operation_changed(self, session: AsyncSession, change: OperationChanged) -> None:
        """Report an operation's change to the callbacks of all its applications."""
        if change.step is not OperationStep.CLAIMED:
            await self._enqueue(
                session,
                change.applications,
                CallbackUrlType.OPERATION_STATUS_CHANGE,
                lambda attributes: rules.operation_payload(change, attributes),
            )

    async def _enqueue(
        self,
        session: AsyncSession,
        application_ids: Sequence[str],
        callback_type: CallbackUrlType,
        payload: Payload,
    ) -> None:
        rows: list[dict[str, Any]] = []
        told: dict[str, tuple[CallbackUrl, RetryPolicy]] = {}
        for callback in await repository.recipients(session, application_ids, callback_type):
            policy = retry_policy(self.settings, callback)
            row = self._event_row(callback, policy, payload) if policy.max_attempts > 0 else None
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
        after_commit(session, lambda: self.dispatcher.submit(deliveries))

    def _event_row(
        self, callback: CallbackUrl, policy: RetryPolicy, payload: Payload
    ) -> dict[str, Any] | None:
        """Column values of a new event; None if its body cannot be made: that never fails the change."""
        try:
            body = json_text(payload(frozenset(callback.attributes or ())))
        except Exception:
            log.exception("callback not prepared", callback=callback.id)
            return None
        now = clock.now()
        allowed = self.dispatcher.clients.allows(callback.id)
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
