"""Blocking work that an attacker can cause, in few threads behind a bounded and fair queue (D28)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from servicekit.errors import Unavailable

T = TypeVar("T")


class Overloaded(Unavailable):
    """More work waits than this process will do in reasonable time."""


class FairThreads:
    """A few threads, and a queue in which every share has its turn.

    A share is whoever the work is for: a user name, an activation. Shares are served in turns, so that one
    with much work holds up itself and hardly the others. A full queue refuses the newest work of the share
    that has most of it. What is cancelled while it waits leaves the queue; what is under way is finished.
    """

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        """
        :param threads: pieces of work at the same time
        :param waiting: pieces of work that may wait
        :param name: of the threads
        """
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads
        self._places = waiting
        self._shares: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How much work waits for a thread."""
        return sum(map(len, self._shares.values()))

    async def run(
        self, share: str, work: Callable[[], T], *, on_start: Callable[[], None] | None = None
    ) -> T:
        """Do the work in a thread, once it is the share's turn.

        :param on_start: called when the work no longer waits; from then on it cannot be cancelled
        :raises Overloaded: too much work waits
        """
        await self._turn(share)
        try:
            running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BaseException:
            self._pass_on()
            raise
        running.add_done_callback(self._finished)
        if on_start is not None:
            on_start()
        return await asyncio.shield(running)

    def close(self) -> None:
        """Let the threads end; what waits is refused."""
        for turns in self._shares.values():
            for turn in turns:
                _refuse(turn)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, share: str) -> None:
        """Take a thread: the caller passes it on."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._make_room(share)
        self._shares.setdefault(share, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()
            else:
                self._leave(share, turn)
            raise

    def _make_room(self, share: str) -> None:
        if self.waiting < self._places:
            return
        longest = max(self._shares, key=lambda name: len(self._shares[name]), default=share)
        if len(self._shares.get(longest, ())) <= len(self._shares.get(share, ())) + 1:
            raise Overloaded("too much work waits")
        turn = self._shares[longest][-1]
        self._leave(longest, turn)
        _refuse(turn)

    def _leave(self, share: str, turn: asyncio.Future[None]) -> None:
        turns = self._shares.get(share)
        if turns is None or turn not in turns:
            return
        turns.remove(turn)
        if not turns:
            del self._shares[share]

    def _finished(self, running: asyncio.Future[T]) -> None:
        if not running.cancelled():
            running.exception()  # whoever waited for it may be gone
        self._pass_on()

    def _pass_on(self) -> None:
        """Give the thread to the share that was served longest ago."""
        while self._shares:
            share, turns = self._shares.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._shares[share] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _refuse(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(Overloaded("too much work waits"))
