"""When nothing is sent through a provider: it asked for a pause, is down, or does not know us.

Pure; times are monotonic seconds.
"""

from __future__ import annotations

from collections import defaultdict
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
class _Lane:
    """What is known of one of the provider's services.

    :ivar until: while it is closed, when the next message is let through
    :ivar why: what closed it; None: it is open
    """

    failures: int = 0
    closed_at: float = 0.0
    until: float = 0.0
    why: Outcome | None = None


@dataclass(slots=True)
class Gate:
    """Of one application and provider. When its time is over one message is let through, and decides.

    Each lane, which is one of the provider's services, closes by itself.

    :param jitter: gives a number from 0 to 1, by which pauses differ
    """

    policy: GatePolicy = field(default_factory=GatePolicy)
    jitter: Callable[[], float] = random
    _lanes: defaultdict[str, _Lane] = field(default_factory=lambda: defaultdict(_Lane))

    @property
    def why(self) -> Outcome | None:
        """What closed it, or a part of it; None while it is open."""
        return next((lane.why for lane in self._lanes.values() if lane.why is not None), None)

    def refusal(self, now: float, lane: str = "") -> Outcome | None:
        """What becomes of a message that is not sent; None: it may be. After that, tell the outcome.

        It is to come again, also when credentials were refused: they may be mended before its end.
        """
        known = self._lanes[lane]
        if known.why is None:
            return None
        if now < known.until:
            left = known.until - now
            return replace(known.why, verdict=Verdict.LATER, retry_after=left, uncertain=False, held=True)
        known.until = now + self._pause(self.policy.pause_seconds)
        return None

    def settle(self, outcome: Outcome, sent_at: float, now: float, lane: str = "") -> bool:
        """Hear what became of a message that was let through.

        :param sent_at: when it was
        :return: whether the lane closes by it, having been open
        """
        known = self._lanes[lane]
        if not outcome.provider_wide:
            if sent_at >= known.closed_at:
                known.failures, known.why = 0, None
            return False
        known.failures += 1
        pause = self._wanted(outcome, known.failures)
        if pause is None:
            return False
        newly = known.why is None
        known.why, known.closed_at = outcome, now
        known.until = max(known.until, now + pause)
        return newly

    def _wanted(self, outcome: Outcome, failures: int) -> float | None:
        if outcome.verdict is Verdict.BAD_CREDENTIALS:
            return self._pause(self.policy.credentials_seconds)
        if outcome.retry_after is not None:
            return outcome.retry_after
        return self._pause(self.policy.pause_seconds) if failures >= self.policy.failures else None

    def _pause(self, seconds: float) -> float:
        return seconds * (0.75 + self.jitter() / 2)
