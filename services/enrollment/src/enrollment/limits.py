"""Rate limits of this service (D18), counted by the `limits` library.

A limit of `per_minute` calls with a `burst` admits `burst` calls in the time in which `per_minute` calls a
minute would take as long, over a sliding window. Every replica counts for itself, unless a shared storage is
configured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.strategies import SlidingWindowCounterRateLimiter

from enrollment.errors import TooManyRequests
from enrollment.limit_storage import BoundedMemory, SharedCounts, seconds_until
from enrollment.settings import EnrollmentSettings

KEYS_REMEMBERED = 100_000
_SECONDS_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_minute` calls in the long run, `burst` of them at once; a rate of 0 allows everything."""

    per_minute: int
    burst: int

    @property
    def window_seconds(self) -> int:
        """The time in which `burst` calls pass, rounded up to whole seconds."""
        return math.ceil(_SECONDS_PER_MINUTE * max(self.burst, 1) / self.per_minute)


class RateLimit:
    """One limit over many keys (addresses, application keys, activation ids).

    :param name: tells its counts apart from those of other limits in a shared storage.
    :param shared: counts of all replicas; without it, or while it is away, this process counts alone.
    :param keys: counters remembered here; beyond them the oldest are forgotten.
    """

    def __init__(
        self,
        name: str,
        rate: Rate,
        *,
        shared: SharedCounts | None = None,
        keys: int = KEYS_REMEMBERED,
    ) -> None:
        self._shared = shared
        self._local = SlidingWindowCounterRateLimiter(BoundedMemory(keys))
        self._item: RateLimitItem | None = None
        if rate.per_minute > 0:
            self._item = RateLimitItemPerSecond(max(rate.burst, 1), rate.window_seconds, name)

    @property
    def enabled(self) -> bool:
        """Whether this limit refuses anything at all."""
        return self._item is not None

    async def check(self, key: str) -> None:
        """Count one call of `key`.

        :raises TooManyRequests: when there were too many, with the seconds to wait; such a call is not
            counted.
        """
        item = self._item
        if item is None:
            return
        wait = await self._shared.wait(item, key) if self._shared is not None else None
        if wait is None:
            wait = self._wait_here(item, key)
        if wait > 0:
            raise TooManyRequests(retry_after=wait)

    def _wait_here(self, item: RateLimitItem, key: str) -> int:
        if self._local.hit(item, key):
            return 0
        return seconds_until(self._local.get_window_stats(item, key).reset_time)


@dataclass(frozen=True, slots=True)
class Limits:
    """The rate limits of this service."""

    keystore_per_address: RateLimit
    keystore_per_application_key: RateLimit
    status_per_activation: RateLimit
    activation_create_per_address: RateLimit
    configuration_per_address: RateLimit
    authenticated_per_address: RateLimit
    _shared: SharedCounts | None = None

    @classmethod
    def of(cls, settings: EnrollmentSettings) -> Limits:
        """Make the configured limits."""
        url = settings.limit_storage_url.get_secret_value()
        shared = SharedCounts(url) if url else None

        def limit(name: str, per_minute: int, burst: int | None = None) -> RateLimit:
            return RateLimit(name, Rate(per_minute, per_minute if burst is None else burst), shared=shared)

        return cls(
            limit("keystore-address", settings.limit_keystore_per_address),
            limit(
                "keystore-application",
                settings.limit_keystore_per_application_key,
                settings.limit_keystore_burst_per_application_key,
            ),
            limit("status-activation", settings.limit_status_per_activation),
            limit("activation-create-address", settings.limit_activation_create_per_address),
            limit("configuration-address", settings.limit_configuration_per_address),
            limit("authenticated-address", settings.limit_authenticated_per_address),
            shared,
        )

    async def close(self) -> None:
        """Close the connections of a shared storage."""
        if self._shared is not None:
            await self._shared.close()
