"""A bounded cache of values that go stale."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """At most ``size`` values, each at most ``seconds`` old; the oldest go first. Not for threads."""

    def __init__(self, size: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, or None when there is none that is fresh."""
        found = self._values.get(key)
        if found is None:
            return None
        expires, value = found
        if expires <= self._clock():
            del self._values[key]
            return None
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value from now on."""
        if self._seconds <= 0:
            return
        self._values.pop(key, None)
        self._values[key] = (self._clock() + self._seconds, value)
        while len(self._values) > self._size:
            self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget one value."""
        self._values.pop(key, None)

    def drop_where(self, unwanted: Callable[[K, V], bool]) -> None:
        """Forget the values that ``unwanted`` says so of."""
        for key in [key for key, (_, value) in self._values.items() if unwanted(key, value)]:
            del self._values[key]

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
