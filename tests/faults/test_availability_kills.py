"""Two replicas of each service, one of which is killed every few seconds; clients come again, as SDKs do."""

from __future__ import annotations

import asyncio
import os
import time

import pytest
from fault_calls import world_of
from fault_cluster import Replicas, replicas
from fault_journeys import FOR_GOOD, Customers
from fault_load import APPLICATION
from fault_proofs import Witnesses, tell
from fault_receiver import REACHES_THIS_MACHINE
from fault_stack import NO_LIMITS, server, until

from powerauth_cli.bench.provision import create_application
from powerauth_cli.separate import SeparateProcesses

pytestmark = pytest.mark.faults

SCALE = max(1, int(os.environ.get("POWERAUTH_SOAK_SCALE", "1")))
SECONDS = 15 * SCALE
EVERY_SECONDS = 5
SETTINGS = (
    NO_LIMITS
    | REACHES_THIS_MACHINE
    | {
        "CORE_SIGNATURE_MAX_FAILED_ATTEMPTS": "64",  # what was repeated on the way counts as failed
        # A killed core's callbacks are the other one's after this time, not after a minute and a quarter.
        "CORE_CALLBACKS_FORCE_RERUN_PERIOD_MS": "5000",
        "CORE_JOB_RERUN_STALE_CALLBACKS_MS": "1000",
        "CORE_JOB_DISPATCH_PENDING_CALLBACKS_MS": "500",
    }
)


async def test_nothing_is_lost_or_counted_twice_while_one_replica_after_the_other_is_killed() -> None:
    services = ("core", "enrollment", "cloud") if SCALE == 1 else ("core", "push", "enrollment", "cloud")
    witnesses, kills = Witnesses(), 0
    async with (
        SeparateProcesses(
            server("TEST_POSTGRES_URL"),
            bus_url=server("TEST_RABBITMQ_URL"),
            services=services,
            settings=SETTINGS,
            made_by=Replicas,
        ) as stack,
        world_of(stack, phones=0) as world,
        witnesses.listening(world),
    ):
        application = await create_application(world.core, APPLICATION)
        customers = Customers(world, application.sdk_config, count=3, tries=FOR_GOOD)
        async with customers.at_it() as told:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                name = services[kills % len(services)]
                await replicas(stack, name).die(kills // len(services) % 2)
                kills += 1
                await asyncio.sleep(EVERY_SECONDS)
            made = told.done["approvals"]
            await until(lambda: told.done["approvals"] > made + 3, "approvals go on")
        figures = await witnesses.agree(world, told)
    tell(f"{kills} killed in {SECONDS} s; {told}; {figures}")
