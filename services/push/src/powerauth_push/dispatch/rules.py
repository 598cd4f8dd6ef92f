"""What becomes of a message after an attempt to send it (spec/push-api.md §8, §20)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from powerauth_push.providers.messages import Device, Message
from powerauth_push.providers.outcomes import Outcome, Verdict, failed
from powerauth_push.providers.rules import RetryPolicy

EXPIRED = failed("expired")
NOT_ACTIVE = failed("activation not active")
REGISTRATION_GONE = failed("registration gone")
NOT_CONFIGURED = failed("provider not configured")
UNREADABLE = failed("unreadable")
OUTCOME_UNKNOWN = failed("outcome unknown")

OPERATION_ID_LENGTH = 37
"""The longest that the core has."""
_ANNOUNCEMENT = "mtoken.operationInit"
_LAST_TRY = timedelta(seconds=1)
"""Before its end."""
_LONGEST_HELD = timedelta(days=1)
"""What has no end and could not be tried for so long, is not any more."""


class MessageStatus(int, Enum):
    """Of a row of the log."""

    PENDING = 0
    SENT = 1
    FAILED = -1


class Fate(Enum):
    """How it goes on with a message."""

    SENT = auto()
    FAILED = auto()
    LATER = auto()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way to one device.

    :ivar key: the same in every attempt
    :ivar activation: whose registration it is
    :ivar device: None: the registration is gone, or is another activation's now
    :ivar active: whether personal messages go to it
    :ivar registration: its row
    :ivar row: of the queue; None: it was not queued
    :ivar record: of the log
    :ivar attempts: before this one
    :ivar first: when the first of them was over; None: there was none
    :ivar lost: nobody knows what became of an earlier attempt
    :ivar traceparent: of the trace in which it came about, if that is recorded
    """

    key: UUID
    provider: str
    app_number: int
    registration: int
    activation: str | None
    device: Device | None
    active: bool
    message: Message
    text: str = field(repr=False)
    created: datetime
    row: int | None = None
    record: int | None = None
    campaign: int | None = None
    attempts: int = 0
    first: datetime | None = None
    lost: bool = False
    traceparent: str | None = None

    @property
    def valid_until(self) -> datetime | None:
        """When it is worth nothing any more."""
        return self.message.content.valid_until

    @property
    def announces(self) -> str | None:
        """The operation that it asks its user for (§14), if it does; a campaign is about nobody's."""
        extras = self.message.content.extras
        operation = extras.get("operationId")
        announces = extras.get("messageType") == _ANNOUNCEMENT and self.campaign is None
        if not announces or not isinstance(operation, str):
            return None
        return operation if len(operation) <= OPERATION_ID_LENGTH else None


class Retries(Protocol):
    """How often and for how long a message is tried again. Seconds."""

    @property
    def retry_initial_seconds(self) -> float: ...
    @property
    def retry_longest_seconds(self) -> float: ...
    @property
    def retry_multiplier(self) -> float: ...
    @property
    def message_retry_seconds(self) -> int: ...


def refusal(item: Outgoing, now: datetime) -> Outcome | None:
    """Why a message is not sent at all; None: it is."""
    if item.device is None:
        return REGISTRATION_GONE
    if item.message.personal and not item.active:
        return NOT_ACTIVE
    if item.valid_until is not None and item.valid_until <= now:
        return EXPIRED
    if item.campaign is not None and item.lost:
        return OUTCOME_UNKNOWN
    return None


def fate(item: Outgoing, outcome: Outcome, retries: Retries, now: datetime) -> tuple[Fate, datetime]:
    """How it goes on, and when it is tried again if it is.

    A campaign's message is sent at most once, so nothing is tried again that may have come through. A pause
    of ours does not outlast the message: it is tried once more before its end.
    """
    if outcome.verdict is Verdict.SENT:
        return Fate.SENT, now
    if outcome.verdict is not Verdict.LATER or (item.campaign is not None and outcome.uncertain):
        return Fate.FAILED, now
    due = now + timedelta(seconds=_policy(retries).pause(attempts_with(item, outcome), outcome))
    end = item.valid_until or _end_of_tries(item, outcome, retries, now)
    if due >= end and (outcome.held or outcome.retry_after is None):
        due = end - _LAST_TRY
    return (Fate.LATER, due) if now < due < end else (Fate.FAILED, now)


def attempts_with(item: Outgoing, outcome: Outcome) -> int:
    """How many attempts there have been; where nothing was sent there was none."""
    return item.attempts + (not outcome.held)


def first_with(item: Outgoing, outcome: Outcome, now: datetime) -> datetime | None:
    """When it was first tried; where nothing was sent that is still to come."""
    return item.first or (None if outcome.held else now)


def _end_of_tries(item: Outgoing, outcome: Outcome, retries: Retries, now: datetime) -> datetime:
    """Counted from the first try: an outage of ours, or of what a provider knows us by, costs none."""
    time = timedelta(seconds=retries.message_retry_seconds)
    first = first_with(item, outcome, now)
    return min(now + time, item.created + max(time, _LONGEST_HELD)) if first is None else first + time


def _policy(retries: Retries) -> RetryPolicy:
    return RetryPolicy(
        first_seconds=retries.retry_initial_seconds,
        longest_seconds=retries.retry_longest_seconds,
        multiplier=retries.retry_multiplier,
    )
