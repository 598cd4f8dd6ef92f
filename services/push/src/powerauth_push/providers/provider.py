"""What every provider's client can do."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from powerauth_push.providers.http2.exchange import NoAnswer, Unanswered
from powerauth_push.providers.messages import Device, Message
from powerauth_push.providers.outcomes import Outcome, Verdict


class Provider(Protocol):
    """Sends for one application.

    :ivar name: `apns`, `fcm` or `hms`
    """

    name: str

    def lane(self, device: Device) -> str:
        """Which of the provider's services a device is reached by: each has troubles of its own."""
        ...

    async def send(self, message: Message, device: Device, delivery: UUID) -> Outcome:
        """Try once; ends in time, and never raises for what the other side does.

        :param delivery: of this message to this device, the same each time that it is tried
        """
        ...

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Let what is under way end, and close the connections that only this client has."""


def without_answer(failure: NoAnswer) -> Outcome:
    """A request that did not come through: it may be tried again."""
    uncertain = isinstance(failure, Unanswered)
    return Outcome(Verdict.LATER, failure.reason, uncertain=uncertain, provider_wide=True)
