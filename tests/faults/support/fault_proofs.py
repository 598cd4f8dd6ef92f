"""What must be true of a stack after whatever happened to it: nothing lost, nothing counted twice."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex

from fault_calls import APPROVED, World
from fault_journeys import Told
from fault_receiver import Receiver, register
from fault_stack import outbox_is_empty, server, until

from servicekit.bus import Event
from servicekit.bus.rabbitmq import RabbitBus
from servicekit.serving import BackgroundServer

_CHANGED = "operation.status_changed"


def tell(figures: str) -> None:
    """Print what was measured (``pytest -s``)."""
    sys.stderr.write(f"\n{figures}\n")


@dataclass
class Witnesses:
    """Who hears of what the core does: the bus and the bank's end of callbacks."""

    events: list[Event] = field(default_factory=list)
    receiver: Receiver = field(default_factory=Receiver)

    @asynccontextmanager
    async def listening(self, world: World) -> AsyncIterator[None]:
        """They hear of it in the block."""
        bus = RabbitBus(server("TEST_RABBITMQ_URL"))
        await bus.subscribe(f"witness-{token_hex(6)}", [_CHANGED], self._hear)
        await bus.start()
        try:
            async with BackgroundServer(self.receiver) as bank:
                await register(world.core, bank.url)
                yield
        finally:
            await bus.close()

    async def _hear(self, event: Event) -> None:
        self.events.append(event)

    async def agree(self, world: World, told: Told) -> str:
        """Compare what phones were told with the database, the audit, events and callbacks.

        :return: the figures
        """
        approved = {*told.approved, *told.found_approved}
        assert not told.taken_twice
        assert set(told.approved.values()) <= {1}
        async with world.database() as database:
            await until(lambda: outbox_is_empty(database), "the outbox drains")
            states = dict(await database.fetch("SELECT id, status FROM pa_operation"))
            audits = await database.fetch("SELECT param FROM audit_log WHERE message = 'Operation approved'")
            codes = await database.fetch("SELECT signature FROM pa_signature_audit WHERE valid")
        stored = {each for each, status in states.items() if status == APPROVED}
        assert approved <= stored
        recorded = Counter(json.loads(row["param"])["id"] for row in audits)
        assert recorded == Counter(stored)
        assert max(Counter(row["signature"] for row in codes).values()) == 1
        await until(lambda: stored <= {event.subject for event in self.events}, "events of all approvals")
        events = {event.id: event.subject for event in self.events if event.subject in stored}
        assert set(Counter(events.values()).values()) == {1}
        await until(lambda: stored <= set(self.receiver.bodies.values()), "callbacks of all approvals")
        calls = Counter(operation for operation in self.receiver.bodies.values() if operation in stored)
        assert set(calls.values()) == {2}  # its creation and its approval, a key each
        again = len(self.receiver.received) - len(set(self.receiver.received))
        return f"{len(stored)} approved, audited, told once each; callbacks delivered again: {again}"
