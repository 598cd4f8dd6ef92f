"""Which callbacks want to hear of changes in which application: read once, for every change needs it.

What it knows is read again after any ``application.changed`` event, at the age of
``application_cache_seconds``, and for every change while no events come. What is sent, and with which
secrets, is read before each delivery (`callbacks.clients`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import CallbackUrlType
from powerauth_core.callbacks import repository
from powerauth_core.callbacks.clients import retry_policy
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.callbacks.rules import RetryPolicy
from powerauth_core.callbacks.shares import Flow
from powerauth_core.settings import CoreSettings
from servicekit.bus import Bus


@dataclass(frozen=True, slots=True)
class Subscription:
    """A callback that may be told of changes.

    :ivar attributes: what it wants to know of them
    """

    callback_id: str
    type: str
    attributes: frozenset[str]
    policy: RetryPolicy
    flow: Flow


@dataclass(slots=True)
class _Known:
    """Subscriptions of one application, and the monotonic time until which they are fresh."""

    subscriptions: Sequence[Subscription]
    fresh_until: float


class KnownSubscriptions:
    """The subscriptions of applications. Belongs to one event loop."""

    def __init__(self, settings: CoreSettings, bus: Bus) -> None:
        """
        :param bus: brings events of other processes while it is connected
        """
        self._settings = settings
        self._bus = bus
        self._known: dict[str, _Known] = {}
        self._forgotten = 0

    def knows(self, application_ids: Collection[str]) -> bool:
        """Whether what is known of these applications is fresh."""
        if not self._bus.connected:
            return False
        now = time.monotonic()
        found = [self._known.get(application_id) for application_id in application_ids]
        return all(known is not None and now < known.fresh_until for known in found)

    async def learn(self, session: AsyncSession, application_ids: Collection[str]) -> None:
        """Read what is not known of these applications."""
        if self.knows(application_ids):
            return
        forgotten = self._forgotten
        found: dict[str, list[Subscription]] = {application_id: [] for application_id in application_ids}
        for application_id, callback in await repository.recipients(session, application_ids):
            subscription = self._subscription(callback)
            if subscription.policy.max_attempts > 0:
                found[application_id].append(subscription)
        # What was read before a change may be what the change replaced: good for now only.
        is_fresh = forgotten == self._forgotten
        until = time.monotonic() + self._settings.application_cache_seconds if is_fresh else 0.0
        for application_id, subscriptions in found.items():
            # Somebody who began later may have read the change.
            if is_fresh or not self.knows([application_id]):
                self._known[application_id] = _Known(subscriptions, until)

    def of(self, application_ids: Sequence[str], kind: CallbackUrlType) -> Iterator[Subscription]:
        """The callbacks of these applications, which are known, for one kind of change.

        :raises KeyError: an application is not known
        """
        for application_id in application_ids:
            for subscription in self._known[application_id].subscriptions:
                if subscription.type == kind.value:
                    yield subscription

    def forget(self) -> None:
        """Read everything anew before it is needed next; called when any callback changed."""
        self._forgotten += 1
        for known in self._known.values():
            known.fresh_until = 0.0

    def _subscription(self, callback: CallbackUrl) -> Subscription:
        return Subscription(
            callback_id=callback.id,
            type=callback.type,
            attributes=frozenset(callback.attributes or ()),
            policy=retry_policy(self._settings, callback),
            flow=Flow.to(callback.application_id, callback.callback_url or ""),
        )
