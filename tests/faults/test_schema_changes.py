"""The schema changes under services at work: no caller notices."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fault_calls import Calls, World, each, world_of
from fault_load import Caller, Http, under_load
from fault_stack import NO_LIMITS, connected, server

from powerauth_cli.separate import SeparateProcesses
from powerauth_protocol.common.encoding import b64encode

pytestmark = pytest.mark.faults

CORE = ("pa_activation.activation_name", "pa_application.name", "pa_operation.user_id", "pa_integration.name")
CLOUD = ("pa_cloud_user.username",)


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    settings = NO_LIMITS | {
        "CORE_AUDIT_CHAIN_KEY": b64encode(bytes(range(32))),
        "CORE_CALLER_CACHE_SECONDS": "0",
        "CORE_APPLICATION_CACHE_SECONDS": "0",
        "CLOUD_SECURITY_AUTH_FACTS_CACHE_SECONDS": "0",
    }
    async with (
        SeparateProcesses(server("TEST_POSTGRES_URL"), settings=settings) as stack,
        world_of(stack, phones=3) as made,
    ):
        yield made


async def test_widening_columns_under_load_is_noticed_by_nobody(world: World, http: Http) -> None:
    calls = Calls(world, http, await world.devices[0].create_token(world.core.post))
    callers = calls.everywhere()
    async with under_load(callers):
        for url, columns in ((world.stack.core_database_url, CORE), (world.stack.cloud_database_url, CLOUD)):
            async with connected(url) as database:
                for length in (400, 500, 600):
                    for column in columns:
                        await each(callers, Caller.served)
                        table, _, name = column.partition(".")
                        await database.execute(
                            f"ALTER TABLE {table} ALTER COLUMN {name} TYPE VARCHAR({length})"
                        )
                await each(callers, Caller.served)
    assert {(caller.name, answer.status) for caller in callers for answer in caller.answers} == {
        (caller.name, 200) for caller in callers
    }
