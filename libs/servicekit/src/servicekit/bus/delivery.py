"""One delivery of an event to its handler: what both buses do alike."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from servicekit import logs, metrics, tracing
from servicekit.bus import Event, Handler
from servicekit.errors import Unavailable
from servicekit.waiting import set_within

_log = logs.get_logger(__name__)

LONGEST_WAIT_SECONDS = 15.0
_deliveries = metrics.counter(
    "bus_deliveries",
    "Events given to handlers",
    {"consumer": metrics.CONSUMER, "type": metrics.EVENT, "outcome": ("handled", "failed")},
)


class Outcome(Enum):
    """How a delivery ended."""

    HANDLED = auto()
    FAILED = auto()
    """The handler raised: this delivery counts towards the bound."""
    PUT_BACK = auto()
    """Interrupted by shutdown: it does not say anything about the event."""


async def deliver(
    handler: Handler, event: Event, consumer: str, stopping: asyncio.Event, wait_seconds: float
) -> Outcome:
    """Give the event to its handler.

    While the handler answers :class:`Unavailable` (its database is down) the event waits here: that is not
    the event's fault and must not make it a dead letter.

    :param wait_seconds: first wait of that kind; it doubles up to :data:`LONGEST_WAIT_SECONDS`
    """
    wait = wait_seconds
    while True:
        try:
            await _handled(handler, event)
        except Unavailable as error:
            _log.warning("event waits for its handler", consumer=consumer, type=event.type, reason=str(error))
            if await set_within(stopping, wait):
                return Outcome.PUT_BACK
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        except Exception:
            _log.exception("event handler failed", consumer=consumer, type=event.type, event_id=event.id)
            _deliveries.labels(consumer, event.type, "failed").inc()
            return Outcome.FAILED
        else:
            _deliveries.labels(consumer, event.type, "handled").inc()
            return Outcome.HANDLED


async def deliver_broadcast(handler: Handler, event: Event) -> None:
    """Give the event to a handler that may miss it."""
    try:
        await _handled(handler, event)
    except Exception:
        _log.exception("broadcast handler failed", type=event.type, event_id=event.id)


async def _handled(handler: Handler, event: Event) -> None:
    with tracing.resumed(event.traceparent, "process", tracing.Kind.CONSUMER, event.type):
        await handler(event)
