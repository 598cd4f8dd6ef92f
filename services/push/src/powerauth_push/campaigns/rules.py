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

    def due(self, provider: str, now: datetime) -> datetime:
        """When the next message to a provider is due."""
        rate = self.rates[provider]
        if not rate:
            return now
        moment = max(self._next.get(provider, now), now)
        self._next[provider] = moment + timedelta(seconds=1 / rate)
        return moment
