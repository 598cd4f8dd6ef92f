"""Texts are revalidated by ETag (D1 rule 6; spec/enrollment-api.md §2.6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from enrollment_fakes import Clock, FakeCore, Raw, Refusal

from enrollment.core_client import CoreDoor
from enrollment.texts import cache
from enrollment.texts.cache import TextCache
from servicekit.calls.client import AsgiTransport, ServiceClient
from servicekit.errors import RemoteUnavailable


def texts(etag: str, title: str) -> dict[str, Any]:
    row = {"placeholder": "login", "language": "en", "title": title, "message": "m", "attributes": None}
    return {"etag": etag, "notModified": False, "rows": [row]}


NOT_MODIFIED = {"etag": "one", "notModified": True, "rows": []}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def text_cache(core: FakeCore, clock: Clock) -> TextCache:
    client = ServiceClient("http://core/powerauth-java-server", transport=AsgiTransport(core))
    core.script["texts"] = texts("one", "first")
    return TextCache(CoreDoor(client), revalidate_seconds=30, maximum_age_seconds=300, now=clock)


async def title(text_cache: TextCache) -> str:
    (row,) = await text_cache.rows("login")
    return row.title


async def test_texts_are_asked_for_once_in_thirty_seconds(
    core: FakeCore, clock: Clock, text_cache: TextCache
) -> None:
    assert await title(text_cache) == "first"
    core.script["texts"] = texts("two", "second")
    clock.advance(29)
    assert await title(text_cache) == "first"
    assert core.calls[0].request == {"operationType": "login"}
    assert len(core.calls) == 1


async def test_changed_texts_are_seen_after_thirty_seconds(
    core: FakeCore, clock: Clock, text_cache: TextCache
) -> None:
    await title(text_cache)
    core.script["texts"] = texts("two", "second")
    clock.advance(30)
    assert await title(text_cache) == "second"
    assert core.calls[1].request == {"operationType": "login", "etag": "one"}


async def test_unchanged_texts_are_kept(core: FakeCore, clock: Clock, text_cache: TextCache) -> None:
    await title(text_cache)
    core.script["texts"] = NOT_MODIFIED
    for _ in range(20):
        clock.advance(30)
        assert await title(text_cache) == "first"
    assert len(core.calls) == 21


async def test_known_texts_serve_on_for_five_minutes_of_outage(
    core: FakeCore, clock: Clock, text_cache: TextCache
) -> None:
    await title(text_cache)
    core.script["texts"] = Raw(503)
    clock.advance(300)
    assert await title(text_cache) == "first"
    clock.advance(1)
    with pytest.raises(RemoteUnavailable):
        await title(text_cache)


@pytest.mark.parametrize("failure", [Raw(503), Raw(200, b"[]"), Refusal("ERR0024")])
async def test_unknown_texts_need_the_core(core: FakeCore, text_cache: TextCache, failure: Any) -> None:
    core.script["texts"] = failure
    with pytest.raises(RemoteUnavailable):
        await title(text_cache)


async def test_operation_type_without_texts_is_remembered_too(core: FakeCore, text_cache: TextCache) -> None:
    core.script["texts"] = {"etag": "none", "notModified": False, "rows": []}
    assert await text_cache.rows("other") == ()
    assert await text_cache.rows("other") == ()
    assert len(core.calls) == 1


async def test_many_requests_ask_the_core_once(core: FakeCore, text_cache: TextCache) -> None:
    rows = await asyncio.gather(*(text_cache.rows("login") for _ in range(20)))
    assert len(core.calls) == 1
    assert {row[0].title for row in rows} == {"first"}


@pytest.fixture
def two_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "OPERATION_TYPES_REMEMBERED", 2)


@pytest.mark.usefixtures("two_types")
async def test_number_of_operation_types_is_bounded(core: FakeCore, text_cache: TextCache) -> None:
    for name in ("login", "a", "b", "login"):
        await text_cache.rows(name)
    assert [call.request["operationType"] for call in core.calls] == ["login", "a", "b", "login"]


async def test_rows_of_another_operation_type_are_not_taken(text_cache: TextCache) -> None:
    assert await text_cache.rows("payment") == ()
