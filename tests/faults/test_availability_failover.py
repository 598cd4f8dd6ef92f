"""The primary dies under load, its standby takes over, and a while later the same the other way round."""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack

import pytest
from fault_calls import world_of
from fault_cluster import Replicas, all_running
from fault_journeys import FOR_GOOD, Customers, Told
from fault_load import APPLICATION
from fault_proofs import Witnesses, tell
from fault_receiver import REACHES_THIS_MACHINE
from fault_stack import NO_LIMITS, connected, server, until

from powerauth_cli.bench.provision import create_application
from powerauth_cli.localservers import PostgresServer, StandbyServer
from powerauth_cli.separate import SeparateProcesses

pytestmark = [pytest.mark.faults, pytest.mark.soak]

SETTINGS = (
    NO_LIMITS
    | REACHES_THIS_MACHINE
    | {
        "CORE_SIGNATURE_MAX_FAILED_ATTEMPTS": "64",
        "CORE_CALLBACKS_FORCE_RERUN_PERIOD_MS": "5000",
        "CORE_JOB_RERUN_STALE_CALLBACKS_MS": "1000",
        "CORE_JOB_DISPATCH_PENDING_CALLBACKS_MS": "500",
    }
)
MORE = 15


async def in_step(primary: PostgresServer) -> None:
    """From now on nothing is committed that the standby does not have."""
    async with connected(primary.url) as database:
        await database.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await database.execute("SELECT pg_reload_conf()")
        found = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        await until(lambda: database.fetchval(found), "the standby is synchronous")


async def served(told: Told, what: str) -> None:
    """Wait until some more approvals were made."""
    wanted = told.done["approvals"] + MORE
    await until(lambda: told.done["approvals"] >= wanted, lambda: f"{what}: {told}")


async def test_nothing_accepted_is_lost_from_primary_to_standby_and_back() -> None:
    witnesses = Witnesses()
    with ExitStack() as servers:
        primary = servers.enter_context(PostgresServer(durable=True))
        standby = servers.enter_context(StandbyServer(primary, durable=True))
        hosts = "&".join(f"host=127.0.0.1:{each.port}" for each in (primary, standby))
        async with AsyncExitStack() as stack:
            services = await stack.enter_async_context(
                SeparateProcesses(
                    primary.url,
                    bus_url=server("TEST_RABBITMQ_URL"),
                    settings=SETTINGS,
                    through=f"postgresql+asyncpg://postgres@/postgres?{hosts}&target_session_attrs=read-write",
                    made_by=Replicas,
                )
            )
            world = await stack.enter_async_context(world_of(services, phones=0))
            await stack.enter_async_context(witnesses.listening(world))
            application = await create_application(world.core, APPLICATION)
            customers = Customers(world, application.sdk_config, count=3, tries=FOR_GOOD)
            before = all_running(services)
            pauses = []
            async with customers.at_it() as told:
                await in_step(primary)
                await served(told, "with a standby")
                primary.stop()
                standby.promote()
                await served(told, "at the standby")
                pauses.append(told.longest_pause)
                told.moments.clear()
                # What the dead one had and nobody else is of no use: its place is taken by a copy.
                primary.close()
                returned = servers.enter_context(StandbyServer(standby, durable=True, port=primary.port))
                await in_step(standby)
                await served(told, "with a standby again")
                standby.stop()
                returned.promote()
                await served(told, "back")
                pauses.append(told.longest_pause)
            assert all_running(services) == before
            figures = await witnesses.agree(world, told)
    tell(f"without an approval: {', '.join(f'{each:.1f} s' for each in pauses)}; {told}; {figures}")
