"""A bus whose deliveries a test makes itself, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.bus import Event, Handler


class DirectBus:
    """Remembers who listens to what; `deliver` runs the handlers and lets their errors through."""

    connected = True

    def __init__(self) -> None:
        self.durable: dict[str, list[Handler]] = {}
        self.broadcast: dict[str, list[Handler]] = {}

    async def start(self) -> None:
        """Nothing to connect."""

    async def publish(self, event: Event) -> None:
        """The service publishes nothing."""
        raise AssertionError(event)

    async def subscribe(self, service: str, types: Sequence[str], handler: Handler) -> None:
        """A queue of the service."""
        assert service == "cloud"
        for name in types:
            self.durable.setdefault(name, []).append(handler)

    async def subscribe_broadcast(self, types: Sequence[str], handler: Handler) -> None:
        """A queue of this process."""
        for name in types:
            self.broadcast.setdefault(name, []).append(handler)

    async def drain(self) -> None:
        """Nothing is waiting."""

    async def close(self) -> None:
        """Nothing to disconnect."""

    async def deliver(self, *events: Event) -> None:
        """Hand events to whoever listens."""
        for event in events:
            for handler in self.durable.get(event.type, []) + self.broadcast.get(event.type, []):
                await handler(event)
