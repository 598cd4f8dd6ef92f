"""The core's doors on two ports: each answers for itself, and knows nothing of the other (D3)."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from powerauth_contracts.dmz import table as dmz
from powerauth_contracts.rest import table as rest
from powerauth_core.app import create_app
from powerauth_core.settings import CoreSettings
from powerauth_core.start_rules import DOOR_RULES
from servicekit.doors import doors_of
from servicekit.edge.routing import declared

ROOT = "/powerauth-java-server"
REST = (
    rest.BUNDLE,
    "/rest/v3/status",
    "/rest/v3/signature/verify",
    "/rest/v3/nothing",
    "/rest",
    "/fido2/x",
    "/",
)
DMZ = (dmz.BUNDLE, "/dmz/v1/texts", "/dmz/v1/nothing", "/dmz", "/dmz/")


@pytest.fixture
def doors() -> tuple[FastAPI, FastAPI]:
    """Of a core that is not running: whatever looked at anything would fail."""
    settings = CoreSettings(port=8080, dmz_port=8081, dmz_host="10.0.0.1")
    first, second = doors_of(create_app(settings), settings)
    assert (first.port, second.port, second.host) == (8080, 8081, "10.0.0.1")
    return first.app, second.app


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        ({"dmz_host": "10.0.0.2", "dmz_port": 8080}, False),
        ({"dmz_host": "10.0.0.1", "dmz_port": 8080}, True),
        ({"dmz_host": "0.0.0.0", "dmz_port": 8080}, True),
        ({"dmz_port": 8080}, True),
        ({"dmz_port": 9090, "management_port": 9090}, True),
        ({"dmz_port": 9090, "management_port": 9090, "management_host": "10.0.0.3"}, False),
    ],
    ids=str,
)
def test_a_port_is_shared_by_nobody_at_one_address(other: dict[str, Any], refused: bool) -> None:
    settings = CoreSettings(host="10.0.0.1", port=8080, **other)
    assert any(rule.setting == "dmz_port" and rule.broken(settings) for rule in DOOR_RULES) is refused


@pytest.mark.parametrize(("door", "paths"), [(0, DMZ), (1, REST)], ids=["rest", "dmz"])
async def test_the_other_door_s_paths_are_unknown_ones(
    doors: tuple[FastAPI, FastAPI], door: int, paths: tuple[str, ...]
) -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(doors[door]), base_url="http://core", auth=("token", "secret")
    ) as client:
        for method in ("POST", "GET", "PUT", "OPTIONS"):
            unknown = await client.request(method, f"{ROOT}/never/heard/of", content=b"{}")
            for path in paths:
                answer = await client.request(method, ROOT + path, content=b"{}")
                assert (answer.status_code, answer.content) == (404, unknown.content), (method, path)
                assert answer.headers.keys() == unknown.headers.keys()


async def test_each_door_asks_for_credentials_and_says_that_it_is_there(
    doors: tuple[FastAPI, FastAPI],
) -> None:
    for app, path in zip(doors, ("/rest/v3/nothing", "/dmz/v1/nothing"), strict=True):
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://core") as client:
            assert (await client.post(ROOT + path)).status_code == 401
            assert (await client.get(f"{ROOT}/actuator/health/liveness")).status_code == 200


def test_both_doors_together_serve_what_one_port_serves(doors: tuple[FastAPI, FastAPI]) -> None:
    one = set(declared(create_app(CoreSettings())))
    first, second = (set(declared(app)) for app in doors)
    assert first | second == one
    assert {path for path, _ in first & second} == {"/actuator/health", "/actuator/health/liveness"}
