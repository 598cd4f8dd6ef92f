"""Sends what is queued (spec/push-api.md §8, §20).

Any number of processes send at the same time. Whoever takes a message over writes itself into its row, with
the moment from which others may take it: a killed process delays what it had under way and loses nothing, and
that alone may be sent twice. A campaign's message is not sent again when nobody knows what became of it.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from powerauth_push.applications.secrets import PROVIDERS
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.dispatch import repository, rules
from powerauth_push.dispatch.repository import Claimed, Lane
from powerauth_push.dispatch.rules import Outgoing
from powerauth_push.dispatch.senders import Senders
from powerauth_push.dispatch.settlement import Campaigns, Settled, settle, taken
from powerauth_push.dispatch.shares import Shares
from powerauth_push.dispatch.stored import read_message
from powerauth_push.providers.messages import Content, Device, Environment, Message
from powerauth_push.providers.outcomes import Outcome, Verdict
from powerauth_push.settings import PushSettings
from servicekit import clock, metrics, tracing
from servicekit.batching import BatchQueue
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.logs import get_logger
from servicekit.waiting import set_within

_log = get_logger(__name__)

_SETTLED_TOGETHER = 200
_SHORTEST_WAIT_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 1.0
_DATABASE_PAUSE_SECONDS = 1.0
_NOBODYS, _NOTHING = UUID(int=0), Message(Content())
_outcomes = metrics.counter(
    "push_messages",
    "Messages to devices",
    {"provider": PROVIDERS, "outcome": [verdict.value for verdict in Verdict]},
)
_overdue = metrics.gauge(
    "push_queue_overdue_seconds",
    "How long the message that is due longest has waited beyond that",
    {"provider": PROVIDERS},
)
_ENVIRONMENTS = {item.value: item for item in Environment}


class NotWritten(Unavailable):
    """What became of a message is not in the database; it is sent again when its lease is over."""


class Dispatcher:
    """Sends, a bounded number of messages to each provider at a time, and writes the outcomes."""

    def __init__(
        self, settings: PushSettings, database: Database, senders: Senders, campaigns: Campaigns
    ) -> None:
        self._campaigns = campaigns
        self._settings = settings
        self._database = database
        self._senders = senders
        self.owner = secrets.token_hex(16)
        self._wakes = {provider: asyncio.Event() for provider in PROVIDERS}
        self._under_way: dict[str, set[asyncio.Task[None]]] = {provider: set() for provider in PROVIDERS}
        self._shares = {provider: Shares(settings.sends_per_provider) for provider in PROVIDERS}
        self._settling = BatchQueue(_several, self._settle, in_flight=1)
        self._loops: list[asyncio.Task[None]] = []
        self._crowded: set[str] = set()
        self._sending: set[UUID] = set()
        self._in_hand: set[UUID] = set()
        self._kept: dict[UUID, asyncio.Task[dict[UUID, int]]] = {}
        self._begun: set[asyncio.Task[Outcome]] = set()
        self._stopping = asyncio.Event()
        self._look = asyncio.Event()

    def start(self) -> None:
        """Send what is queued from now on."""
        self._loops = [
            asyncio.create_task(self._serve(provider), name=f"push to {provider}") for provider in PROVIDERS
        ]
        self._loops.append(asyncio.create_task(self._watch(), name="push queue"))

    async def stop(self) -> None:
        """Take nothing more, let what is under way end within the grace period, and write its outcomes."""
        self._stopping.set()
        self._look.set()
        self.wake(*PROVIDERS)
        await asyncio.gather(*self._loops)
        tasks: set[asyncio.Task[Any]] = set(self._begun).union(*self._under_way.values())
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=self._settings.graceful_shutdown_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        while self._settling.workers:
            await asyncio.gather(*self._settling.workers)

    def wake(self, *providers: str) -> None:
        """Something may be due."""
        for provider in providers:
            self._wakes[provider].set()

    async def attempt(self, item: Outgoing) -> Outcome:
        """Send a message and write what becomes of it; one that may be tried again is in the queue then.

        :raises Unavailable: that could not be written
        """
        self._in_hand.add(item.key)
        try:
            return await self._attempt(item)
        finally:
            self._in_hand.discard(item.key)

    async def _attempt(self, item: Outgoing) -> Outcome:
        self._sending.add(item.key)
        try:
            outcome = await self._outcome(item)
        finally:
            self._sending.discard(item.key)
            kept = self._kept.pop(item.key, None)
        if kept is not None:
            item = replace(item, row=(await asyncio.shield(kept)).get(item.key))
        settled = Settled(item, outcome, asyncio.get_running_loop().create_future())
        self._settling.put(settled)
        await settled.written
        return settled.outcome

    def begin(self, item: Outgoing) -> asyncio.Task[Outcome]:
        """An attempt that goes on whether or not anybody waits for it; raises as `attempt`."""
        task = asyncio.create_task(self.attempt(item))
        self._begun.add(task)
        task.add_done_callback(self._forget)
        return task

    async def keep(self, items: Iterable[Outgoing]) -> None:
        """Write those of the messages that are being sent into the queue, lest they end with this process."""
        sending = [item for item in items if item.key in self._sending]
        if sending:
            kept = asyncio.create_task(self._write_taken(sending))
            self._kept.update(dict.fromkeys((item.key for item in sending), kept))
            await asyncio.shield(kept)

    async def _write_taken(self, items: Sequence[Outgoing]) -> dict[UUID, int]:
        until = clock.now() + timedelta(seconds=self._settings.delivery_lease_seconds)
        try:
            async with self._database.transaction() as session:
                rows = await repository.add_taken(session, [taken(item, self.owner, until) for item in items])
        except Unavailable as error:
            _log.warning("messages under way not written", reason=str(error), messages=len(items))
            return {}
        except Exception:
            _log.exception("messages under way not written")
            return {}
        return {item.key: row for item, row in zip(items, rows, strict=True)}

    def _forget(self, task: asyncio.Task[Outcome]) -> None:
        self._begun.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("outcome not written", reason=str(error))

    async def run_due(self) -> int:
        """Send all that is due now and wait for it; how many messages were taken."""
        total = 0
        for provider in PROVIDERS:
            limit = self._settings.sends_per_provider
            while claimed := await self._claim(provider, limit, Shares(limit)):
                await asyncio.gather(*map(self.attempt, claimed))
                total += len(claimed)
        return total

    async def _serve(self, provider: str) -> None:
        wake, tasks, shares = self._wakes[provider], self._under_way[provider], self._shares[provider]
        while not self._stopping.is_set():
            await self._room(tasks)
            if self._stopping.is_set():
                return  # before the wake is forgotten that told of it
            wake.clear()
            if shares.full or not shares.takes_campaigns:
                self._crowded.add(provider)
            wanted = shares.next_take
            claimed = await self._taken(provider, wanted, shares)
            for item in claimed:
                shares.take(item)
                task = asyncio.create_task(self._send(item))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                task.add_done_callback(partial(self._give_back, item))
            if len(claimed) < wanted and not self._stopping.is_set():
                await wake.wait()

    def _give_back(self, item: Outgoing, _task: asyncio.Task[None]) -> None:
        self._shares[item.provider].give_back(item)
        if item.provider in self._crowded:
            self._crowded.discard(item.provider)
            # Others end at the same time: one claim for all.
            asyncio.get_running_loop().call_later(_SHORTEST_WAIT_SECONDS, self.wake, item.provider)

    async def _room(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait until another message may be under way."""
        limit = self._settings.sends_per_provider
        while len(tasks) >= limit and not self._stopping.is_set():
            await asyncio.wait(tasks, timeout=_LONGEST_WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(_SHORTEST_WAIT_SECONDS)  # others end at the same time: one claim for all

    async def _send(self, item: Outgoing) -> None:
        with suppress(Unavailable):
            await self.attempt(item)

    async def _taken(self, provider: str, limit: int, shares: Shares) -> list[Outgoing]:
        try:
            return await self._claim(provider, limit, shares)
        except Unavailable as error:
            _log.warning("push queue not read", reason=str(error))
        except Exception:
            _log.exception("push queue not read")
        await set_within(self._stopping, _DATABASE_PAUSE_SECONDS)
        return []

    async def _claim(self, provider: str, limit: int, shares: Shares) -> list[Outgoing]:
        """Messages to single users go before those of campaigns.

        Where many of them wait, a quarter are those that have been due longest, the rest the newest of what
        announces operations: who has just made one waits for it still.
        """
        now = clock.now()
        until = now + timedelta(seconds=self._settings.delivery_lease_seconds)
        async with self._database.transaction() as session:
            claim = partial(
                repository.claim,
                session,
                self._database.dialect,
                provider,
                self.owner,
                now,
                until,
                without=shares.full,
            )
            share = math.ceil(limit / 4)
            found = await claim(share, Lane.SINGLE)
            if len(found) == share:
                found += await claim(limit - len(found), Lane.ANNOUNCEMENTS)
                found += await claim(limit - len(found), Lane.SINGLE)
            if shares.takes_campaigns:
                found += await claim(limit - len(found), Lane.CAMPAIGNS)
        items = [item for item in map(self._readable, found) if item is not None]
        # What is sent or written still when its lease is over has a new one now, and is not sent twice.
        return [item for item in items if item.key not in self._in_hand]

    def _readable(self, claimed: Claimed) -> Outgoing | None:
        """A message of the queue; one that cannot be read ends and holds up no other."""
        try:
            return _outgoing(claimed, UUID(claimed.row.delivery_key), read_message(claimed.row.message))
        except Exception as error:  # others may have written whatever they like
            _log.error("queued message unreadable", row=claimed.row.id, reason=type(error).__name__)
            item = _outgoing(claimed, _NOBODYS, _NOTHING)
            written = asyncio.get_running_loop().create_future()
            self._settling.put(Settled(item, rules.UNREADABLE, written))
            written.add_done_callback(_seen)
            return None

    async def _watch(self) -> None:
        """Wake the providers whose messages become due, those of other processes too."""
        longest = self._settings.delivery_poll_seconds
        while not self._stopping.is_set():
            self._look.clear()
            wait = longest
            due = await self._next_due()
            for provider, moment in (due or {}).items():
                left = (moment - clock.now()).total_seconds()
                if left <= 0:
                    self.wake(provider)
                else:
                    wait = min(wait, max(left, _SHORTEST_WAIT_SECONDS))
            if due is not None:
                _observe(due)
            await set_within(self._look, wait)

    async def _next_due(self) -> dict[str, datetime] | None:
        """The earliest moment of each provider that has messages; None: the database cannot be read now."""
        try:
            async with self._database.read() as session:
                return await repository.next_due(session, PROVIDERS)
        except Unavailable as error:
            _log.warning("push queue not read", reason=str(error))
        except Exception:
            _log.exception("push queue not read")
        return None

    async def _outcome(self, item: Outgoing) -> Outcome:
        refusal = rules.refusal(item, clock.now())
        if refusal is not None:
            return refusal
        assert item.device is not None
        try:
            sender = await self._senders.of(item.app_number, item.provider)
            if isinstance(sender, Outcome):
                return sender
            with tracing.resumed(item.traceparent, "send", tracing.Kind.CLIENT, item.provider) as span:
                outcome = await sender.deliver(
                    item.message,
                    item.device,
                    item.key,
                    item.attempts,
                    at_most_once=item.campaign is not None,
                )
                if span is not None:
                    span.note("push.verdict", outcome.verdict.value)
                return outcome
        except Unavailable as error:
            _log.warning("message put off", provider=item.provider, reason=str(error))
            return Outcome(Verdict.LATER, "unavailable", held=True)
        except Exception:
            _log.exception("message not sent", provider=item.provider)
            return Outcome(Verdict.LATER, "unexpected", uncertain=True)

    async def _settle(self, batch: list[Settled]) -> None:
        """Write outcomes, and go on trying while the database is away: what is not written is sent again."""
        while True:
            try:
                async with self._database.transaction() as session:
                    await settle(session, self.owner, self._settings, batch, self._campaigns)
                break
            except Unavailable as error:
                _log.warning("outcomes not written", reason=str(error), messages=len(batch))
                if self._stopping.is_set():
                    return _fail(batch)
                await set_within(self._stopping, _DATABASE_PAUSE_SECONDS)
            except Exception:
                if len(batch) == 1:
                    _log.exception("outcome not written")
                    return _fail(batch)
                for settled in batch:  # one must not fail its neighbours
                    await self._settle([settled])
                return None
        for settled in batch:
            _outcomes.labels(settled.item.provider, settled.outcome.verdict.value).inc()
            if not settled.written.done():
                settled.written.set_result(None)
        if any(settled.outcome.verdict is Verdict.LATER for settled in batch):
            self._look.set()
        return None


def _several(waiting: deque[Settled]) -> list[Settled]:
    return [waiting.popleft() for _ in range(min(len(waiting), _SETTLED_TOGETHER))]


def _seen(written: asyncio.Future[None]) -> None:
    """Nobody waits for it; that it is not written has been told."""
    if not written.cancelled():
        written.exception()


def _fail(batch: Iterable[Settled]) -> None:
    for settled in batch:
        if not settled.written.done():
            settled.written.set_exception(NotWritten("the outcome of a message is not written"))


def _outgoing(claimed: Claimed, key: UUID, message: Message) -> Outgoing:
    row, registration = claimed.row, claimed.registration
    return Outgoing(
        key=key,
        provider=row.provider,
        app_number=row.app_id,
        registration=row.device_registration_id,
        activation=row.activation_id,
        device=None if registration is None else device_of(registration),
        active=registration is not None and registration.is_active,
        message=message,
        text=row.message,
        created=row.timestamp_created,
        row=row.id,
        record=row.message_id,
        campaign=row.campaign_id,
        attempts=row.attempts,
        first=row.timestamp_first,
        lost=claimed.lost,
        traceparent=row.traceparent,
    )


def _observe(due: Mapping[str, datetime]) -> None:
    for provider in PROVIDERS:
        late = (clock.now() - due[provider]).total_seconds() if provider in due else 0
        _overdue.labels(provider).set(max(late, 0))


def device_of(registration: DeviceRegistration) -> Device:
    """The phone of a registration; an environment that is none counts as not given."""
    return Device(
        token=registration.push_token,
        environment=_ENVIRONMENTS.get((registration.environment or "").lower()),
        registered_at=registration.timestamp_last_registered,
    )
