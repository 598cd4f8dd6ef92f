"""Rate limits of unauthenticated endpoints (spec/README.md D18).

Each limit is a bucket: `burst` calls at once, refilled evenly at `per_minute`. The state is one number per
key, the time at which the bucket will be full again, and the number of keys is bounded. Every replica counts
for itself.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from enrollment.errors import TooManyRequests

KEYS_REMEMBERED = 100_000
_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_minute` calls in the long run, `burst` of them at once; a rate of 0 allows everything."""

    per_minute: int
    burst: int


class RateLimit:
    """One limit over many keys (addresses, application keys, activation ids)."""

    def __init__(
        self, rate: Rate, *, keys: int = KEYS_REMEMBERED, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = _SECONDS_PER_MINUTE / rate.per_minute if rate.per_minute > 0 else 0.0
        self._tolerance = self._interval * (max(rate.burst, 1) - 1)
        self._keys = keys
        self._now = now
        self._full_again: OrderedDict[str, float] = OrderedDict()

    @property
    def enabled(self) -> bool:
        """Whether this limit refuses anything at all."""
        return self._interval > 0

    def check(self, key: str) -> None:
        """Count one call of `key`.

        :raises TooManyRequests: when the bucket is empty, with the seconds to wait; such a call is not
            counted.
        """
        if not self.enabled:
            return
        now = self._now()
        due = max(self._full_again.get(key, now), now)
        wait = due - self._tolerance - now
        if wait > 0:
            raise TooManyRequests(retry_after=math.ceil(wait))
        self._full_again[key] = due + self._interval
        self._full_again.move_to_end(key)
        if len(self._full_again) > self._keys:
            self._full_again.popitem(last=False)
