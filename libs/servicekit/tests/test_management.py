"""What is served on a management port, and no more than one check however many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import pytest
from fastapi import FastAPI

from servicekit.doors import management_of
from servicekit.health import Shared

MakeApp = Callable[..., FastAPI]
ClientOf = Callable[[FastAPI], httpx2.AsyncClient]

ALIVE = ("/actuator/health", "/actuator/health/liveness")
INSIDE = (
    "/actuator/health/readiness",
    "/actuator/info",
    "/actuator/prometheus",
    "/metrics",
    "/swagger-ui",
    "/swagger-ui/index.html",
    "/v3/api-docs",
)


class Database:
    """Counts how often it is asked."""

    def __init__(self, *, works: bool = True) -> None:
        self.asked = 0
        self.works = works
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> bool:
        self.asked += 1
        await self.answers.wait()
        return self.works


async def _statuses(client: httpx2.AsyncClient, paths: tuple[str, ...]) -> set[int]:
    return {(await client.get(path)).status_code for path in paths}


async def test_without_a_management_port_everything_is_in_one_place(
    make_app: MakeApp, client_of: ClientOf
) -> None:
    app = make_app(metrics_enabled=True)
    assert management_of(app) is None
    assert await _statuses(client_of(app), ALIVE + INSIDE) == {200}


@pytest.mark.parametrize("environment", ["development", "production"])
async def test_what_is_managed_is_not_public(
    make_app: MakeApp, client_of: ClientOf, environment: str
) -> None:
    database = Database(works=False)
    app = make_app(metrics_enabled=True, environment=environment, management_port=1, health=[database])
    public = client_of(app)
    assert await _statuses(public, ALIVE) == {200}
    assert await _statuses(public, INSIDE) == {404}
    assert database.asked == 0
    management = management_of(app)
    assert management is not None
    assert (management.host, management.port) == ("127.0.0.1", 1)
    inside = client_of(management.app)
    assert await _statuses(inside, (INSIDE[0], ALIVE[0])) == {503}
    assert await _statuses(inside, (*INSIDE[1:], ALIVE[1])) == {200}
    document = (await inside.get("/v3/api-docs")).json()
    assert "/actuator/health/liveness" in document["paths"]
    assert "/actuator/info" not in document["paths"]


async def test_production_without_a_management_port_serves_callers_only(
    make_app: MakeApp, client_of: ClientOf
) -> None:
    app = make_app(metrics_enabled=True, environment="production")
    assert management_of(app) is None
    assert await _statuses(client_of(app), ALIVE) == {200}
    assert await _statuses(client_of(app), INSIDE) == {404}


async def test_probes_at_the_same_time_or_soon_after_share_a_check(
    make_app: MakeApp, client_of: ClientOf
) -> None:
    database, other = Database(), Database()
    client = client_of(make_app(health=[database], readiness=[other], health_cache_seconds=3600))
    database.answers.clear()
    probes = [asyncio.create_task(client.get("/actuator/health/readiness")) for _ in range(20)]
    probes += [asyncio.create_task(client.get("/actuator/health")) for _ in range(20)]
    while not other.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    database.answers.set()
    assert {answer.status_code for answer in await asyncio.gather(*probes)} == {200}
    database.works = False
    assert (await client.get("/actuator/health/readiness")).status_code == 200
    assert (database.asked, other.asked) == (1, 1)


async def test_one_who_leaves_takes_nothing_from_the_others() -> None:
    database = Database()
    database.answers.clear()
    shared = Shared(database, 0)
    impatient, patient = asyncio.create_task(shared()), asyncio.create_task(shared())
    while not database.asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    impatient.cancel()
    database.answers.set()
    assert await patient
    assert (await shared(), database.asked) == (True, 2)


async def test_what_is_degraded_serves(make_app: MakeApp, client_of: ClientOf) -> None:
    old, away = True, False

    async def has_grown_old() -> bool:
        return not old

    async def database() -> bool:
        return not away

    client = client_of(make_app(health=[database], lasting=[has_grown_old], health_cache_seconds=0))
    answer = await client.get("/actuator/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "DEGRADED"})
    assert (await client.get("/actuator/health/readiness")).json() == {"status": "UP"}
    old = False
    assert (await client.get("/actuator/health")).json() == {"status": "UP"}
    old = away = True
    assert (await client.get("/actuator/health")).status_code == 503
