"""The bus of a single process: the broker's promises, except that nothing outlives the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from servicekit.bus import MAX_DELIVERIES, RETRY_SECONDS, BusUnavailable, Event, Handler
from servicekit.bus.delivery import Outcome, deliver, deliver_broadcast


class _Queue:
    """A durable queue of one service and the handlers that compete for it."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.waiting: asyncio.Queue[tuple[Event, int]] = asyncio.Queue()
        self.handlers: list[Handler] = []
        self.consumers: list[asyncio.Task[None]] = []


class InMemoryBus:
    """:class:`servicekit.bus.Bus` inside one process."""

    def __init__(self, *, max_deliveries: int = MAX_DELIVERIES, retry_seconds: float = RETRY_SECONDS) -> None:
        """
        :param max_deliveries: failed deliveries after which an event is a dead letter
        :param retry_seconds: pause before an event is given to its handler again; doubles each time
        """
        self.dead_letters: dict[str, list[Event]] = {}
        self._max_deliveries = max_deliveries
        self._retry_seconds = retry_seconds
        self._queues: dict[str, _Queue] = {}
        self._broadcasts: list[tuple[frozenset[str], Handler]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._started = False
        self._closed = False

    async def start(self) -> None:
        """Begin to deliver."""
        self._stopping.clear()
        self._started = True
        for service, queue in self._queues.items():
            self._start_consumers(service, queue)

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
                    self._keep(asyncio.create_task(deliver_broadcast(handler, event)))

    async def subscribe(self, service: str, types: Sequence[str], handler: Handler) -> None:
        """Compete for the service's queue, creating it at the first call."""
        queue = self._queues.setdefault(service, _Queue())
        self.dead_letters.setdefault(service, [])
        queue.types.update(types)
        queue.handlers.append(handler)
        if self._started:
            self._start_consumers(service, queue)

    async def subscribe_broadcast(self, types: Sequence[str], handler: Handler) -> None:
        """Call the handler for every event of these types."""
        self._broadcasts.append((frozenset(types), handler))

    async def drain(self) -> None:
        """Take no more events and wait for the handlers at work."""
        self._started = False
        self._stopping.set()
        for queue in self._queues.values():
            await asyncio.gather(*queue.consumers)
            queue.consumers.clear()
        await asyncio.gather(*self._running)

    async def close(self) -> None:
        """Drain and refuse further events."""
        self._closed = True
        await self.drain()

    @property
    def connected(self) -> bool:
        """Whether the bus delivers."""
        return self._started

    def _start_consumers(self, service: str, queue: _Queue) -> None:
        for handler in queue.handlers[len(queue.consumers) :]:
            queue.consumers.append(asyncio.create_task(self._consume(service, queue, handler)))

    async def _consume(self, service: str, queue: _Queue, handler: Handler) -> None:
        stopped = asyncio.create_task(self._stopping.wait())
        while not self._stopping.is_set():
            taken = asyncio.create_task(queue.waiting.get())
            await asyncio.wait({taken, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not taken.done():
                taken.cancel()
                break
            event, delivery = taken.result()
            outcome = await deliver(handler, event, service, self._stopping, self._retry_seconds)
            if outcome is Outcome.PUT_BACK:
                queue.waiting.put_nowait((event, delivery))
            elif outcome is Outcome.FAILED:
                self._retry_or_bury(service, queue, event, delivery)
        stopped.cancel()

    def _retry_or_bury(self, service: str, queue: _Queue, event: Event, delivery: int) -> None:
        if delivery >= self._max_deliveries:
            self.dead_letters[service].append(event)
            return
        pause = self._retry_seconds * 2 ** (delivery - 1)
        asyncio.get_running_loop().call_later(pause, queue.waiting.put_nowait, (event, delivery + 1))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._running.add(task)
        task.add_done_callback(self._running.discard)
