"""The database fails over to a server that cannot be written to, and back: nothing has to be restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
from fault_calls import Calls, World, all_were_told_to_come_again, each, world_of
from fault_load import Caller, Http, under_load
from fault_stack import NO_LIMITS, connected, running, until
from fault_switch import Switch

from powerauth_cli.localservers import PostgresServer, StandbyServer
from powerauth_cli.separate import SeparateProcesses
from powerauth_protocol.common.encoding import b64encode

pytestmark = pytest.mark.faults

SETTINGS = NO_LIMITS | {
    "CORE_AUDIT_CHAIN_KEY": b64encode(bytes(range(32))),
    "CORE_DATABASE_POOL_SIZE": "4",
    "CORE_JOB_OPERATION_CLEANUP_MS": "200",
}
READS_ONLY = "unknown caller"
"""The one call that a server which cannot be written to can answer."""


@dataclass(kw_only=True)
class Failover(World):
    """With two database servers, and a switch between them and the services."""

    primary: PostgresServer
    standby: StandbyServer
    switch: Switch

    async def readiness(self, service: str) -> int:
        """The status with which a service says whether it can serve."""
        async with httpx2.AsyncClient() as http:
            url = f"{self.stack.processes[service].url}/actuator/health/readiness"
            return (await http.get(url)).status_code

    async def caught_up(self) -> None:
        """Wait until the standby has what the primary has now."""
        async with connected(self.primary.url) as primary, connected(self.standby.url) as standby:
            position = await primary.fetchval("SELECT pg_current_wal_lsn()::text")
            reached = f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"
            await until(lambda: standby.fetchval(reached), "the standby follows")


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[Failover]:
    with PostgresServer() as primary, StandbyServer(primary) as standby:
        async with (
            Switch(primary.port) as switch,
            SeparateProcesses(
                primary.url,
                settings=SETTINGS,
                through=f"postgresql+asyncpg://postgres@127.0.0.1:{switch.port}/postgres",
            ) as stack,
            world_of(stack, phones=3) as made,
        ):
            yield Failover(
                stack=stack,
                core=made.core,
                devices=made.devices,
                bank=made.bank,
                primary=primary,
                standby=standby,
                switch=switch,
            )


async def test_a_failover_to_a_server_that_only_reads_is_an_outage_that_ends_by_itself(
    world: Failover, http: Http
) -> None:
    calls = Calls(world, http, await world.devices[0].create_token(world.core.post))
    callers = calls.everywhere()
    writers = [caller for caller in callers if caller.name != READS_ONLY]
    before = running(world.stack)
    async with under_load(callers):
        await each(callers, Caller.served)
        # The first time back the old connections stay: only what they answer shows where they end.
        for cuts_on_the_way_back in (False, True):
            await world.caught_up()
            world.switch.lead_to(world.standby.port, cut=True)
            await each(writers, Caller.refused)
            await _all_say(world, 503)
            world.switch.lead_to(world.primary.port, cut=cuts_on_the_way_back)
            await each(callers, Caller.served)
            await _all_say(world, 200)
        await world.caught_up()
        world.switch.lead_to(world.standby.port, cut=True)
        await each(writers, Caller.refused)
        await asyncio.to_thread(world.standby.promote)
        await each(callers, Caller.served)
        await _all_say(world, 200)
    assert running(world.stack) == before
    all_were_told_to_come_again(callers)


async def _all_say(world: Failover, status: int) -> None:
    for service in ("core", "cloud"):

        async def says(service: str = service) -> bool:
            return await world.readiness(service) == status

        await until(says, f"{service} says {status}")
