"""Who may have more of what can be under way to one provider (spec/push-api.md §8).

Nobody may hold more than is still free: whatever an application holds whose provider hangs, or a campaign,
another one finds room. The rule is that of dynamic thresholds in
switches (Choudhury, Hahne: Dynamic queue length thresholds, 1998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from powerauth_push.dispatch.rules import Outgoing


class Shares:
    """What is under way to one provider."""

    def __init__(self, size: int) -> None:
        """:param size: how many messages may be"""
        self._size = size
        self._applications: Counter[int] = Counter()
        self._campaigns = 0

    @property
    def free(self) -> int:
        """How many more may be."""
        return self._size - self._applications.total()

    @property
    def next_take(self) -> int:
        """How many to take at once: none of those who wait can have all."""
        return max(self.free // 2, 1)

    @property
    def full(self) -> Collection[int]:
        """The applications that may have no more now."""
        return [number for number, held in self._applications.items() if held > self.free]

    @property
    def takes_campaigns(self) -> bool:
        """Whether messages of campaigns may have more."""
        return self._campaigns <= self.free

    def take(self, item: Outgoing) -> None:
        """A message is under way."""
        self._applications[item.app_number] += 1
        self._campaigns += item.campaign is not None

    def give_back(self, item: Outgoing) -> None:
        """It no longer is."""
        self._applications[item.app_number] -= 1
        if not self._applications[item.app_number]:
            del self._applications[item.app_number]
        self._campaigns -= item.campaign is not None
