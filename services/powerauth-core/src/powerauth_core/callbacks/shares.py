"""Who may deliver next: fair shares among applications and targets (spec/core-api.md §18.5, D28).

The rule is that of dynamic thresholds in switches (Choudhury, Hahne: Dynamic queue length thresholds, 1998):
nobody may hold more than a part of what is still free. Whatever hanging receivers hold, somebody who holds
nothing finds a slot; when many are busy, their shares shrink.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Flow:
    """Deliveries that can hold each other up: one application's to one target.

    :ivar application: row id of the application
    :ivar target: scheme, host and port
    """

    application: int
    target: str

    @classmethod
    def to(cls, application: int, url: str) -> Flow:
        """The flow of an application's deliveries to a URL."""
        try:
            parts = urlsplit(url)
            return cls(application, f"{parts.scheme}://{parts.hostname}:{parts.port}".lower())
        except ValueError:
            return cls(application, url)


class Shares:
    """How much of something each flow holds, and whether it may have more."""

    def __init__(self, size: int) -> None:
        """:param size: how much there is"""
        self._size = size
        self._flows: Counter[Flow] = Counter()
        self._applications: Counter[int] = Counter()
        self._targets: Counter[str] = Counter()

    @property
    def free(self) -> int:
        """How much nobody holds."""
        return self._size - self._flows.total()

    def held_by(self, flow: Flow) -> tuple[int, int, int]:
        """What is held by the application, the target and the flow: who holds less comes first."""
        return self._applications[flow.application], self._targets[flow.target], self._flows[flow]

    def allows(self, flow: Flow) -> bool:
        """Whether the flow may have one more.

        Neither its application nor its target may hold more than half of what is free; nor may the flow hold
        more than half of what its application could still get.
        """
        free = self.free
        application, target, held = self.held_by(flow)
        if not free or 2 * max(application, target) > free:
            return False
        obtainable = (free - 2 * application) // 3 + 1
        return 2 * held <= obtainable

    def take(self, flow: Flow) -> None:
        """The flow has one more."""
        self._count(flow, 1)

    def give_back(self, flow: Flow) -> None:
        """The flow has one less."""
        self._count(flow, -1)

    def _count(self, flow: Flow, change: int) -> None:
        _add(self._flows, flow, change)
        _add(self._applications, flow.application, change)
        _add(self._targets, flow.target, change)


def _add(counter: Counter[K], key: K, change: int) -> None:
    counter[key] += change
    if not counter[key]:
        del counter[key]


class FairSlots:
    """Slots for work under way; whoever holds least has the next one."""

    def __init__(self, slots: int) -> None:
        self._shares = Shares(slots)
        self._waiting: dict[Flow, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def slot(self, flow: Flow) -> AsyncGenerator[None]:
        """Wait for a slot of the flow's share and hold it."""
        await self._take(flow)
        try:
            yield
        finally:
            self._give_back(flow)

    async def _take(self, flow: Flow) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(flow, deque()).append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(flow, turn)
            else:
                self._give_back(flow)
            raise

    def _leave(self, flow: Flow, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(flow)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[flow]

    def _give_back(self, flow: Flow) -> None:
        self._shares.give_back(flow)
        self._hand_out()

    def _hand_out(self) -> None:
        while candidates := [flow for flow in self._waiting if self._shares.allows(flow)]:
            flow = min(candidates, key=self._shares.held_by)
            turns = self._waiting[flow]
            turn = turns.popleft()
            if turns:
                # To the end, so that flows that hold equally little take turns.
                self._waiting[flow] = self._waiting.pop(flow)
            else:
                del self._waiting[flow]
            if not turn.done():
                self._shares.take(flow)
                turn.set_result(None)
