"""How often one activation may be tried at the dmz door (D15)."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

from powerauth_core.errors import CoreError
from servicekit import metrics

_REMEMBERED = 10_000
_refused = metrics.counter("powerauth_dmz_attempts_limited", "Signature attempts refused by the rate limit")


class TooManyAttempts(CoreError):
    """More attempts on one activation than the limit allows; nothing was checked or counted."""

    code = "ERROR_TOO_MANY_REQUESTS"
    message = "Too many requests."
    http_status = 429


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated: float


class AttemptLimit:
    """A token bucket per activation: a full minute's attempts at once, then an even rate. Per process.

    :param per_minute: attempts per activation and minute; 0 switches the limit off
    """

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._rate = per_minute / 60
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, activation_id: str) -> None:
        """Count an attempt.

        :raises TooManyAttempts: the limit is reached
        """
        if not self._capacity:
            return
        now = time.monotonic()
        bucket = self._buckets.pop(activation_id, None) or _Bucket(self._capacity, now)
        bucket.tokens = min(self._capacity, bucket.tokens + (now - bucket.updated) * self._rate)
        bucket.updated = now
        self._buckets[activation_id] = bucket
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            _refused.inc()
            raise TooManyAttempts(retry_after=int((1 - bucket.tokens) / self._rate) + 1)
        bucket.tokens -= 1
