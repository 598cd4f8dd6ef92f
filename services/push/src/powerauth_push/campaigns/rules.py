"""States of campaigns, and when their messages are due (spec/push-api.md §15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FAR_FUTURE = datetime(9999, 1, 1)
"""When what waits for its campaign to go on is due."""


@dataclass(slots=True)
class Pacer:
    """Spreads messages so that no provider gets more than its rate, over all campaigns.

    :ivar rates: messages a second by provider; 0: any number
    """

    rates: Mapping[str, float]
    _next: dict[str, datetime] = field(default_factory=dict)

    @property
    def limited(self) -> list[str]:
        """The providers that have a rate."""
        return [provider for provider, rate in self.rates.items() if rate]

    def take_back(self, last: Mapping[str, datetime], now: datetime) -> None:
        """Moments behind the last one that a message still waits for are free again, those still to come.

        :param last: by provider, as the queue has it; none where nothing waits
        """
        for provider in self.limited:
            waits_until = max(last.get(provider, now), now)
            free = waits_until + timedelta(seconds=1 / self.rates[provider])
            self._next[provider] = min(self._next.get(provider, free if provider in last else now), free)

    def due(self, provider: str, now: datetime) -> datetime:
        """When the next message to a provider is due."""
        rate = self.rates[provider]
        if not rate:
            return now
        moment = max(self._next.get(provider, now), now)
        self._next[provider] = moment + timedelta(seconds=1 / rate)
        return moment
