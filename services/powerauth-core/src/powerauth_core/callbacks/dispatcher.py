"""Delivery of callbacks in this process (spec/core-api.md §18.4, §18.5).

Any number of replicas deliver at the same time: a delivery belongs to the process that made its row
PROCESSING, and an outcome is written only while that is still so.

Slots and places of the queue are shared fairly among applications and targets (`shares`): a receiver that
hangs delays what else goes to itself, and nothing else.

One callback hears of one operation or activation in the order of its changes, as long as the same process
delivers them and none fails: what is repeated comes late, and no receiver may rely on more (§18.5).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from powerauth_core.callbacks import repository, rules
from powerauth_core.callbacks.clients import (
    CallbackClients,
    CallbackGone,
    DeliveryFailed,
    retry_policy,
)
from powerauth_core.callbacks.models import CallbackUrl, CallbackUrlEvent
from powerauth_core.callbacks.rules import RetryPolicy
from powerauth_core.callbacks.shares import FairSlots, Flow, Shares
from powerauth_core.callbacks.subscriptions import KnownSubscriptions
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.json_text import read_json
from servicekit import clock, metrics, tracing
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

log = get_logger(__name__)

_CLAIMS = 4
"""A run of the dispatch job takes its deliveries in at least so many portions."""

_deliveries = metrics.counter(
    "callback_deliveries",
    "Finished callback attempts",
    {"outcome": ("accepted", "failed", "gone", "circuit_open")},
)
_oldest = metrics.gauge("callback_oldest_seconds", "Age of the oldest callback that waits to be sent")
_OBSERVED_SECONDS = 10.0
"""How often the age is looked for: it costs a look at every row that waits."""

Outcome = Callable[[RetryPolicy, int, datetime], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event to deliver, as its row was when it became PROCESSING.

    :ivar subject: the operation or activation that changed
    :ivar flow: whose share of the slots it needs
    :ivar let_through: monotonic time at which the circuit let it through
    """

    event_id: int
    callback_id: str
    subject: str
    body: bytes
    idempotency_key: str
    attempts: int
    last_call: datetime | None
    policy: RetryPolicy
    flow: Flow
    let_through: float
    traceparent: str | None

    @classmethod
    def of(cls, row: CallbackUrlEvent, callback: CallbackUrl, policy: RetryPolicy) -> Delivery:
        """From a PROCESSING row, which the circuit of its callback has just let through."""
        content = read_json(row.callback_data)
        return cls(
            event_id=row.id,
            callback_id=row.application_callback_id,
            subject=str(content.get("operationId") or content.get("activationId")),
            body=row.callback_data.encode(),
            idempotency_key=row.idempotency_key,
            attempts=row.attempts,
            last_call=row.timestamp_last_call,
            policy=policy,
            flow=Flow.to(callback.application_id, callback.callback_url or ""),
            let_through=time.monotonic(),
            traceparent=row.traceparent,
        )


class CallbackDispatcher:
    """Delivers what is submitted, a bounded number at a time, and writes the outcomes."""

    def __init__(
        self,
        settings: CoreSettings,
        database: Database,
        clients: CallbackClients,
        subscriptions: KnownSubscriptions,
    ) -> None:
        self.clients = clients
        self.subscriptions = subscriptions
        self._settings = settings
        self._database = database
        self._slots = FairSlots(settings.callbacks_concurrency)
        self._places = Shares(settings.callbacks_concurrency + settings.callbacks_queue_capacity)
        self._accepted: Counter[str] = Counter()
        # What happened to one operation or activation is told in its order. Unused lanes are gone.
        self._lanes: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[asyncio.Task[None], Delivery] = {}
        self._stopping = False
        self._observed = -math.inf

    @property
    def free(self) -> int:
        """How many deliveries can be accepted now; a flow that has many already can have fewer."""
        return 0 if self._stopping else self._places.free

    def recheck(self) -> None:
        """Read every callback again before it is needed next; called when any of them changed."""
        self.clients.recheck()
        self.subscriptions.forget()

    def submit(self, deliveries: Iterable[Delivery]) -> None:
        """Deliver in the background; what does not fit goes back to PENDING."""
        for delivery in deliveries:
            if self._stopping or not self._places.allows(delivery.flow):
                self._start(self._postpone(delivery), delivery)
                continue
            self._places.take(delivery.flow)
            self._accepted[delivery.callback_id] += 1
            task = self._start(self._deliver(delivery), delivery)
            self._waiting[task] = delivery
            task.add_done_callback(partial(self._delivered, delivery))

    async def stop(self) -> None:
        """Put back what waits, let what is under way finish within the grace period, close the clients."""
        self._stopping = True
        waiting, self._waiting = self._waiting, {}
        for task in waiting:
            task.cancel()
        for delivery in waiting.values():
            await self._postpone(delivery)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._settings.graceful_shutdown_seconds)
        for task in self._tasks:
            task.cancel()
        await self.idle()
        await self.clients.close()

    async def idle(self) -> None:
        """Wait until nothing that was submitted is left."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def dispatch_pending(self) -> int:
        """Take due PENDING deliveries over and submit them; how many. The job of §30.

        Some at a time, and none of a callback that has so many under way already: a long backlog of one
        callback leaves room for what others have to tell.
        """
        limit = self._settings.callbacks_pending_dispatch_limit
        share = max(1, limit // _CLAIMS)
        total = 0
        while total < limit and self.free:
            busy = [callback for callback, number in self._accepted.items() if number >= share]
            taken, claimed = await self._claim(min(share, limit - total, self.free), busy)
            self.submit(taken)
            total += len(taken)
            if not claimed:
                break
        await self._observe_age()
        return total

    async def _observe_age(self) -> None:
        now = time.monotonic()
        if now - self._observed >= _OBSERVED_SECONDS:
            self._observed = now
            async with self._database.read() as session:
                oldest = await repository.oldest_pending(session)
            _oldest.set(0 if oldest is None else (clock.now() - oldest).total_seconds())

    async def _claim(self, limit: int, busy: Sequence[str]) -> tuple[list[Delivery], int]:
        """Make due rows PROCESSING, or FAILED where nothing may be sent: the former, and how many in all."""
        taken: list[Delivery] = []
        async with self._database.transaction() as session:
            now = clock.now()
            rows = await repository.claim_due(session, self._database.dialect, now, limit, busy)
            callbacks = await repository.find_many(session, [row.application_callback_id for row in rows])
            for row in sorted(rows, key=lambda row: (row.timestamp_created, row.id)):
                found = callbacks.get(row.application_callback_id)
                policy = self._policy(found)
                if found is None or not self.clients.allows(found.row.id):
                    _apply(row, rules.given_up(policy, row.attempts, now))
                else:
                    _apply(row, rules.started(policy, now))
                    taken.append(Delivery.of(row, found.row, policy))
        return taken, len(rows)

    async def rerun_stale(self) -> int:
        """Return lost PROCESSING deliveries to PENDING, or give up those with one attempt; how many.

        The job of §30.
        """
        limit = self._settings.callbacks_pending_dispatch_limit
        lost_after = timedelta(milliseconds=self._settings.callbacks_force_rerun_ms)
        async with self._database.transaction() as session:
            now = clock.now()
            dialect = self._database.dialect
            rows = await repository.claim_stale(session, dialect, now, now - lost_after, limit)
            for row in rows:
                repeatable = row.timestamp_rerun_after is not None
                _apply(
                    row,
                    rules.postponed(row.timestamp_last_call, now)
                    if repeatable
                    else rules.given_up(self._policy(None), row.attempts, now),
                )
        return len(rows)

    async def delete_finished(self) -> int:
        """Delete finished deliveries whose retention is over; how many. The job of §30."""
        total = 0
        while True:
            async with self._database.transaction() as session:
                deleted = await repository.delete_finished(session, clock.now())
            total += deleted
            if not deleted:
                return total

    def _policy(self, found: repository.OwnedCallback | None) -> RetryPolicy:
        return retry_policy(self._settings, CallbackUrl() if found is None else found.row)

    def _start(self, work: Coroutine[Any, Any, None], delivery: Delivery) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"callback {delivery.event_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _delivered(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        self._waiting.pop(task, None)
        self._places.give_back(delivery.flow)
        self._accepted[delivery.callback_id] -= 1
        if not self._accepted[delivery.callback_id]:
            del self._accepted[delivery.callback_id]

    async def _deliver(self, delivery: Delivery) -> None:
        task = asyncio.current_task()
        assert task is not None
        lane = self._lanes.setdefault((delivery.callback_id, delivery.subject), asyncio.Lock())
        async with lane, self._slots.slot(delivery.flow):
            if self._waiting.pop(task, None) is None:
                return  # put back while it waited
            if not await self._is_ours(delivery):
                return
            try:
                with tracing.resumed(delivery.traceparent, "callback", tracing.Kind.CLIENT):
                    outcome = await self._attempt(delivery)
            except asyncio.CancelledError:
                await self._finish(delivery, rules.after_failure)
                raise
            await self._finish(delivery, outcome)

    async def _finish(self, delivery: Delivery, outcome: Outcome) -> None:
        await self._settle(delivery, outcome(delivery.policy, delivery.attempts, clock.now()))

    async def _is_ours(self, delivery: Delivery) -> bool:
        """Whether there is still something to send: a savepoint of the business transaction may have been
        rolled back, another replica may have taken the delivery over.
        """
        try:
            async with self._database.read() as session:
                return await repository.is_under_way(
                    session, delivery.event_id, delivery.idempotency_key, delivery.attempts
                )
        except Unavailable as error:
            log.warning("callback put off", callback=delivery.callback_id, reason=str(error))
            return False

    async def _attempt(self, delivery: Delivery) -> Outcome:
        """Send once; how the row goes on."""
        try:
            async with self.clients.lease(delivery.callback_id) as lease:
                if lease.breaker.opened_since(delivery.let_through):
                    _deliveries.labels("circuit_open").inc()
                    return rules.given_up
                try:
                    await lease.client.send(delivery.body, delivery.idempotency_key)
                except DeliveryFailed:
                    lease.breaker.failed(time.monotonic())
                    raise
                lease.breaker.succeeded()
        except CallbackGone:
            _deliveries.labels("gone").inc()
            return rules.given_up
        except DeliveryFailed as error:
            log.warning("callback not accepted", callback=delivery.callback_id, reason=str(error))
            _deliveries.labels("failed").inc()
            return rules.after_failure
        except Unavailable as error:
            log.warning("callback put off", callback=delivery.callback_id, reason=str(error))
            return _postponed
        except Exception:
            log.exception("callback failed unexpectedly", callback=delivery.callback_id)
            _deliveries.labels("failed").inc()
            return rules.after_failure
        _deliveries.labels("accepted").inc()
        return rules.after_success

    async def _postpone(self, delivery: Delivery) -> None:
        await self._settle(delivery, rules.postponed(delivery.last_call, clock.now()))

    async def _settle(self, delivery: Delivery, values: Mapping[str, Any]) -> None:
        try:
            async with self._database.transaction() as session:
                await repository.settle(
                    session, delivery.event_id, delivery.idempotency_key, delivery.attempts, values
                )
        except Unavailable as error:
            # The row stays PROCESSING; the stale job takes it over if it may be repeated.
            log.warning("callback outcome not stored", event=delivery.event_id, reason=str(error))


def _postponed(_policy: RetryPolicy, _attempts: int, now: datetime) -> Mapping[str, Any]:
    return rules.postponed(None, now)


def _apply(row: CallbackUrlEvent, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
