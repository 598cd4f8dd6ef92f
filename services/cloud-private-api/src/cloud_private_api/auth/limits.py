"""How many wrong passwords are looked at before a hash is spent on them (D28)."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable

from cloud_private_api.errors import TooManyRequests
from servicekit.caching import Cache

REMEMBERED_KEYS = 100_000
_SECONDS_PER_MINUTE = 60.0


class FailureLimit:
    """At most so many failed attempts a minute for each key; attempts under way count as if they had failed.

    Successes cost nothing: whoever has the right password is not limited by having used it often. A limit
    of 0 allows everything.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._failures: Cache[Hashable, tuple[float, float]] = Cache(REMEMBERED_KEYS)
        self._under_way: Counter[Hashable] = Counter()

    def check(self, key: Hashable) -> None:
        """Whether one more attempt may start.

        :raises TooManyRequests: not now; the seconds to wait are with it
        """
        if self._per_minute <= 0:
            return
        beyond = self._level(key) + self._under_way[key] + 1 - self._per_minute
        if beyond > 0:
            raise TooManyRequests(retry_after=math.ceil(beyond * _SECONDS_PER_MINUTE / self._per_minute))

    def start(self, key: Hashable) -> None:
        """An attempt begins; exactly one call of `end` follows."""
        self._under_way[key] += 1

    def end(self, key: Hashable, *, failed: bool) -> None:
        """An attempt is over."""
        self._under_way[key] -= 1
        if self._under_way[key] <= 0:
            del self._under_way[key]
        if failed and self._per_minute > 0:
            self._failures.put(key, (self._level(key) + 1, self._clock()))

    def _level(self, key: Hashable) -> float:
        """Failures that still count: they fade at the rate at which new ones are allowed."""
        level, since = self._failures.get(key) or (0.0, 0.0)
        if not level:
            return 0.0
        faded = (self._clock() - since) * self._per_minute / _SECONDS_PER_MINUTE
        return max(0.0, level - faded)
