"""Whatever a bank's system sends, the answer is one of this API (spec/cloud-api.md §1.5, §1.6, D6)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

import pytest
from argon2 import PasswordHasher
from asgi_client import Request
from families import CLOUD as CLOUD_FAMILY
from fuzz_run import FuzzRun
from generated_requests import Amounts, Known, Operation, operations_of
from running_stack import CLOUD, PIN, RunningStack
from world import World

from cloud_private_api import passwords

pytestmark = pytest.mark.fuzz

AMOUNTS = Amounts(boundary=20, valid=4, invalid=4)
AREAS = (
    "/v2/registrations",
    "/v2/operations",
    "/v2/admin/",
    "/v2/",
    "/admin/users",
    "/admin/applications",
    "/admin/",
    "/",
)
"""Groups of paths; each is in the first that fits."""


def area_of(path: str) -> str:
    """The group of a path."""
    return next(area for area in AREAS if path.startswith(area))


@pytest.fixture(scope="module", autouse=True)
def quick_passwords() -> Iterator[None]:
    """A hash that costs nothing, so that users can be made by the hundred."""
    before = passwords._hasher
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield
    passwords._hasher = before


KNOWN: dict[str, list[object]] = {
    "otp": ["12345678-12345678", "12345678"],
    "data": ["QUFB"],
    "requestBody": ["e30="],
    "uriId": ["/login"],
    "method": ["POST"],
    "name": ["default", "callback"],
    "placeholder": ["push.title"],
    "timestampFrom": [1_735_689_600_000],
    "timestampTo": [1_835_689_600_000],
}


async def known_to_the_bank(world: World) -> Known:
    """What exists, with headers that a phone has just made."""
    await world.refresh()
    phone = world.phone
    signed = await phone.signed_header(method="POST", uri_id="/login", body=b"{}", pin=PIN)
    return (
        world.values()
        | KNOWN
        | {
            "username": [world.username],
            "authHeader": list(signed.values()),
            "tokenHeader": list(phone.token_header(world.token).values()),
        }
    )


def operations_in(stack: RunningStack, area: str) -> list[Operation]:
    """The operations of a group."""
    return [item for item in operations_of(stack.apps[CLOUD].openapi()) if area_of(item.path) == area]


@pytest.mark.parametrize("area", AREAS)
async def test_any_request(stack: RunningStack, area: str) -> None:
    world = await World.create(stack)
    run = FuzzRun(stack, CLOUD, CLOUD_FAMILY, AMOUNTS, partial(known_to_the_bank, world))
    user = stack.admin if area.startswith("/admin") else world.bank.user

    async def dress(request: Request, _random: Random) -> Request:
        return request.with_headers(user)

    findings = await run.operations(operations_in(stack, area), dress)
    findings.check()
    assert findings.statuses[200], "no request got through"


async def test_administration_is_closed_for_a_bank_whatever_it_sends(stack: RunningStack) -> None:
    world = await World.create(stack)
    amounts = Amounts(boundary=8, valid=2, invalid=2)
    run = FuzzRun(stack, CLOUD, CLOUD_FAMILY, amounts, partial(known_to_the_bank, world))

    async def dress(request: Request, _random: Random) -> Request:
        return request.with_headers(world.bank.user)

    for area in ("/admin/users", "/admin/applications", "/admin/"):
        findings = await run.operations(operations_in(stack, area), dress)
        findings.check()
        assert set(findings.statuses) <= {403, 404, 414}, findings.statuses


async def test_every_operation_is_in_an_area(stack: RunningStack) -> None:
    operations = operations_of(stack.apps[CLOUD].openapi())
    assert {area_of(operation.path) for operation in operations} == set(AREAS)
