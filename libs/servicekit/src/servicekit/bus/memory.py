"""The bus of a single process: the broker's promises, except that nothing outlives the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from servicekit import logs
from servicekit.bus import MAX_DELIVERIES, BusUnavailable, Event, Handler

_log = logs.get_logger(__name__)

RETRY_SECONDS = 0.05


@dataclass(slots=True)
class _Queue:
    """A durable queue of one service and those who compete for it."""

    types: frozenset[str]
    waiting: asyncio.Queue[tuple[Event, int]] = field(default_factory=asyncio.Queue)
    consumers: list[asyncio.Task[None]] = field(default_factory=list)
    handlers: list[Handler] = field(default_factory=list)


class InMemoryBus:
    """:class:`servicekit.bus.Bus` inside one process."""

    def __init__(self, *, max_deliveries: int = MAX_DELIVERIES, retry_seconds: float = RETRY_SECONDS) -> None:
        """
        :param retry_seconds: pause before an event is given to its handler again
        """
        self.dead_letters: dict[str, list[Event]] = {}
        self._max_deliveries = max_deliveries
        self._retry_seconds = retry_seconds
        self._queues: dict[str, _Queue] = {}
        self._broadcasts: list[tuple[frozenset[str], Handler]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._started = False
        self._closed = False

    async def start(self) -> None:
        """Begin to deliver."""
        self._started = True
        for queue in self._queues.values():
            self._start_consumers(queue)

    async def publish(self, event: Event) -> None:
        """Hand the event to every queue and broadcast handler that wants its type."""
        if self._closed:
            raise BusUnavailable("bus is closed")
        for queue in self._queues.values():
            if event.type in queue.types:
                queue.waiting.put_nowait((event, 1))
        if self._started:
            for types, handler in self._broadcasts:
                if event.type in types:
                    self._spawn_broadcast(handler, event)

    async def subscribe(self, service: str, types: Sequence[str], handler: Handler) -> None:
        """Compete for the service's queue, creating it at the first call."""
        queue = self._queues.get(service)
        if queue is None:
            queue = self._queues[service] = _Queue(frozenset(types))
            self.dead_letters.setdefault(service, [])
        queue.types |= frozenset(types)
        queue.handlers.append(handler)
        if self._started:
            self._start_consumers(queue)

    async def subscribe_broadcast(self, types: Sequence[str], handler: Handler) -> None:
        """Call the handler for every event of these types."""
        self._broadcasts.append((frozenset(types), handler))

    async def drain(self) -> None:
        """Stop the consumers between events, then wait for broadcast handlers."""
        self._started = False
        await self._idle.wait()
        consumers = [task for queue in self._queues.values() for task in queue.consumers]
        for task in consumers:
            task.cancel()
        await asyncio.gather(*consumers, *self._running, return_exceptions=True)
        for queue in self._queues.values():
            queue.consumers.clear()

    async def close(self) -> None:
        """Drain and refuse further events."""
        self._closed = True
        await self.drain()

    @property
    def connected(self) -> bool:
        """Whether the bus is started."""
        return self._started

    def _start_consumers(self, queue: _Queue) -> None:
        service = next(name for name, known in self._queues.items() if known is queue)
        for handler in queue.handlers[len(queue.consumers) :]:
            queue.consumers.append(asyncio.create_task(self._consume(service, queue, handler)))

    async def _consume(self, service: str, queue: _Queue, handler: Handler) -> None:
        while self._started:
            event, delivery = await queue.waiting.get()
            self._busy += 1
            self._idle.clear()
            try:
                await handler(event)
            except Exception:
                self._failed(service, queue, event, delivery)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

    def _failed(self, service: str, queue: _Queue, event: Event, delivery: int) -> None:
        _log.warning(
            "event handler failed", consumer=service, type=event.type, delivery=delivery, exc_info=True
        )
        if delivery >= self._max_deliveries:
            self.dead_letters[service].append(event)
            return
        again = (event, delivery + 1)
        asyncio.get_running_loop().call_later(self._retry_seconds, queue.waiting.put_nowait, again)

    def _spawn_broadcast(self, handler: Handler, event: Event) -> None:
        task = asyncio.create_task(_broadcast(handler, event))
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _broadcast(handler: Handler, event: Event) -> None:
    try:
        await handler(event)
    except Exception:
        _log.warning("broadcast handler failed", type=event.type, exc_info=True)
