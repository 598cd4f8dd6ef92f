"""Rate limits: windows, memory, and what happens when the shared storage is away (D18)."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
from enrollment_fakes import Clock
from limits import RateLimitItemPerMinute

from enrollment.limit_storage import BoundedMemory, SharedCounts
from enrollment.limits import RateLimit

MANY = 100_000


def limit(per_minute: int, keys: int = 100) -> RateLimit:
    return RateLimit(f"test-{uuid4()}", per_minute, keys=keys)


async def room(subject: RateLimit, key: str, events: int) -> int:
    """How many of `events` at once there was room for, counted as the service does: asked, then counted."""
    passed = 0
    for _ in range(events):
        if not await subject.is_over(key):
            await subject.count(key)
            passed += 1
    return passed


async def test_a_minutes_events_have_room_at_once_and_no_more(clock: Clock) -> None:
    subject = limit(60)
    assert await room(subject, "key", 100) == 60
    assert await subject.is_over("key")
    assert not await subject.is_over("another key")
    clock.advance(600)
    assert await room(subject, "key", 100) == 60


async def test_no_burst_at_the_seam_of_two_windows(clock: Clock) -> None:
    subject = limit(30)
    clock.advance(59)
    assert await room(subject, "key", 100) == 30
    clock.advance(2)
    assert await room(subject, "key", 100) <= 1


async def test_long_run_rate_is_the_configured_one(clock: Clock) -> None:
    subject = limit(30)
    passed = 0
    for _ in range(1200):
        passed += await room(subject, "key", 3)
        clock.advance(0.5)
    assert passed == pytest.approx(30 * 10, rel=0.1)


async def test_limits_are_counted_apart() -> None:
    subject, other = limit(1), limit(1)
    await subject.count("one")
    assert (await subject.is_over("one"), await other.is_over("one")) == (True, False)


async def test_zero_switches_a_limit_off() -> None:
    assert await room(limit(0), "key", 1000) == 1000


async def test_number_of_keys_is_bounded() -> None:
    subject = limit(1, keys=3)
    for key in ("a", "b", "c", "d"):
        await subject.count(key)
    assert not await subject.is_over("a")
    assert await subject.is_over("d")


class TestMemory:
    """The library's own memory storage keeps every key of two windows and starts threads to look at them."""

    def test_counters_never_exceed_the_bound(self) -> None:
        memory = BoundedMemory(1000)
        for number in range(5000):
            assert memory.acquire_sliding_window_entry(f"key-{number}", 5, 60)
        assert memory.reset() == 1000

    def test_expired_counters_make_room(self, clock: Clock) -> None:
        memory = BoundedMemory(MANY)
        for number in range(1000):
            memory.acquire_sliding_window_entry(f"key-{number}", 5, 60)
        clock.advance(121)
        for number in range(300):
            memory.acquire_sliding_window_entry(f"new-{number}", 5, 60)
        assert memory.reset() == 300

    def test_no_thread_is_started_and_no_other_key_is_looked_at(self) -> None:
        memory = BoundedMemory(MANY)
        for number in range(MANY):
            memory.incr(f"key-{number}", 60)
        threads = threading.active_count()
        looked_at: list[str] = []
        memory._counts = _Watched(memory._counts, looked_at)
        for _ in range(50):
            memory.acquire_sliding_window_entry("mine", 1000, 60)
        assert threading.active_count() == threads
        assert len(looked_at) < 50 * 10
        assert len({key.partition("/")[0] for key in looked_at}) <= 3

    def test_expired_counter_starts_again(self, clock: Clock) -> None:
        memory = BoundedMemory(10)
        assert [memory.incr("key", 60), memory.incr("key", 60)] == [1, 2]
        clock.advance(60)
        assert memory.get("key") == 0
        assert memory.incr("key", 60) == 1


class _Watched(dict[str, tuple[int, float]]):
    """Remembers which keys were looked up or walked over."""

    def __init__(self, content: dict[str, tuple[int, float]], looked_at: list[str]) -> None:
        super().__init__(content)
        self._looked_at = looked_at

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
        self._looked_at.append(key)
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        for key in super().__iter__():
            self._looked_at.append(key)
            yield key


class TestSharedStorage:
    """Redis, where all replicas count together."""

    async def test_replicas_share_their_counts(self) -> None:
        one, two = SharedCounts(redis_url()), SharedCounts(redis_url())
        name = f"test-{uuid4()}"
        try:
            replicas = [RateLimit(name, 30, shared=shared) for shared in (one, two)]
            assert [await room(replica, "key", 20) for replica in replicas] == [20, 10]
            assert await replicas[0].is_over("key")
            assert await room(RateLimit(f"{name}-other", 30, shared=one), "key", 1) == 1
        finally:
            await one.close()
            await two.close()

    async def test_without_the_storage_a_replica_counts_alone(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        shared = SharedCounts(f"redis://127.0.0.1:{port}")
        assert await room(RateLimit("test", 30, shared=shared), "key", 40) == 30
        await shared.close()

    async def test_a_storage_that_hangs_is_not_asked_again_at_once(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            shared = SharedCounts(f"redis://127.0.0.1:{listener.getsockname()[1]}")
            assert await room(RateLimit("test", 30, shared=shared), "key", 40) == 30
            listener.setblocking(False)
            connections = 0
            while True:
                try:
                    listener.accept()[0].close()
                except BlockingIOError:
                    break
                connections += 1
            assert connections <= 2
            await shared.close()


async def test_a_redis_that_asks_for_certificates_counts_for_who_shows_one() -> None:
    url = redis_url("TEST_REDIS_TLS_URL")
    for address, counted in ((url, True), (url.partition("&")[0], None), (url.partition("?")[0], None)):
        shared = SharedCounts(address)
        assert await shared.count(RateLimitItemPerMinute(1), uuid4().hex) is counted
        await shared.close()


def redis_url(variable: str = "TEST_REDIS_URL") -> str:
    """Address of the test run's Redis."""
    url = os.environ.get(variable)
    assert url, f"{variable} is not set; run the tests by `make test`"
    return url
