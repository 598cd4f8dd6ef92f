"""Rate limits of this service (D18), counted by the `limits` library.

What is counted is what honest clients do not do often: failures of an address, and questions about one
activation. Over a limit requests wait for each other (`lanes`); no count refuses anybody. Every replica
counts for itself, unless a shared storage is configured.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from limits import RateLimitItemPerMinute
from limits.strategies import SlidingWindowCounterRateLimiter

from enrollment.errors import TooManyRequests
from enrollment.lanes import Disconnected, Lanes
from enrollment.limit_storage import BoundedMemory, SharedCounts
from enrollment.settings import EnrollmentSettings
from servicekit.caching import Cache
from servicekit.callers import LOOPBACK
from servicekit.errors import ServiceError

KEYS_REMEMBERED = 100_000
PROVEN_SECONDS = 600.0


class RateLimit:
    """One limit over many keys (addresses, activations), over a sliding window of a minute.

    :param name: what a refusal calls it; tells its counts apart from those of others in a shared storage.
    :param per_minute: events a minute; 0 switches the limit off.
    :param shared: counts of all replicas; without it, or while it is away, this process counts alone.
    :param keys: counters remembered here; beyond them the oldest are forgotten.
    """

    def __init__(
        self, name: str, per_minute: int, *, shared: SharedCounts | None = None, keys: int = KEYS_REMEMBERED
    ) -> None:
        self.name = name
        self._shared = shared
        self._local = SlidingWindowCounterRateLimiter(BoundedMemory(keys))
        self._item = RateLimitItemPerMinute(per_minute, namespace=name) if per_minute else None

    async def is_over(self, key: str) -> bool:
        """Whether the limit of `key` is reached; counts nothing."""
        item = self._item
        if item is None:
            return False
        room = await self._shared.has_room(item, key) if self._shared is not None else None
        return not (self._local.test(item, key) if room is None else room)

    async def count(self, key: str) -> None:
        """Count one event of `key`; over the limit it is not counted any more."""
        item = self._item
        if item is None:
            return
        counted = await self._shared.count(item, key) if self._shared is not None else None
        if counted is None:
            self._local.hit(item, key)


@dataclass(slots=True)
class Limits:
    """The rate limits of this service, and the queues of those who are over one.

    :ivar failures_per_address: requests that prove nothing: wrong MAC, code or credentials, an envelope that
        does not open
    :ivar keystore_per_activation: temporary keys that an activation got
    :ivar status_per_activation: questions for the status of one activation by one address
    """

    failures_per_address: RateLimit
    keystore_per_activation: RateLimit
    status_per_activation: RateLimit
    loopback: bool
    shared: SharedCounts | None = None
    _lanes: Lanes = field(default_factory=Lanes)
    _proven: Cache[str, bool] = field(default_factory=lambda: Cache(KEYS_REMEMBERED, PROVEN_SECONDS))

    @classmethod
    def of(cls, settings: EnrollmentSettings) -> Limits:
        """Make the configured limits."""
        url = settings.limit_storage_url.get_secret_value()
        shared = SharedCounts(url) if url else None
        return cls(
            RateLimit("failures-per-address", settings.limit_failures_per_address, shared=shared),
            RateLimit("keystore-per-activation", settings.limit_keystore_per_activation, shared=shared),
            RateLimit("status-per-activation", settings.limit_status_per_activation, shared=shared),
            settings.limit_loopback,
            shared,
        )

    @asynccontextmanager
    async def turn(
        self, limit: RateLimit, key: str, network: str, disconnected: Disconnected
    ) -> AsyncIterator[None]:
        """Let a request pass: at once, or in its turn while `key` is over the limit.

        :param network: where the request comes from
        :param disconnected: tells when its client is gone
        :raises TooManyRequests: the queue is full
        :raises ClientDisconnect: the client did not wait for its turn
        """
        if self._is_exempt(network) or not await limit.is_over(key):
            yield
            return
        async with self._lanes.turn(limit.name, key, disconnected, proven=self._is_proven(network)):
            yield

    @asynccontextmanager
    async def counting_failures(self, network: str, disconnected: Disconnected) -> AsyncIterator[None]:
        """Let a request pass, and count its failure on the address. An outage is none; raises as `turn`."""
        async with self.turn(self.failures_per_address, network, network, disconnected):
            try:
                yield
            except TooManyRequests:
                raise
            except ServiceError:
                await self.failures_per_address.count(network)
                raise

    def prove(self, network: str) -> None:
        """An activation proved from there that it is one: what an address full of strangers cannot do."""
        self._proven.put(network, True)

    async def close(self) -> None:
        """Close the connections of a shared storage."""
        if self.shared is not None:
            await self.shared.close()

    def _is_proven(self, network: str) -> bool:
        return self._proven.get(network) is not None

    def _is_exempt(self, network: str) -> bool:
        return network == LOOPBACK and not self.loopback
