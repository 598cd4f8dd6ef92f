"""Where the `limits` library keeps its counts: in this process, or in Redis for all replicas."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from limits.errors import StorageError
from limits.storage.base import SlidingWindowCounterSupport, Storage, TimestampedSlidingWindow

from servicekit.logs import get_logger

if TYPE_CHECKING:
    from limits import RateLimitItem

_log = get_logger(__name__)

SHARED_SCHEMES = ("redis", "rediss", "redis+unix")
"""What a shared storage may be; TLS by `rediss`."""

_KEY_PREFIX = "powerauth-enrollment"
_CONNECTIONS = 50
_TIMEOUT_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_EXPIRED_DROPPED_AT_ONCE = 4


class BoundedMemory(Storage, SlidingWindowCounterSupport, TimestampedSlidingWindow):
    """Counts in this process.

    The library's own memory storage starts a thread that looks at every key, for almost every request, and
    keeps all keys of the last two windows. Here the counters of one limit stand in the order in which they
    expire: each new one drops the oldest, and their number is bounded.
    """

    STORAGE_SCHEME = ["bounded-memory"]  # noqa: RUF012 - as the library declares it

    def __init__(self, keys: int) -> None:
        """:param keys: counters remembered."""
        super().__init__()
        self._keys = keys
        self._counts: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a failing storage raises; this one cannot fail."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter and return it; a new one expires `expiry` seconds from now."""
        now = time.time()
        count, expires = self._counts.get(key, (0, 0.0))
        if expires <= now:
            self._counts.pop(key, None)
            self._make_room(now)
            count, expires = 0, now + expiry
        self._counts[key] = (count + amount, expires)
        return count + amount

    def get(self, key: str) -> int:
        """Return a counter; 0 for one that is not there or has expired."""
        count, expires = self._counts.get(key, (0, 0.0))
        return count if expires > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """Return when a counter expires (s since the epoch); now for one that is not there."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Return whether the storage can be used: always."""
        return True

    def reset(self) -> int:
        """Forget everything."""
        number = len(self._counts)
        self._counts.clear()
        return number

    def clear(self, key: str) -> None:
        """Forget one counter."""
        self._counts.pop(key, None)

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a call unless the window, with its share of the one before, is full."""
        before, share, within, _ = self.get_sliding_window(key, expiry)
        if math.floor(before * share / expiry + within) + amount > limit:
            return False
        _, current = self.sliding_window_keys(key, expiry, time.time())
        self.incr(current, 2 * expiry, amount)
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return counts of the window before and of this one, each with the seconds that it still counts."""
        now = time.time()
        previous, current = self.sliding_window_keys(key, expiry, now)
        remaining = expiry - now % expiry
        before = self.get(previous)
        return before, remaining if before else 0.0, self.get(current), remaining + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget both windows of a key."""
        for window in self.sliding_window_keys(key, expiry, time.time()):
            self.clear(window)

    def _make_room(self, now: float) -> None:
        """Insertion order is the order of expiry, since all counters of one limit live equally long."""
        for _ in range(_EXPIRED_DROPPED_AT_ONCE):
            oldest = next(iter(self._counts), None)
            if oldest is None or (self._counts[oldest][1] > now and len(self._counts) < self._keys):
                return
            del self._counts[oldest]


class SharedCounts:
    """Counts of all replicas, in Redis. While it is away nobody is refused for that: replicas count alone.

    :param url: `redis://`, `rediss://` or `redis+unix://`; needs this package's extra `redis`.
    """

    def __init__(self, url: str) -> None:
        # Only a service with a shared storage has the client installed.
        from limits.aio.storage import RedisStorage  # noqa: PLC0415
        from limits.aio.strategies import SlidingWindowCounterRateLimiter  # noqa: PLC0415
        from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        self._connections = BlockingConnectionPool.from_url(
            url.replace("redis+unix://", "unix://", 1),
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT_SECONDS,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._strategy = SlidingWindowCounterRateLimiter(
            RedisStorage(
                f"async+{url}",
                wrap_exceptions=True,
                implementation="redispy",
                key_prefix=_KEY_PREFIX,
                connection_pool=self._connections,  # type: ignore[arg-type]  # passed on to the client
            )
        )
        self._away_until = 0.0

    async def has_room(self, item: RateLimitItem, key: str) -> bool | None:
        """Whether the limit of `key` is not reached; None while the storage is away."""
        return await self._ask(lambda: self._strategy.test(item, key))

    async def count(self, item: RateLimitItem, key: str) -> bool | None:
        """Count one event of `key`; whether there was room for it, None while the storage is away."""
        return await self._ask(lambda: self._strategy.hit(item, key))

    async def _ask(self, question: Callable[[], Awaitable[bool]]) -> bool | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            return await question()
        except StorageError as error:
            self._away_until = time.monotonic() + _RETRY_SECONDS
            _log.error("shared rate limits are away, replicas count alone", reason=type(error).__name__)
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.disconnect()
