"""The services behind PgBouncer in transaction mode, with fewer server connections than callers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import StringIO

import pytest
from fault_calls import Calls, World, each, world_of
from fault_load import Caller, Http, under_load
from fault_stack import NO_LIMITS, connected, until
from rich.console import Console

from powerauth_cli.demo.scenario import Addresses, Scenario
from powerauth_cli.demo.transcript import Transcript
from powerauth_cli.localservers import PgBouncerServer, PostgresServer
from powerauth_cli.separate import SeparateProcesses
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.versions import ProtocolVersion

pytestmark = pytest.mark.faults

SETTINGS = NO_LIMITS | {
    "CORE_DATABASE_TRANSACTION_POOLER": "true",
    "CLOUD_DATABASE_TRANSACTION_POOLER": "true",
    "CORE_AUDIT_CHAIN_KEY": b64encode(bytes(range(32))),
    "CORE_JOB_OPERATION_CLEANUP_MS": "200",
    "CORE_JOB_ACTIVATIONS_CLEANUP_MS": "200",
}
SERVER_CONNECTIONS = 3
CALLERS = 4
"""Of each kind."""


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    with (
        PostgresServer() as postgres,
        PgBouncerServer(postgres.port, server_connections=SERVER_CONNECTIONS) as pooler,
    ):
        async with (
            SeparateProcesses(postgres.url, settings=SETTINGS, through=pooler.url) as stack,
            world_of(stack, phones=3) as made,
        ):
            yield made


async def test_the_main_job_runs_to_its_end(world: World) -> None:
    tell = Transcript(Console(file=StringIO()))
    addresses = Addresses(world.stack.enrollment_url, world.stack.cloud_url)
    await Scenario(tell, addresses, world.stack.admin, ProtocolVersion.V3_3).run()
    assert tell.steps > 20


async def test_every_call_is_served_under_load(world: World, http: Http) -> None:
    calls = Calls(world, http, await world.devices[0].create_token(world.core.post))
    signing = {"verify", "signature", "approve"}
    callers = calls.everywhere()
    # A phone signs one thing after the other; of everybody else there are more than server connections.
    for _ in range(CALLERS - 1):
        callers += [caller for caller in calls.everywhere() if caller.name not in signing]
    async with under_load(callers):
        for _ in range(5):
            await each(callers, Caller.served)
    assert {(caller.name, answer.status) for caller in callers for answer in caller.answers} == {
        (caller.name, 200) for caller in callers
    }


async def test_nothing_is_left_on_a_server_connection(world: World) -> None:
    """What one session leaves, the next one on the same connection would find."""
    async with connected(world.stack.core_database_url) as database:
        jobs = "SELECT count(*) FROM job_lease"
        await until(lambda: database.fetchval(jobs), "a job runs")
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert await database.fetchval(locks) == 0
