"""Sending again what may be sent again, in time, and no more than does good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

from powerauth_push.providers.gate import Gate
from powerauth_push.providers.messages import Content, Device, Message
from powerauth_push.providers.outcomes import Outcome, Verdict, failed
from powerauth_push.providers.payloads.validity import is_over
from powerauth_push.providers.provider import Provider
from powerauth_push.providers.rules import RetryPolicy
from servicekit import clock, metrics
from servicekit.logs import get_logger

log = get_logger(__name__)

EXPIRED = failed("expired")

_PROVIDERS = ("apns", "fcm", "hms")
_outcomes = metrics.counter(
    "push_provider_outcomes",
    "Attempts to send to a provider",
    {"provider": _PROVIDERS, "verdict": [verdict.value for verdict in Verdict]},
)
_seconds = metrics.histogram(
    "push_provider_seconds", "Time of an attempt until its outcome", {"provider": _PROVIDERS}
)
_held = metrics.gauge(
    "push_provider_held",
    "1 while a provider, or one of its services, is left alone for an application",
    {"provider": _PROVIDERS, "application": metrics.APPLICATION},
)
_telling: dict[tuple[str, str], Courier] = {}
"""Whose gate `_held` tells of, by provider and application: the newest courier's."""


class Courier:
    """Delivers for one application through one provider.

    :param application: its name, for logs and the gate's metric
    """

    def __init__(self, provider: Provider, application: str, policy: RetryPolicy, gate: Gate) -> None:
        self._provider = provider
        self._application = application
        self._policy = policy
        self._gate = gate
        name = provider.name
        self._outcomes = {verdict: _outcomes.labels(name, verdict.value) for verdict in Verdict}
        self._seconds = _seconds.labels(name)
        self._tells_of = (name, application)
        _telling[self._tells_of] = self
        self._tell(held=False)

    async def deliver(
        self,
        message: Message,
        device: Device,
        delivery: UUID,
        attempts_before: int = 0,
        *,
        at_most_once: bool = False,
    ) -> Outcome:
        """Send a message, again where that does good and is worth waiting for.

        :param delivery: of this message to this device, the same each time that it is tried
        :param attempts_before: of earlier deliveries of it; pauses grow with all
        :param at_most_once: what may have arrived is not sent again
        :return: `uncertain` if any attempt was; `LATER` if that is not for a delivery to wait for
        """
        content = message.content
        uncertain = False
        attempt = attempts_before
        for left in reversed(range(self._policy.attempts)):
            if content.valid_until is not None and is_over(content, clock.now()):
                return replace(EXPIRED, uncertain=uncertain)
            outcome = await self._attempt(message, device, delivery)
            uncertain = uncertain or outcome.uncertain
            if outcome.verdict is not Verdict.LATER or (uncertain and at_most_once):
                return replace(outcome, uncertain=True) if uncertain else outcome
            attempt += not outcome.held
            if _asks_too_much(content, outcome):
                return replace(EXPIRED, uncertain=uncertain)
            pause = self._policy.pause(attempt, outcome)
            if not left or pause > self._policy.patience_seconds or is_over(content, _after(pause)):
                break
            await asyncio.sleep(pause)
        return replace(outcome, uncertain=uncertain)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Close the client; unless another courier has taken its place, nothing is held any more."""
        if _telling.get(self._tells_of) is self:
            del _telling[self._tells_of]
            _held.remove(*self._tells_of)
        await self._provider.close(grace_seconds)

    async def _attempt(self, message: Message, device: Device, delivery: UUID) -> Outcome:
        begun = monotonic()
        lane = self._provider.lane(device)
        refusal = self._gate.refusal(begun, lane)
        if refusal is not None:
            return refusal
        outcome = await self._provider.send(message, device, delivery)
        now = monotonic()
        self._outcomes[outcome.verdict].inc()
        self._seconds.observe(now - begun)
        held = self._gate.why is not None
        if self._gate.settle(outcome, begun, now, lane):
            self._alarm(outcome)
        if held is not (self._gate.why is not None):
            self._tell(held=not held)
        return outcome

    def _tell(self, *, held: bool) -> None:
        if _telling.get(self._tells_of) is self:
            _held.labels(*self._tells_of).set(held)

    def _alarm(self, outcome: Outcome) -> None:
        names = {"provider": self._provider.name, "application": self._application, "reason": outcome.reason}
        if outcome.verdict is Verdict.BAD_CREDENTIALS:
            log.error("push credentials refused", **names)
        else:
            log.warning("push provider held", **names)


def _asks_too_much(content: Content, outcome: Outcome) -> bool:
    """Whether the provider itself wants a longer pause than the message is worth."""
    asked = outcome.retry_after
    return asked is not None and not outcome.held and is_over(content, _after(asked))


def _after(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)
