"""The queues of requests whose client or subject is over a limit (D18): a few at a time, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect

from enrollment.errors import TooManyRequests
from servicekit import metrics

AT_ONCE = 2
WAITING = 64
WAITING_PROVEN = 1024
WAITING_ALTOGETHER = 4096
_RETRY_SECONDS = 5

Disconnected = Callable[[], Awaitable[object]]
"""Returns when the client of a request is gone."""

_over = metrics.counter(
    "powerauth_enrollment_over_limit",
    "Requests over a rate limit, by limit and what became of them",
    {"limit": metrics.Named("the limits of this service (D18)"), "outcome": ("refused", "waited", "left")},
)


@dataclass(slots=True)
class _Lane:
    """One queue.

    :ivar inside: requests that wait or have their turn
    :ivar waiting: places in their order, done when they are given a turn
    """

    inside: int = 0
    _turns: int = AT_ONCE
    _waiting: dict[asyncio.Future[None], None] = field(default_factory=dict)

    async def enter(self, disconnected: Disconnected) -> None:
        """Wait for a turn.

        :raises ClientDisconnect: the client is gone; the place is free again
        """
        if self._turns:
            self._turns -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[place] = None
        watch = asyncio.ensure_future(disconnected())
        watch.add_done_callback(lambda done: _give_up(place, done))
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled() and place.exception() is None:
                self.leave()  # the turn came at the same moment
            raise
        finally:
            self._waiting.pop(place, None)
            watch.cancel()

    def leave(self) -> None:
        """Give the turn to the next one."""
        for place in self._waiting:
            if not place.done():
                del self._waiting[place]
                place.set_result(None)
                return
        self._turns += 1


def _give_up(place: asyncio.Future[None], watch: asyncio.Future[Any]) -> None:
    if watch.cancelled():
        return
    error = watch.exception() or ClientDisconnect()
    if not place.done():
        place.set_exception(error)


class Lanes:
    """One queue for each key over its limit, kept only while something is in it.

    Nobody is refused for being over a limit, only when a queue is full; and a client that proved lately that
    an activation is its own finds room where strangers find none. Who goes away leaves the queue (D28).
    """

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._inside = 0

    @asynccontextmanager
    async def turn(
        self, limit: str, key: str, disconnected: Disconnected, *, proven: bool
    ) -> AsyncIterator[None]:
        """Wait for the turn of a request, which lasts as long as the block.

        :param limit: name of the limit that the key is over
        :param disconnected: tells when its client is gone
        :param proven: whether its client is no stranger
        :raises TooManyRequests: the queue is full
        :raises ClientDisconnect: the client did not wait for its turn
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
            await lane.enter(disconnected)
            try:
                yield
            finally:
                lane.leave()
        except ClientDisconnect:
            _over.labels(limit, "left").inc()
            raise
        finally:
            lane.inside -= 1
            self._inside -= 1
            self._drop_empty(limit, key)

    def _drop_empty(self, limit: str, key: str) -> None:
        if not self._lanes[limit, key].inside:
            del self._lanes[limit, key]
