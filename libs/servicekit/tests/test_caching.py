"""The one cache: bounded, the least recently used goes first, nothing lives beyond its time."""

from __future__ import annotations

import asyncio

from servicekit.caching import Cache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_value_goes_stale_and_is_fresh_again_once_put_again() -> None:
    clock = Clock()
    cache: Cache[str, int] = Cache(10, 5.0, clock=clock)
    cache.put("a", 1)
    clock.now = 4.9
    assert cache.get("a") == 1
    clock.now = 5.0
    assert (cache.get("a"), len(cache)) == (None, 0)
    cache.put("a", 2)
    clock.now = 9.9
    assert cache.get("a") == 2


def test_what_nobody_asks_for_goes_when_something_comes_after_its_time() -> None:
    clock = Clock()
    cache: Cache[str, int] = Cache(10, 5.0, clock=clock)
    cache.put("a", 1)
    clock.now = 4.0
    cache.put("b", 1)
    clock.now = 5.0
    cache.put("c", 1)
    assert len(cache) == 2
    clock.now = 10.0
    cache.put("d", 1)
    assert len(cache) == 1


def test_without_a_lifetime_values_stay() -> None:
    clock = Clock()
    cache: Cache[str, int] = Cache(10, clock=clock)
    cache.put("a", 1)
    clock.now = 1e12
    assert cache.get("a") == 1


def test_the_least_recently_used_value_goes_first() -> None:
    cache: Cache[str, int] = Cache(2)
    for number, key in enumerate("abca"):
        cache.put(key, number)
    assert [cache.get(key) for key in "bca"] == [None, 2, 3]
    assert cache.get("c") == 2
    cache.put("d", 4)
    assert [cache.get(key) for key in "acd"] == [None, 2, 4]


def test_of_no_seconds_nothing_is_kept() -> None:
    cache: Cache[str, int] = Cache(2, 0)
    cache.put("a", 1)
    assert (cache.get("a"), len(cache)) == (None, 0)


def test_values_are_dropped_by_key_and_by_what_they_are() -> None:
    cache: Cache[str, int] = Cache(10, 5.0)
    for number, key in enumerate("abcd"):
        cache.put(key, number % 2)
    cache.drop_where(lambda _key, value: value == 0)
    cache.drop("b")
    cache.drop("unknown")
    assert [cache.get(key) for key in "abcd"] == [None, None, None, 1]
    cache.clear()
    assert cache.get("d") is None


async def test_what_exists_is_read_once_and_what_does_not_each_time() -> None:
    cache: Cache[str, int] = Cache(10)
    asked = []

    async def read(key: str) -> int | None:
        asked.append(key)
        return 1 if key == "a" else None

    for key in "aabb":
        assert await cache.load(key, lambda key=key: read(key)) == (1 if key == "a" else None)  # type: ignore[misc]
    assert asked == ["a", "b", "b"]


async def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    cache: Cache[str, int] = Cache(10)
    gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def read() -> int:
        return await gate

    reading = asyncio.create_task(cache.load("a", read))
    await asyncio.sleep(0)
    cache.clear()
    gate.set_result(1)
    assert await reading == 1
    assert cache.get("a") is None
