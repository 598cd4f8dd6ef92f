"""Providers in the same process: what they were given, and what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from powerauth_push.applications.secrets import Credentials
from powerauth_push.providers.messages import Device, Message
from powerauth_push.providers.outcomes import SENT, Outcome


@dataclass(frozen=True)
class Sent:
    """One attempt."""

    application: str
    provider: str
    token: str
    message: Message
    key: UUID
    attempts_before: int


@dataclass
class FakeProviders:
    """Makes senders that all write into one list.

    :ivar answers: what is said of a token; by default it was sent
    :ivar hold: while it is clear, nothing is answered
    """

    sent: list[Sent] = field(default_factory=list)
    answers: dict[str, Outcome | Callable[[], Outcome]] = field(default_factory=dict)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    made: list[tuple[str, str]] = field(default_factory=list)
    closed: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    def make(self, application: str, provider: str, credentials: Credentials) -> FakeSender:
        """A sender."""
        self.made.append((application, provider))
        return FakeSender(self, application, provider)

    async def close(self) -> None:
        """Nothing is shared."""

    def note(self, sent: Sent) -> None:
        """Write an attempt down."""
        self.sent.append(sent)
        self._more.set()

    async def arrived(self, number: int) -> None:
        """Return once so many attempts have been made."""
        while len(self.sent) < number:
            self._more.clear()
            await self._more.wait()

    def tokens(self) -> list[str]:
        """Where messages went, in order."""
        return [one.token for one in self.sent]


@dataclass
class FakeSender:
    """Of one application and provider."""

    providers: FakeProviders
    application: str
    provider: str

    async def deliver(
        self,
        message: Message,
        device: Device,
        delivery: UUID,
        attempts_before: int = 0,
        *,
        at_most_once: bool = False,
    ) -> Outcome:
        """Write it down."""
        providers = self.providers
        providers.note(
            Sent(self.application, self.provider, device.token, message, delivery, attempts_before)
        )
        await providers.hold.wait()
        answer = providers.answers.get(device.token, SENT)
        return answer() if callable(answer) else answer

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Count it."""
        self.providers.closed += 1
