"""Blocking work behind a bounded and fair queue (D28)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from servicekit.workers import FairThreads, Overloaded


class Work:
    """One thread, held by its first piece of work until the test lets go."""

    def __init__(self, waiting: int) -> None:
        self.threads = FairThreads(1, waiting, "test")
        self.release = threading.Event()
        self.done: list[str] = []

    def start(self, share: str, name: str = "") -> asyncio.Task[None]:
        """Ask for one piece of work."""
        return asyncio.create_task(self.threads.run(share, lambda: self._work(name or share)))

    def _work(self, name: str) -> None:
        self.release.wait()
        self.done.append(name)


@pytest.fixture
def work() -> Iterator[Work]:
    """Six places."""
    made = Work(6)
    yield made
    made.release.set()
    made.threads.close()


async def test_shares_have_their_turns(work: Work) -> None:
    names = ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]
    tasks = [work.start(name[0], name) for name in names]
    await asyncio.sleep(0)
    work.release.set()
    await asyncio.gather(*tasks)
    assert work.done == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_full_queue_refuses_the_newest_work_of_the_longest_share(work: Work) -> None:
    tasks = [work.start("a", f"a{number}") for number in range(7)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await work.start("a")
    small = work.start("b")
    with pytest.raises(Overloaded):
        await tasks[6]
    work.release.set()
    await asyncio.gather(small, *tasks[:6])
    assert work.done == ["a0", "a1", "b", "a2", "a3", "a4", "a5"]


async def test_what_is_cancelled_while_it_waits_is_never_done(work: Work) -> None:
    first, second, third = (work.start("a", name) for name in ("first", "second", "third"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert work.threads.waiting == 1
    work.release.set()
    await asyncio.gather(first, third)
    assert work.done == ["first", "third"]


async def test_what_is_under_way_keeps_its_thread_until_it_is_done(work: Work) -> None:
    left, other = work.start("a", "left"), work.start("b")
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    assert work.threads.waiting == 1
    work.release.set()
    await other
    assert work.done == ["left", "b"]


async def test_turn_that_came_with_the_cancellation_goes_to_the_next(work: Work) -> None:
    tasks = [work.start(name) for name in "abc"]
    await asyncio.sleep(0)
    work.release.set()
    await tasks[0]
    # Now b has been given the thread and has not run yet.
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    await tasks[2]
    assert "c" in work.done


async def test_closing_refuses_what_waits(work: Work) -> None:
    under_way, waits = work.start("a"), work.start("b")
    await asyncio.sleep(0)
    work.threads.close()
    with pytest.raises(Overloaded):
        await waits
    work.release.set()
    await under_way
