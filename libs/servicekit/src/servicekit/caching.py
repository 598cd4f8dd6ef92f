"""A bounded map of what was used last, and only for a while."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """At most so many values, each at most so old; the least recently used goes first. What is too old
    stays for its time once more at most. For one thread.

    :param seconds: after this age a value is as if it were not there; of 0 seconds nothing is kept
    """

    def __init__(
        self, capacity: int, seconds: float = math.inf, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._seconds = seconds
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._cleared = 0
        self._swept = clock()

    def __len__(self) -> int:
        """Values that are kept, too old ones among them."""
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, if there is a fresh one."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """Keep a value from now on."""
        if self._seconds <= 0:
            return
        now = self._clock()
        if now - self._swept >= self._seconds:
            self._sweep(now)
        self._entries[key] = (now + self._seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    async def load(self, key: K, read: Callable[[], Awaitable[V | None]]) -> V | None:
        """The value, read if need be. What does not exist is not kept, nor what was read before a `clear`:
        it may be what the change replaced.
        """
        value = self.get(key)
        if value is not None:
            return value
        cleared = self._cleared
        value = await read()
        if value is not None and cleared == self._cleared:
            self.put(key, value)
        return value

    def drop(self, key: K) -> None:
        """Forget one value."""
        self._entries.pop(key, None)

    def drop_where(self, unwanted: Callable[[K, V], bool]) -> None:
        """Forget the values that ``unwanted`` says so of."""
        for key in [key for key, (_, value) in self._entries.items() if unwanted(key, value)]:
            del self._entries[key]

    def _sweep(self, now: float) -> None:
        self._swept = now
        for key in [key for key, (until, _) in self._entries.items() if until <= now]:
            del self._entries[key]

    def clear(self) -> None:
        """Forget everything, also what is being read now."""
        self._cleared += 1
        self._entries.clear()
