"""The bus on RabbitMQ (design §6): topic exchange, quorum queues, publisher confirms, dead letters.

The broker counts deliveries: a quorum queue moves an event to the dead-letter exchange when its handler has
failed too often, also when that failure was the death of the consumer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import aio_pika
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
    DeliveryMode,
    ExchangeType,
)
from aio_pika.exceptions import AMQPError, MessageProcessError

from servicekit import logs, tracing
from servicekit.bus import EXCHANGE, MAX_DELIVERIES, RETRY_SECONDS, BusUnavailable, Event, Handler
from servicekit.bus.delivery import Outcome, deliver, deliver_broadcast
from servicekit.waiting import set_within

_log = logs.get_logger(__name__)

DEAD_LETTER_EXCHANGE = f"{EXCHANGE}.dead"
CONTENT_TYPE = "application/cloudevents+json"

CONNECT_SECONDS = 5.0
CONFIRM_SECONDS = 10.0
HEARTBEAT_SECONDS = 30
PREFETCH = 8
LONGEST_RECONNECT_PAUSE_SECONDS = 15.0

_BROKEN = (AMQPError, OSError, RuntimeError, asyncio.InvalidStateError)
"""What the client library raises when a connection or channel is gone or refuses."""


class _Subscription:
    """A durable queue's consumer, or (without a service) a broadcast queue's."""

    def __init__(self, service: str | None, types: Sequence[str], handler: Handler) -> None:
        self.service = service
        self.types = tuple(types)
        self.handler = handler


class _Link:
    """One connection with its channels; replaced as a whole when anything in it breaks."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        self.broken = asyncio.Event()
        self.exchange: AbstractExchange | None = None
        self.consumers: list[tuple[AbstractQueue, str]] = []
        connection.close_callbacks.add(self.break_off)

    def break_off(self, *_reason: object) -> None:
        """Something in the link does not work any more."""
        self.broken.set()

    async def channel(self, *, confirms: bool) -> AbstractChannel:
        channel = await self.connection.channel(publisher_confirms=confirms)
        channel.close_callbacks.add(self.break_off)
        return channel


class RabbitBus:
    """:class:`servicekit.bus.Bus` on RabbitMQ 3.10 or newer."""

    def __init__(
        self,
        url: str,
        *,
        max_deliveries: int = MAX_DELIVERIES,
        retry_seconds: float = RETRY_SECONDS,
        prefetch: int = PREFETCH,
    ) -> None:
        """
        :param url: ``amqp://user:password@host:5672/vhost`` or ``amqps://…``
        :param max_deliveries: as for the queue's first declaration; changing it later needs a new queue
        :param retry_seconds: pause before an event is given back for another delivery; doubles each time
        :param prefetch: events handled at the same time
        """
        self._url = url
        self._max_deliveries = max_deliveries
        self._retry_seconds = retry_seconds
        self._prefetch = prefetch
        self._subscriptions: list[_Subscription] = []
        self._link: _Link | None = None
        self._first_attempt = asyncio.Event()
        self._stopping = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._at_work: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; when the broker is not there, go on trying in the background."""
        self._stopping.clear()
        self._first_attempt.clear()
        self._supervisor = asyncio.create_task(self._stay_connected(), name="rabbitmq")
        await self._first_attempt.wait()

    async def publish(self, event: Event) -> None:
        """Publish persistently and wait for the broker's confirmation."""
        link = self._link
        if link is None or link.exchange is None:
            raise BusUnavailable("not connected to the broker")
        trace = tracing.stored() or event.traceparent
        message = aio_pika.Message(
            event.to_json(),
            content_type=CONTENT_TYPE,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=event.id,
            type=event.type,
            headers={} if trace is None else {tracing.HEADER: trace},
        )
        try:
            await link.exchange.publish(message, event.type, mandatory=False, timeout=CONFIRM_SECONDS)
        except TimeoutError:
            raise BusUnavailable("event not confirmed in time") from None
        except _BROKEN as error:
            raise BusUnavailable(f"event not confirmed: {type(error).__name__}") from error

    async def subscribe(self, service: str, types: Sequence[str], handler: Handler) -> None:
        """Compete for the service's queue."""
        await self._subscribe(_Subscription(service, types, handler))

    async def subscribe_broadcast(self, types: Sequence[str], handler: Handler) -> None:
        """Receive on a queue of this process."""
        await self._subscribe(_Subscription(None, types, handler))

    async def drain(self) -> None:
        """Cancel the consumers and wait for the handlers at work; what is not handled stays in the queue."""
        self._stopping.set()
        link = self._link
        if link is not None:
            for queue, tag in list(link.consumers):
                with suppress(*_BROKEN, TimeoutError):
                    await queue.cancel(tag, timeout=CONFIRM_SECONDS)
            link.consumers.clear()
        if self._at_work:
            await asyncio.gather(*self._at_work, return_exceptions=True)

    async def close(self) -> None:
        """Drain and disconnect."""
        await self.drain()
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        link, self._link = self._link, None
        if link is not None:
            await _disconnect(link)

    @property
    def connected(self) -> bool:
        """Whether there is a working connection."""
        return self._link is not None and not self._link.broken.is_set()

    async def _subscribe(self, subscription: _Subscription) -> None:
        self._subscriptions.append(subscription)
        link = self._link
        if link is not None:
            try:
                await self._consume(link, subscription)
            except (*_BROKEN, TimeoutError):
                link.broken.set()  # the next connection takes all subscriptions up

    async def _stay_connected(self) -> None:
        pause = 0.5
        while not self._stopping.is_set():
            try:
                link = await self._connect()
            except (*_BROKEN, TimeoutError) as error:
                _log.warning("broker not reachable", reason=type(error).__name__, retry_seconds=pause)
                self._first_attempt.set()
                await set_within(self._stopping, pause)
                pause = min(pause * 2, LONGEST_RECONNECT_PAUSE_SECONDS)
                continue
            _log.info("connected to the broker")
            pause = 0.5
            self._link = link
            self._first_attempt.set()
            await link.broken.wait()
            if not self._stopping.is_set():
                _log.warning("connection to the broker lost")
                self._link = None
                await _disconnect(link)

    async def _connect(self) -> _Link:
        connection = await aio_pika.connect(self._url, timeout=CONNECT_SECONDS, heartbeat=HEARTBEAT_SECONDS)
        link = _Link(connection)
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                channel = await link.channel(confirms=True)
                link.exchange = await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)
                for subscription in self._subscriptions:
                    await self._consume(link, subscription)
        except BaseException:
            await _disconnect(link)
            raise
        return link

    async def _consume(self, link: _Link, subscription: _Subscription) -> None:
        channel = await link.channel(confirms=False)
        # The broker ends a consumer whose queue was deleted, and the connection goes on without it.
        underlying = await channel.get_underlay_channel()
        underlying.on_consumer_cancel_callbacks.add(link.break_off)
        if subscription.service is None:
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        else:
            queue = await self._declare_durable(channel, subscription.service)
        for event_type in subscription.types:
            await queue.bind(EXCHANGE, event_type)

        async def received(message: AbstractIncomingMessage) -> None:
            with self._working():
                await self._received(subscription, message)

        if subscription.service is None:
            tag = await queue.consume(received, no_ack=True)
            link.consumers.append((queue, tag))
        else:
            await self._consume_with_care(link, channel, queue, received)

    async def _consume_with_care(
        self,
        link: _Link,
        channel: AbstractChannel,
        queue: AbstractQueue,
        received: Callable[[AbstractIncomingMessage], Awaitable[None]],
    ) -> None:
        """Take events one at a time as long as they were given to somebody before.

        That consumer may have died of one of them. The broker counts the delivery of all that it held, and
        together they would become dead letters.
        """
        consumer: asyncio.Future[tuple[AbstractQueue, str]] = asyncio.get_running_loop().create_future()
        alone = True

        async def received_alone(message: AbstractIncomingMessage) -> None:
            nonlocal alone
            if alone and not message.redelivered:
                alone = False
                await asyncio.gather(received(message), widen())
            else:
                await received(message)

        async def widen() -> None:
            with self._working():
                narrow = await consumer
                try:
                    await queue.cancel(narrow[1])
                    if self._stopping.is_set():
                        return
                    link.consumers.remove(narrow)
                    await channel.set_qos(prefetch_count=self._prefetch)
                    link.consumers.append((queue, await queue.consume(received)))
                except (*_BROKEN, TimeoutError):
                    link.break_off()

        await channel.set_qos(prefetch_count=1)
        consumer.set_result((queue, await queue.consume(received_alone)))
        link.consumers.append(consumer.result())

    @contextmanager
    def _working(self) -> Generator[None]:
        """The current task is waited for by `drain`."""
        task = asyncio.current_task()
        assert task is not None
        self._at_work.add(task)
        try:
            yield
        finally:
            self._at_work.discard(task)

    async def _declare_durable(self, channel: AbstractChannel, service: str) -> AbstractQueue:
        name = f"{service}.events"
        dead = await channel.declare_exchange(DEAD_LETTER_EXCHANGE, ExchangeType.DIRECT, durable=True)
        burial = await channel.declare_queue(
            f"{name}.dead", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await burial.bind(dead, name)
        return await channel.declare_queue(
            name,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": self._max_deliveries - 1,
                "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
                "x-dead-letter-routing-key": name,
            },
        )

    async def _received(self, subscription: _Subscription, message: AbstractIncomingMessage) -> None:
        try:
            event = _event(message)
        except ValueError:
            _log.error("message is not an event", consumer=subscription.service, bytes=len(message.body))
            if subscription.service is not None:
                await _settle(message, accept=False, requeue=False)
            return
        if subscription.service is None:
            await deliver_broadcast(subscription.handler, event)
            return
        if self._stopping.is_set():
            return  # unsettled: the broker gives it to another replica
        outcome = await deliver(
            subscription.handler, event, subscription.service, self._stopping, self._retry_seconds
        )
        if outcome is Outcome.HANDLED:
            await _settle(message, accept=True)
        elif outcome is Outcome.FAILED:
            earlier = message.headers.get("x-delivery-count", 0)
            count = earlier if isinstance(earlier, int) else 0
            await set_within(self._stopping, self._retry_seconds * 2 ** min(count, 8))
            await _settle(message, accept=False, requeue=True)


def _event(message: AbstractIncomingMessage) -> Event:
    """What a message holds, as a part of what it was sent by.

    :raises ValueError: no event
    """
    event = Event.from_json(message.body)
    trace = message.headers.get(tracing.HEADER)
    return replace(event, traceparent=trace) if isinstance(trace, str) else event


async def _settle(message: AbstractIncomingMessage, *, accept: bool, requeue: bool = False) -> None:
    """Acknowledge or refuse. On a lost connection neither is possible, and the broker delivers again."""
    try:
        if accept:
            await message.ack()
        else:
            await message.reject(requeue=requeue)
    except (*_BROKEN, MessageProcessError) as error:
        _log.warning("event not settled, it will come again", reason=type(error).__name__)


async def _disconnect(link: _Link) -> None:
    with suppress(*_BROKEN, TimeoutError):
        async with asyncio.timeout(CONNECT_SECONDS):
            await link.connection.close()
