"""One replica of each service has a clock that is half a minute ahead, or behind: nobody notices."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fault_calls import World, world_of
from fault_cluster import Replicas, replicas
from fault_journeys import Customers
from fault_load import APPLICATION, TEMPLATE
from fault_proofs import Witnesses, tell
from fault_receiver import REACHES_THIS_MACHINE
from fault_stack import NO_LIMITS, server, until

from powerauth_cli.bench.provision import CoreApi, create_application
from powerauth_cli.localservers.programs import find_or_install
from powerauth_cli.separate import SeparateProcesses

pytestmark = [pytest.mark.faults, pytest.mark.soak]

MORE = 20
NEAR = timedelta(seconds=5)
USER = "lasting-0"
SERVICES = ("core", "push", "enrollment", "cloud")


def clock_off_by(seconds: int) -> dict[str, str]:
    """Environment variables of a process whose clock is wrong."""
    find_or_install("faketime", (), apt_package="faketime", brew_package="libfaketime")
    libraries = [
        *Path("/usr/lib").glob("*/faketime/libfaketime.so.1"),
        *Path("/usr/lib").glob("faketime/*.so.1"),
    ]
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": f"{seconds:+d}",
        # Time-outs are measured by a clock that nobody sets.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


async def at_the_next(world: World, path: str, **request: object) -> Any:
    """A call of the core by a connection of its own, which goes to the next replica."""
    core = CoreApi(world.core.base_url, world.core.auth)
    try:
        return await core.call(path, **request)
    finally:
        await core.close()


async def proximity_codes(world: World, count: int) -> int:
    """How many of the codes that one replica shows another one takes: they live for half a minute to one."""
    taken = 0
    for _ in range(count):
        created = await at_the_next(
            world,
            "operation/create",
            userId=USER,
            applications=[APPLICATION],
            templateName=TEMPLATE,
            parameters={"amount": "1", "currency": "CZK"},
            proximityCheckEnabled=True,
        )
        approved = await at_the_next(
            world,
            "operation/approve",
            operationId=created["id"],
            userId=USER,
            applicationId=APPLICATION,
            data=created["data"],
            signatureType="POSSESSION_KNOWLEDGE",
            additionalData={"proximity_otp": created["proximityOtp"]},
        )
        taken += approved["result"] == "APPROVED"
    return taken


@pytest.mark.parametrize("seconds", [30, -30])
async def test_a_clock_half_a_minute_off_changes_nothing(seconds: int) -> None:
    witnesses = Witnesses()
    async with (
        SeparateProcesses(
            server("TEST_POSTGRES_URL"),
            bus_url=server("TEST_RABBITMQ_URL"),
            services=SERVICES,
            settings=NO_LIMITS | REACHES_THIS_MACHINE,
            made_by=Replicas,
        ) as stack,
        world_of(stack, phones=0) as world,
        witnesses.listening(world),
    ):
        application = await create_application(world.core, APPLICATION)
        for name in SERVICES:
            await replicas(stack, name).replace(0, clock_off_by(seconds), by_request=False)
        customers = Customers(world, application.sdk_config, count=3, tries=1)
        async with world.database() as database:
            began = await database.fetchval("SELECT timezone('UTC', clock_timestamp())")
        async with customers.at_it() as told:
            await until(lambda: told.done["approvals"] >= MORE or told.failed, lambda: str(told))
            codes = await proximity_codes(world, 10)
        async with world.database() as database:
            ended = await database.fetchval("SELECT timezone('UTC', clock_timestamp())")
            created = [
                row["timestamp_created"]
                for row in await database.fetch("SELECT timestamp_created FROM pa_operation")
            ]
        figures = await witnesses.agree(world, told)
    tell(f"{seconds:+d} s: {told}; {figures}; proximity codes taken: {codes} of 10")
    assert not told.failed
    assert codes == 10
    assert began - NEAR < min(created)
    assert max(created) < ended + NEAR
