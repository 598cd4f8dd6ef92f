"""The queues of requests whose client or subject is over a limit (D18): a few at a time, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from enrollment.errors import TooManyRequests
from servicekit import metrics

AT_ONCE = 2
WAITING = 64
WAITING_PROVEN = 1024
WAITING_ALTOGETHER = 4096
_RETRY_SECONDS = 5

_over = metrics.counter(
    "powerauth_enrollment_over_limit",
    "Requests over a rate limit, by limit and what became of them",
    ("limit", "outcome"),
)


@dataclass(slots=True)
class _Lane:
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    inside: int = 0


class Lanes:
    """One queue for each key over its limit, kept only while something is in it.

    Nobody is refused for being over a limit, only when a queue is full; and a client that proved lately that
    an activation is its own finds room where strangers find none.
    """

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._inside = 0

    @asynccontextmanager
    async def turn(self, limit: str, key: str, *, proven: bool) -> AsyncIterator[None]:
        """Wait for the turn of a request, which lasts as long as the block.

        :param limit: name of the limit that the key is over
        :param proven: whether its client is no stranger
        :raises TooManyRequests: the queue is full
        """
        lane = self._lanes.setdefault((limit, key), _Lane())
        room = AT_ONCE + (WAITING_PROVEN if proven else WAITING)
        if lane.inside >= room or (self._inside >= WAITING_ALTOGETHER and not proven):
            self._drop_empty(limit, key)
            _over.labels(limit, "refused").inc()
            raise TooManyRequests(extra={"limit": limit}, retry_after=_RETRY_SECONDS)
        _over.labels(limit, "waited").inc()
        lane.inside += 1
        self._inside += 1
        try:
            async with lane.turn:
                yield
        finally:
            lane.inside -= 1
            self._inside -= 1
            self._drop_empty(limit, key)

    def _drop_empty(self, limit: str, key: str) -> None:
        if not self._lanes[limit, key].inside:
            del self._lanes[limit, key]
