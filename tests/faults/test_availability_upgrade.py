"""Replicas of the release before are replaced by this one under load, one after the other, and back again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_calls import World, world_of
from fault_cluster import DRAINED, REPLICAS, Replicas, replicas
from fault_journeys import Customers, Told
from fault_load import APPLICATION
from fault_proofs import Witnesses, tell
from fault_receiver import REACHES_THIS_MACHINE
from fault_releases import EarlierStack, Release, command, releases, taken_out
from fault_stack import NO_LIMITS, connected, server, until

from powerauth_cli.bench.provision import create_application
from servicekit import migrations

pytestmark = pytest.mark.faults

LOCATIONS = {
    "core": "powerauth_core:migrations",
    "cloud": "cloud_private_api:migrations",
    "push": "powerauth_push:migrations",
}
SERVICES = ("core", "push", "enrollment", "cloud")
"""One replica of each is replaced at the same time: nobody waits for anybody."""
MORE = 6
"""Approvals while one replica is replaced, and before the next one is."""


def test_the_revisions_of_every_release_are_among_ours() -> None:
    for release in releases():
        assert release.schema.keys() == LOCATIONS.keys()
        for name, revision in release.schema.items():
            assert revision in migrations.history(LOCATIONS[name]), release


@dataclass
class Upgrade:
    """A stack of the release before.

    :ivar before: environment variables of its processes
    """

    world: World
    release: Release
    before: dict[str, str]

    @property
    def databases(self) -> dict[str, str]:
        """URL by service."""
        stack = self.world.stack
        return {
            "core": stack.core_database_url,
            "cloud": stack.cloud_database_url,
            "push": stack.push_database_url,
        }

    async def migrate(self) -> None:
        """As an operator does it before the first process of the new release."""
        for name, url in self.databases.items():
            await command("db", "migrate", name, **{f"{name.upper()}_DATABASE_URL": url})

    async def leads_back(self) -> bool:
        """Whether nothing was taken away that the release before needs."""
        for url in self.databases.values():
            async with connected(url) as database:
                if await database.fetchval("SELECT count(minimum_release) FROM pa_schema_history"):
                    return False
        return True

    async def revisions(self) -> dict[str, str]:
        """The last one of each database."""
        found = {}
        for name, url in self.databases.items():
            async with connected(url) as database:
                found[name] = await database.fetchval("SELECT max(revision) FROM pa_schema_history")
        return found


@pytest.fixture
async def upgrade(tmp_path: Path) -> AsyncIterator[Upgrade]:
    release = releases()[0]
    before = taken_out(release, tmp_path)
    async with (
        EarlierStack(
            server("TEST_POSTGRES_URL"),
            before,
            NO_LIMITS | REACHES_THIS_MACHINE,
            bus_url=server("TEST_RABBITMQ_URL"),
            services=SERVICES,
            made_by=Replicas,
        ) as stack,
        world_of(stack, phones=0) as world,
    ):
        yield Upgrade(world, release, before)


async def served(told: Told) -> None:
    """Wait until some more approvals were made, or something was not."""
    wanted = told.done["approvals"] + MORE
    await until(lambda: told.done["approvals"] >= wanted or told.failed, f"approvals go on: {told}")


@pytest.mark.soak
async def test_replicas_are_replaced_by_the_next_release_and_back_without_a_failed_request(
    upgrade: Upgrade,
) -> None:
    world, release, witnesses = upgrade.world, upgrade.release, Witnesses()
    application = await create_application(world.core, APPLICATION)
    customers = Customers(world, application.sdk_config, count=3, tries=1)
    assert await upgrade.revisions() == release.schema
    ends: list[int] = []

    async def replace_all(told: Told, settings: dict[str, str], *, by_request: bool) -> None:
        for number in range(REPLICAS):
            every = [replicas(world.stack, name) for name in SERVICES]
            ends.extend(
                await asyncio.gather(
                    *[each.replace(number, settings, by_request=by_request) for each in every]
                )
            )
            await served(told)
            assert not told.failed, (number, str(told))

    async with witnesses.listening(world):
        async with customers.at_it() as told:
            await served(told)
            await upgrade.migrate()
            await served(told)
            after = {f"{name.upper()}_MIGRATE_ON_START": "false" for name in LOCATIONS}
            await replace_all(told, after | DRAINED | {"PYTHONPATH": ""}, by_request=not release.drains)
            there = dict(told.done)
            if await upgrade.leads_back():
                await replace_all(told, after | upgrade.before, by_request=False)
        figures = await witnesses.agree(world, told)
    tell(f"there: {there}; in all: {told}; {figures}")
    assert not told.failed
    assert set(ends) == {0}
