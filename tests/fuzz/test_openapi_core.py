"""Whatever a caller sends to the core, the answer is one of its own (spec/core-api.md §1.2, D6)."""

from __future__ import annotations

from random import Random

import pytest
from asgi_client import Request
from families import CORE as CORE_FAMILY
from fuzz_run import FuzzRun
from generated_requests import Amounts, Known, Operation, operations_of
from running_stack import CORE, RunningStack
from world import World

pytestmark = pytest.mark.fuzz

AMOUNTS = Amounts(boundary=15, valid=4, invalid=4)
AREAS = (
    "/rest/v3/application/",
    "/rest/v3/integration/",
    "/rest/v3/activation/",
    "/rest/v3/recovery/",
    "/rest/v3/signature/",
    "/rest/v3/token/",
    "/rest/v3/operation/",
    "/fido2/",
    "/dmz/v1/signed/",
    "/dmz/v1/sealed/",
    "/dmz/v1/token/",
    "/dmz/v1/",
    "/rest/v3/",
)
KNOWN: dict[str, list[object]] = {"data": ["A1*A10EUR", "POST&L3Bh&bm9uY2U=&"]}


def area_of(operation: Operation) -> str:
    """The longest of the areas that the path is in."""
    return max((area for area in AREAS if operation.path.startswith(area)), key=len, default="")


@pytest.mark.parametrize("area", AREAS)
async def test_any_request(stack: RunningStack, area: str) -> None:
    world = await World.create(stack)
    credentials = stack.dmz if area.startswith("/dmz/") else stack.rest

    async def prepare() -> Known:
        await world.refresh()
        return world.values() | KNOWN

    async def dress(request: Request, _random: Random) -> Request:
        return request.with_headers(credentials)

    run = FuzzRun(stack, CORE, CORE_FAMILY, AMOUNTS, prepare)
    operations = operations_of(stack.apps[CORE].openapi())
    findings = await run.operations([item for item in operations if area_of(item) == area], dress)
    findings.check()
    assert findings.statuses[200], "no request got through"


async def test_every_operation_is_in_an_area(stack: RunningStack) -> None:
    operations = operations_of(stack.apps[CORE].openapi())
    assert {area_of(operation) for operation in operations} == set(AREAS)


async def test_no_credentials_open_the_other_door(stack: RunningStack) -> None:
    for operation in operations_of(stack.apps[CORE].openapi()):
        wrong = stack.rest if operation.path.startswith("/dmz/") else stack.dmz
        for headers in (wrong, {}):
            request = Request(operation.method.upper(), operation.path, (), b"{}").with_headers(headers)
            answer = await stack.send(CORE, request)
            assert answer.status == 401, operation.label
            assert CORE_FAMILY.problems(answer) == []
