"""When nothing is sent through a provider: it asked for a pause, is down, or does not know us.

Pure; times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import random

from powerauth_push.providers.outcomes import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """How long a gate stays closed. Seconds.

    :ivar failures: of the provider in a row that close it
    :ivar pause_seconds: then, and after each attempt that fails again
    :ivar credentials_seconds: after credentials were refused
    """

    failures: int = 5
    pause_seconds: float = 15.0
    credentials_seconds: float = 300.0


@dataclass(slots=True)
class Gate:
    """Of one application and provider. When its time is over one message is let through, and decides.

    :param jitter: gives a number from 0 to 1, by which pauses differ
    """

    policy: GatePolicy = field(default_factory=GatePolicy)
    jitter: Callable[[], float] = random
    _failures: int = 0
    _closed_at: float = 0.0
    _until: float = 0.0
    _why: Outcome | None = None

    @property
    def why(self) -> Outcome | None:
        """What closed it; None while it is open."""
        return self._why

    def refusal(self, now: float) -> Outcome | None:
        """What becomes of a message that is not sent; None: it may be. After that, tell the outcome."""
        if self._why is None:
            return None
        if now < self._until:
            return replace(self._why, retry_after=self._until - now, uncertain=False)
        self._until = now + self._pause(self.policy.pause_seconds)
        return None

    def settle(self, outcome: Outcome, sent_at: float, now: float) -> bool:
        """Hear what became of a message that was let through.

        :param sent_at: when it was
        :return: whether the gate closes by it, having been open
        """
        if not outcome.provider_wide:
            if sent_at >= self._closed_at:
                self._failures, self._why = 0, None
            return False
        self._failures += 1
        pause = self._wanted(outcome)
        if pause is None:
            return False
        newly = self._why is None
        self._why, self._closed_at = outcome, now
        self._until = max(self._until, now + pause)
        return newly

    def _wanted(self, outcome: Outcome) -> float | None:
        if outcome.verdict is Verdict.BAD_CREDENTIALS:
            return self._pause(self.policy.credentials_seconds)
        if outcome.retry_after is not None:
            return outcome.retry_after
        return self._pause(self.policy.pause_seconds) if self._failures >= self.policy.failures else None

    def _pause(self, seconds: float) -> float:
        return seconds * (0.75 + self.jitter() / 2)
