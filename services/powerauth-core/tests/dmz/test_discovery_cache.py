"""Discovery documents are fetched once for many public requests (enrollment-api §16)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from core_test_api import Api, TestApplication

from powerauth_core.container import Core
from powerauth_core.providers import discovery
from powerauth_core.providers.discovery import DiscoveryCache, Fetched

if TYPE_CHECKING:
    from dmz.conftest import Door, WebServer


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

DOCUMENT = {"issuer": "https://id.example"}


class Provider:
    """Answers, and counts how often it is asked and with which entity tags."""

    def __init__(self, *answers: Fetched | None) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []

    async def __call__(self, etag: str | None) -> Fetched | None:
        self.asked.append(etag)
        await asyncio.sleep(0)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Clock:
    """Stands still between calls of `advance`."""

    moment = 1000.0

    def __call__(self) -> float:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += seconds


async def test_one_flight_for_all_who_ask_and_none_while_it_is_fresh() -> None:
    cache, provider = DiscoveryCache(), Provider(Fetched(DOCUMENT))
    answers = await asyncio.gather(*[cache.get("uri", provider) for _ in range(50)])
    assert answers == [DOCUMENT] * 50
    assert await cache.get("uri", provider) == DOCUMENT
    assert provider.asked == [None]


async def test_a_caller_that_goes_away_does_not_take_the_answer_with_it() -> None:
    cache, provider = DiscoveryCache(), Provider(Fetched(DOCUMENT))
    first = asyncio.create_task(cache.get("uri", provider))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.get("uri", provider))
    first.cancel()
    assert await second == DOCUMENT
    assert provider.asked == [None]


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", discovery.FRESH_SECONDS),
        ("public, max-age=600", 600.0),
        ("max-age=0", discovery.SHORTEST_SECONDS),
        ("no-store", discovery.FRESH_SECONDS),
        ("max-age=999999999", discovery.LONGEST_SECONDS),
    ],
)
async def test_an_old_document_is_asked_for_with_its_entity_tag(cache_control: str, seconds: float) -> None:
    clock = Clock()
    cache = DiscoveryCache(clock)
    provider = Provider(Fetched(DOCUMENT, '"1"', cache_control), Fetched(None, None, cache_control))
    for advance in (0.0, seconds - 1, 1.0, seconds - 1):
        clock.advance(advance)
        assert await cache.get("uri", provider) == DOCUMENT
    assert provider.asked == [None, '"1"']


async def test_a_failure_is_remembered_for_a_while() -> None:
    clock = Clock()
    cache, provider = DiscoveryCache(clock), Provider(None, Fetched(DOCUMENT))
    assert [await cache.get("uri", provider) for _ in range(9)] == [None] * 9
    assert provider.asked == [None]
    clock.advance(discovery.RETRY_SECONDS)
    assert await cache.get("uri", provider) == DOCUMENT


async def test_a_known_document_outlives_an_outage_but_not_for_ever() -> None:
    clock = Clock()
    cache, provider = DiscoveryCache(clock), Provider(Fetched(DOCUMENT, '"1"'), None)
    await cache.get("uri", provider)
    clock.advance(discovery.FRESH_SECONDS)
    assert [await cache.get("uri", provider) for _ in range(9)] == [DOCUMENT] * 9
    assert provider.asked == [None, '"1"']
    clock.advance(discovery.STALE_SECONDS)
    assert await cache.get("uri", provider) is None


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "CAPACITY", 2)
    cache, provider = DiscoveryCache(), Provider(Fetched(DOCUMENT))
    for uri in ("a", "b", "a", "c", "a", "b"):
        await cache.get(uri, provider)
    assert len(provider.asked) == 4


async def test_public_requests_cost_the_provider_one(
    door: Door, core: Core, application: TestApplication, api: Api, web_server: WebServer
) -> None:
    asked: list[str] = []

    async def provider(path: str, _body: bytes) -> tuple[int, bytes]:
        asked.append(path)
        return 200, json.dumps({"issuer": url, "authorization_endpoint": f"{url}/authorize"}).encode()

    url = await web_server(provider)
    settings = {"clientId": "c", "clientSecret": "s", "redirectUri": "app://login", "issuerUri": url}
    await api.ok(
        "application/config/create",
        applicationId=application.application_id,
        key="oauth2_providers",
        values=[{"providerId": "bank-login", **settings}],
    )
    ask = {"applicationKey": application.application_key, "providerId": "bank-login"}
    answers = await asyncio.gather(*[door.api.ok("application/public", **ask) for _ in range(20)])
    assert {answer["authorizeUri"] for answer in answers} == {f"{url}/authorize"}
    for stranger in (ask | {"applicationKey": "AAAA"}, ask | {"providerId": "other"}):
        await door.api.error("application/public", **stranger)
    assert asked == ["/.well-known/openid-configuration"]
    assert len(core.discovery._entries) == 1
