"""Events between services: what they are, and what a bus promises (design §6, D20).

Delivery is at least once. A durable subscription is one queue per service, for which its replicas compete:
every event is handled by one of them, failures are tried again a bounded number of times and then kept as
dead letters. A broadcast subscription is one queue per process that vanishes with it: its events may be
missed. No order is promised; where it matters, an event's data says when the change happened.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from powerauth_contracts import moments
from powerauth_protocol.common.json_text import read_json, write_json
from servicekit import clock, tracing
from servicekit.names import unique_name

EXCHANGE = "powerauth.events"
MAX_DELIVERIES = 6
"""How often an event is given to a failing handler before it becomes a dead letter."""
RETRY_SECONDS = 0.5
"""Pause before the second delivery; it doubles each time."""


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvents 1.0 event. ``time`` is naive UTC, ``data`` JSON.

    :ivar traceparent: of the trace in which it came about, if that is recorded (an extension of CloudEvents)
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: Mapping[str, Any]
    traceparent: str | None = None

    @classmethod
    def create(cls, type: str, source: str, subject: str, data: Mapping[str, Any]) -> Event:  # noqa: A002
        """A new event of this moment with an id of its own."""
        return cls(unique_name(), type, source, subject, clock.now(), data, tracing.stored())

    def to_json(self) -> bytes:
        """The structured form, ``application/cloudevents+json``."""
        document = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": moments.naive_utc(self.time).isoformat(timespec="microseconds") + "Z",
            "datacontenttype": "application/json",
            "data": self.data,
        }
        if self.traceparent is not None:
            document[tracing.HEADER] = self.traceparent
        return write_json(document)

    @classmethod
    def from_json(cls, document: bytes | str) -> Event:
        """Read the structured form.

        :raises ValueError: when the document is not an event of this form
        """
        members = read_json(document)
        if not isinstance(members, dict) or members.get("specversion") != "1.0":
            raise ValueError("not a CloudEvents 1.0 event")
        texts = [members.get(name) for name in ("id", "type", "source", "subject", "time")]
        data = members.get("data")
        if not all(isinstance(text, str) for text in texts) or not isinstance(data, dict):
            raise ValueError("event with missing or mistyped attributes")
        event_id, event_type, source, subject, time = texts
        moment = moments.naive_utc(datetime.fromisoformat(str(time)))
        trace = members.get(tracing.HEADER)
        known = trace if isinstance(trace, str) else None
        return cls(str(event_id), str(event_type), str(source), str(subject), moment, data, known)


Handler = Callable[[Event], Awaitable[None]]
"""Returns when the event is dealt with; raising means "not yet"."""


class BusUnavailable(Exception):
    """The broker did not confirm an event: the caller keeps it and tries again."""


class Bus(Protocol):
    """See the module. Subscriptions may be made before or after :meth:`start`."""

    async def start(self) -> None:
        """Connect (in the background where the broker is remote) and begin to deliver."""

    async def publish(self, event: Event) -> None:
        """Return once the broker has the event.

        :raises BusUnavailable: when it was not confirmed in time
        """

    async def subscribe(self, service: str, types: Sequence[str], handler: Handler) -> None:
        """Durable: queue ``<service>.events``, dead letters in ``<service>.events.dead``."""

    async def subscribe_broadcast(self, types: Sequence[str], handler: Handler) -> None:
        """For this process only, from now on; an event whose handler fails is dropped."""

    async def drain(self) -> None:
        """Take no more events and wait for the handlers at work."""

    async def close(self) -> None:
        """Disconnect. Implies :meth:`drain`."""

    @property
    def connected(self) -> bool:
        """Whether events flow right now."""


def bus_from_url(url: str) -> Bus:
    """The in-memory bus for an empty URL, RabbitMQ for ``amqp://`` and ``amqps://``.

    :raises ValueError: for another scheme
    """
    if not url:
        from servicekit.bus.memory import InMemoryBus  # noqa: PLC0415 - one of two

        return InMemoryBus()
    if url.startswith(("amqp://", "amqps://")):
        from servicekit.bus.rabbitmq import RabbitBus  # noqa: PLC0415 - heavy, an optional extra

        return RabbitBus(url)
    raise ValueError("unsupported bus URL scheme")
