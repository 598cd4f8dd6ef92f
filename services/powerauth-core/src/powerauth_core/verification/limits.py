"""How often one client may fail at one activation at the dmz door before its attempts wait and share rows
(D15).

Nobody is refused for it: an attempt over the limit is checked like any other, unless more of them wait than
will be checked in reasonable time (D28).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from servicekit import metrics
from servicekit.caching import Cache
from servicekit.workers import Overloaded

_REMEMBERED = 10_000
OVER_LIMIT_AT_ONCE = 2
"""Attempts of one client at one activation that are checked at the same time, once it is over the limit."""
OVER_LIMIT_WAITING = 256
"""Such attempts that may wait: about as many as are checked before whoever asked gives up."""
_over = metrics.counter(
    "powerauth_dmz_attempts_limited", "Signature attempts over the limit of failures: checked, but in turn"
)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated: float


@dataclass(slots=True)
class _Lane:
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OVER_LIMIT_AT_ONCE))
    inside: int = 0


class AttemptLimit:
    """A token bucket per activation and client address that only failures empty. Per process.

    A full minute's failures at once, then an even rate.

    :param per_minute: failures per activation, address and minute; 0 switches the limit off
    """

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._rate = per_minute / 60
        self._buckets: Cache[tuple[str, str], _Bucket] = Cache(_REMEMBERED)
        self._lanes: dict[tuple[str, str], _Lane] = {}

    def is_over(self, activation_id: str, address: str) -> bool:
        """Whether this client failed too often at this activation lately."""
        bucket = self._buckets.get((activation_id, address))
        if bucket is None or self._refilled(bucket).tokens >= 1:
            return False
        _over.inc()
        return True

    @asynccontextmanager
    async def turn(self, activation_id: str, address: str) -> AsyncIterator[None]:
        """Wait for the turn of an attempt over the limit; nobody else waits for it.

        :raises Overloaded: too many wait; the attempt was not counted
        """
        key = (activation_id, address)
        lane = self._lanes.setdefault(key, _Lane())
        if lane.inside >= OVER_LIMIT_AT_ONCE + OVER_LIMIT_WAITING:
            raise Overloaded("too many attempts at one activation wait")
        lane.inside += 1
        try:
            async with lane.turn:
                yield
        finally:
            lane.inside -= 1
            if not lane.inside:
                del self._lanes[key]

    def count_failure(self, activation_id: str, address: str) -> None:
        """Count a failed attempt on an activation that exists."""
        if not self._capacity:
            return
        key = (activation_id, address)
        bucket = self._refilled(self._buckets.get(key) or _Bucket(self._capacity, time.monotonic()))
        bucket.tokens = max(0.0, bucket.tokens - 1)
        self._buckets.put(key, bucket)

    def _refilled(self, bucket: _Bucket) -> _Bucket:
        now = time.monotonic()
        bucket.tokens = min(self._capacity, bucket.tokens + (now - bucket.updated) * self._rate)
        bucket.updated = now
        return bucket
