"""Putting callbacks on their way, in the transaction of the change (spec/core-api.md §18.2)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from powerauth_contracts.enums import CallbackUrlType
from powerauth_core.callbacks import rules
from powerauth_core.callbacks.dispatcher import CallbackDispatcher, Delivery
from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.callbacks.subscriptions import Subscription
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.changes import ActivationChanged, OperationChanged, OperationStep, PasskeyJudged
from servicekit import clock, tracing
from servicekit.additions import Additions, Target
from servicekit.logs import get_logger

log = get_logger(__name__)

EVENTS = Target(
    CallbackUrlEvent.__tablename__,
    {
        "application_callback_id": "varchar",
        "callback_data": "text",
        "idempotency_key": "varchar",
        "status": "varchar",
        "attempts": "int",
        "timestamp_created": "timestamp",
        "timestamp_last_call": "timestamp",
        "timestamp_next_call": "timestamp",
        "timestamp_delete_after": "timestamp",
        "timestamp_rerun_after": "timestamp",
        "traceparent": "varchar",
    },
    returning=("id", "idempotency_key"),
)

Payload = Callable[[Collection[str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CallbackOutbox:
    """Hears of changes and reports them to the callbacks of the applications concerned."""

    dispatcher: CallbackDispatcher

    def activation_changed(self, additions: Additions, change: ActivationChanged) -> None:
        """Report an activation's change that callbacks may hear of."""
        if change.notify:
            self._report(
                additions,
                [change.application_id],
                CallbackUrlType.ACTIVATION_STATUS_CHANGE,
                change.activation_id,
                lambda attributes: rules.activation_payload(change, attributes),
            )

    def operation_changed(self, additions: Additions, change: OperationChanged) -> None:
        """Report an operation's change to the callbacks of all its applications."""
        if change.step is not OperationStep.CLAIMED:
            self._report(
                additions,
                change.applications,
                CallbackUrlType.OPERATION_STATUS_CHANGE,
                change.operation_id,
                lambda attributes: rules.operation_payload(change, attributes),
            )

    def passkey_judged(self, additions: Additions, change: PasskeyJudged) -> None:
        """Report a passkey whose trust is another one."""
        if change.changes_trust:
            self._report(
                additions,
                [change.application_id],
                CallbackUrlType.PASSKEY_POLICY_CHANGE,
                change.activation_id,
                lambda attributes: rules.passkey_payload(change, attributes),
            )

    def _report(
        self,
        additions: Additions,
        application_ids: Sequence[str],
        kind: CallbackUrlType,
        subject: str,
        payload: Payload,
    ) -> None:
        for subscription in self.dispatcher.subscriptions.of(application_ids, kind):
            # A body that cannot be made never fails the change.
            try:
                body = json_text(payload(subscription.attributes))
            except Exception:
                log.exception("callback not prepared", callback=subscription.callback_id)
            else:
                self._put(additions, subscription, subject, body)

    def _put(self, additions: Additions, subscription: Subscription, subject: str, body: str) -> None:
        policy, now, key, trace = subscription.policy, clock.now(), str(uuid.uuid4()), tracing.stored()
        is_started = self.dispatcher.clients.allows(subscription.callback_id)
        state = rules.started(policy, now) if is_started else rules.given_up(policy, 0, now)
        values = {
            "attempts": 0,
            "timestamp_last_call": now,
            **state,
            "application_callback_id": subscription.callback_id,
            "callback_data": body,
            "timestamp_created": now,
            "idempotency_key": key,
            "traceparent": trace,
        }
        additions.add(EVENTS, [values.get(name) for name in EVENTS.columns])
        if is_started:
            delivery = partial(
                Delivery,
                callback_id=subscription.callback_id,
                subject=subject,
                body=body.encode(),
                idempotency_key=key,
                attempts=0,
                last_call=now,
                policy=policy,
                flow=subscription.flow,
                let_through=time.monotonic(),
                traceparent=trace,
            )
            additions.after_commit(lambda: self._submit(additions, key, delivery))

    def _submit(self, additions: Additions, key: str, delivery: Callable[..., Delivery]) -> None:
        ids = {key: event_id for event_id, key in additions.returned(EVENTS)}
        self.dispatcher.submit([delivery(event_id=ids[key])])
