"""What became of one message to one device."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a provider's answer means for the message, the device and the application.

    `UNREGISTERED` and `WRONG_TOKEN` end the registration. `BAD_CREDENTIALS` is the installation's own fault:
    somebody has to be told, and the device stays. After `LATER` the same message may be sent again.
    """

    SENT = "sent"
    UNREGISTERED = "unregistered"
    WRONG_TOKEN = "wrong_token"  # noqa: S105
    BAD_CREDENTIALS = "bad_credentials"
    LATER = "later"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message.

    :ivar reason: the provider's or ours, out of a known list; fit for logs and metrics
    :ivar retry_after: seconds that the provider wants to be left alone with it; None: it did not say
    :ivar uncertain: it may have been delivered although nobody said so; sending it again may ring twice
    :ivar held: nothing was sent, since the provider is left alone or our own database is away; no attempt
    :ivar provider_wide: not this message but the provider or the way to it is in trouble
    """

    verdict: Verdict
    reason: str = ""
    retry_after: float | None = None
    uncertain: bool = False
    provider_wide: bool = False
    held: bool = False

    @property
    def ends_registration(self) -> bool:
        """Whether the device's registration is to be removed."""
        return self.verdict in (Verdict.UNREGISTERED, Verdict.WRONG_TOKEN)


SENT = Outcome(Verdict.SENT)


def failed(reason: str) -> Outcome:
    """This message will never be sent."""
    return Outcome(Verdict.FAILED, reason)


def bad_credentials(reason: str) -> Outcome:
    """The provider does not accept who we say we are."""
    return Outcome(Verdict.BAD_CREDENTIALS, reason, provider_wide=True)
