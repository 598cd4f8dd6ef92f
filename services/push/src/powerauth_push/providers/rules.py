"""When what a provider did not take is sent again. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import random

from powerauth_push.providers.outcomes import Outcome

_LONGEST_POWER = 32


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when. Seconds.

    :ivar attempts: in one delivery
    :ivar multiplier: by which each pause is longer than the last
    :ivar patience_seconds: the longest pause that a delivery waits out itself; whoever keeps the message
        comes again after a longer one
    """

    attempts: int = 3
    first_seconds: float = 0.5
    longest_seconds: float = 900.0
    multiplier: float = 2.0
    patience_seconds: float = 5.0

    def longest_delivery(self, attempt_seconds: float) -> float:
        """Seconds after which a delivery has ended, whatever happens."""
        return self.attempts * attempt_seconds + (self.attempts - 1) * self.patience_seconds

    def pause(self, attempt: int, outcome: Outcome, jitter: Callable[[], float] = random) -> float:
        """Seconds before the next attempt: more each time, and never less than was asked for.

        :param attempt: how many there have been, from 1
        """
        growth = self.multiplier ** min(max(attempt - 1, 0), _LONGEST_POWER)
        own = min(self.first_seconds * growth, self.longest_seconds)
        asked = outcome.retry_after
        if outcome.held and asked is not None:
            return asked * (1 + jitter() / 10)
        return own * (0.5 + jitter() / 2) if asked is None else max(asked, own / 2) * (1 + jitter() / 10)


DELIVERING = RetryPolicy()
"""Of couriers, while somebody holds the message."""
