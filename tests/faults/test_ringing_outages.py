"""What a bank announces rings, whoever falls over on the way; nothing rings twice or late.

`POWERAUTH_FAULTS_SCALE=50` makes as many times the load, and as many kills.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from fault_stack import NO_LIMITS, connected, server, until

from powerauth_cli.bench.operations import TEMPLATE, ensure_template
from powerauth_cli.bench.provision import CoreApi
from powerauth_cli.demo.bank import Bank, BankRefused
from powerauth_cli.fakes.equipment import Equipment
from powerauth_cli.fakes.stack import FakeProviders, fake_providers
from powerauth_cli.fakes.wire import Fault
from powerauth_cli.localservers import RabbitServer
from powerauth_cli.push_api import PushApi
from powerauth_cli.separate import SeparateProcesses, ServiceProcess

pytestmark = pytest.mark.faults

SCALE = max(1, int(os.environ.get("POWERAUTH_FAULTS_SCALE", "1")))
USER = "user-1"
PARAMETERS = {"amount": "100.00", "currency": "CZK"}
AT_A_TIME = 10
"""Messages that push has under way at most."""
SETTINGS = {
    **NO_LIMITS,
    "PUSH_SENDS_PER_PROVIDER": str(AT_A_TIME),
    "PUSH_DELIVERY_LEASE_SECONDS": "2",
    "PUSH_RETRY_LONGEST_SECONDS": "2",
    "PUSH_CAMPAIGN_PAGE_SIZE": "10",
    "PUSH_CAMPAIGN_QUEUE_SIZE": "20",
}
ADDRESSED = (
    """
    INSERT INTO push_device_registration (id, activation_id, user_id, app_id, platform, push_token,
        push_token_digest, timestamp_last_registered, is_active)
    SELECT nextval('push_device_registration_seq'), name, name, c.app_id, 'fcm', name,
        encode(sha256(name::bytea), 'hex'), now() AT TIME ZONE 'UTC', true
    FROM push_campaign c, generate_series(1, $2) AS n, concat('campaign-', n) AS name WHERE c.id = $1
    """,
    """
    INSERT INTO push_campaign_user (id, campaign_id, user_id, timestamp_created)
    SELECT nextval('push_campaign_user_seq'), $1, concat('campaign-', n), now() AT TIME ZONE 'UTC'
    FROM generate_series(1, $2) AS n
    """,
)
"""So many users of a campaign, each with a device."""
LEASES_ARE_OVER = (
    "DELETE FROM job_lease",
    "UPDATE push_delivery SET timestamp_due = timezone('UTC', now()) WHERE lease_owner IS NOT NULL",
)


@dataclass
class Way:
    """From the bank through cloud and push to a phone, with core's events over a broker."""

    broker: RabbitServer
    stack: SeparateProcesses
    fakes: FakeProviders
    bank: Bank
    login: tuple[str, str]
    api: PushApi
    application_id: str

    @property
    def push(self) -> ServiceProcess:
        """The process of the push service."""
        return self.stack.processes["push"]

    async def announce(self, bank: Bank | None = None, **more: object) -> str:
        """Make an operation that is to ring; its id.

        :param bank: asks another replica of the cloud service
        """
        made = await (bank or self.bank).call(
            "POST",
            "/v2/operations",
            {"userId": USER, "template": TEMPLATE["templateName"], "parameters": PARAMETERS, **more},
        )
        assert made["pushSent"] is True
        return str(made["operationId"])

    async def told(self) -> tuple[int, bool | None]:
        """What the bank is told when it makes an operation: HTTP status and ``pushSent``."""
        asked = {"userId": USER, "template": TEMPLATE["templateName"], "parameters": PARAMETERS}
        try:
            return 200, (await self.bank.call("POST", "/v2/operations", asked))["pushSent"]
        except BankRefused as refused:
            return refused.status, None

    def rung(self, kind: str = "mtoken.operationInit") -> Counter[str]:
        """How often each operation rang."""
        return Counter(
            shown.extras["operationId"]
            for shown in self.fakes.phones.inbox
            if shown.extras.get("messageType") == kind
        )

    async def all_ring(self, *operations: str) -> int:
        """Wait until each has rung and nothing is sent any more; how often all of them rang."""
        await until(lambda: set(operations) <= set(self.rung()), "an operation does not ring")
        waiting = {self.stack.cloud_database_url: "pa_cloud_push_outbox"}
        waiting[self.stack.push_database_url] = "push_delivery"
        for url, table in waiting.items():
            async with connected(url) as database:
                some = f"SELECT EXISTS (SELECT FROM {table})"
                await until(lambda: _none(database, some), f"{table} is never empty")  # noqa: B023
        return sum(self.rung()[operation] for operation in operations)

    def tokens(self, beginning: str) -> Counter[str]:
        """How often the phones of such tokens got something."""
        inbox = self.fakes.phones.inbox
        return Counter(shown.token for shown in inbox if shown.token.startswith(beginning))

    async def campaign(self, devices: int) -> int:
        """A campaign to as many devices, which has begun; its number."""
        asked = {"appId": self.application_id, "message": {"title": "News"}}
        number: int = (await self.api.call("POST", "/push/campaign/create", asked))["id"]
        async with connected(self.stack.push_database_url) as database:
            for statement in ADDRESSED:
                await database.execute(statement, number, devices)
        await self.api.call("POST", f"/push/campaign/send/live/{number}")
        return number

    async def progress(self, number: int) -> dict[str, Any]:
        """How far a campaign has come."""
        found: dict[str, Any] = await self.api.call("GET", f"/push/campaign/{number}/progress")
        return found

    @asynccontextmanager
    async def without(self, database_url: str) -> AsyncIterator[None]:
        """A database is not to be found meanwhile."""
        name = database_url.rpartition("/")[2]
        async with connected(server("TEST_POSTGRES_URL")) as postgres:
            await postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1"
            await postgres.fetch(end, name)
            await postgres.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_away"')
            try:
                yield
            finally:
                await postgres.execute(f'ALTER DATABASE "{name}_away" RENAME TO "{name}"')
                await postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


async def _none(database: asyncpg.Connection, some: str) -> bool:
    return not await database.fetchval(some)


@pytest.fixture(scope="module")
async def way() -> AsyncIterator[Way]:
    with RabbitServer() as broker:
        async with (
            fake_providers() as fakes,
            SeparateProcesses(
                server("TEST_POSTGRES_URL"),
                bus_url=broker.url,
                services=("core", "push", "cloud"),
                settings={**SETTINGS, **fakes.environment(fakes.authority.ca_file)},
            ) as stack,
        ):
            way = await _provisioned(broker, stack, fakes)
            yield way
            await way.bank.close()
            await way.api.close()


async def _provisioned(broker: RabbitServer, stack: SeparateProcesses, fakes: FakeProviders) -> Way:
    """With a bank whose only customer has a phone."""
    core, name = CoreApi(stack.core_url, stack.rest_credentials), f"ring-{uuid4().hex[:8]}"
    await core.call("application/create", applicationId=name)
    await ensure_template(core)
    await core.close()
    push = PushApi(stack.push_url, await stack.push_credentials("tests"))
    await Equipment(push, fakes).equip(name)
    device = {"appId": name, "token": "ring", "platform": "fcm", "activationId": str(uuid4())}
    await push.call("POST", "/push/device/create", device | {"userId": USER, "activationStatus": "ACTIVE"})
    admin = Bank(stack.cloud_url, *stack.admin)
    user = await admin.call("POST", "/admin/users", {"username": name})
    await admin.call("POST", f"/admin/users/{name}/applications/{name}")
    await admin.close()
    login = (user["username"], user["password"])
    return Way(broker, stack, fakes, Bank(stack.cloud_url, *login), login, push, name)


async def test_push_killed_under_load_loses_nothing_and_repeats_what_was_under_way(way: Way) -> None:
    gate, made = asyncio.Semaphore(8), []

    async def one() -> None:
        async with gate:
            made.append(await way.announce())

    way.fakes.fcm.faults.shares, way.fakes.fcm.faults.slow_seconds = {Fault.SLOW: 1.0}, 0.2
    load = asyncio.gather(*[one() for _ in range(60)])
    await until(lambda: len(way.rung().keys() & set(made)) >= 10)
    await way.push.kill()
    await load
    assert not way.rung().keys() >= set(made), "it was killed too late to tell"
    await way.push.start()
    times = await way.all_ring(*made)
    way.fakes.fcm.faults.shares = {}
    assert times - len(made) <= AT_A_TIME


async def test_while_push_is_away_operations_wait_for_it_until_they_end(way: Way) -> None:
    await way.push.stop()
    ends = time.time() + 2
    brief = await way.announce(timestampExpires=int(ends * 1000))
    waiting = [await way.announce() for _ in range(5)]
    decided = await way.announce()
    await way.bank.call("DELETE", f"/v2/operations/{decided}")
    await asyncio.sleep(max(ends - time.time(), 0))  # the operation's end is what is waited for
    await way.push.start()
    assert await way.all_ring(*waiting) == len(waiting)
    assert not {brief, decided} & set(way.rung())


async def test_a_killed_cloud_service_leaves_its_announcements_to_the_next(way: Way) -> None:
    await way.push.stop()
    made = [await way.announce() for _ in range(5)]
    cloud = way.stack.processes["cloud"]
    await cloud.kill()
    await way.push.start()
    await cloud.start()
    assert await way.all_ring(*made) == len(made)


async def test_an_outage_of_pushs_database_delays(way: Way) -> None:
    async with way.without(way.stack.push_database_url):
        made = [await way.announce() for _ in range(3)]
        assert not set(made) & set(way.rung())
    assert await way.all_ring(*made) == len(made)


async def test_an_outage_of_clouds_database_is_told_and_nothing_promised_is_lost(way: Way) -> None:
    async with way.without(way.stack.cloud_database_url):
        told = await way.told()
    assert told in ((200, False), (503, None))
    made = await way.announce()
    await way.all_ring(made)


async def test_what_happens_while_the_broker_is_away_is_told_when_it_is_back(way: Way) -> None:
    way.broker.stop()
    made = await way.announce()
    await way.all_ring(made)
    await way.bank.call("DELETE", f"/v2/operations/{made}")
    await asyncio.to_thread(way.broker.start)
    await until(lambda: way.rung("mtoken.operationFinished")[made] == 1, "the end does not ring")


async def test_a_campaign_goes_on_at_its_place_after_kills_and_no_device_gets_it_twice(way: Way) -> None:
    devices, kills = 40 * SCALE, SCALE
    way.fakes.fcm.faults.shares, way.fakes.fcm.faults.slow_seconds = {Fault.SLOW: 1.0}, 0.1
    number = await way.campaign(devices)
    for kill in range(1, kills + 1):
        wanted = devices * kill // (kills + 2)
        await until(lambda: len(way.tokens("campaign-")) >= wanted, "the campaign does not go on")  # noqa: B023
        await way.push.kill()
        async with connected(way.stack.push_database_url) as database:
            for statement in LEASES_ARE_OVER:
                await database.execute(statement)
        assert len(way.tokens("campaign-")) < devices, "it was killed too late to tell"
        await way.push.start()
    await until(lambda: _completed(way, number), "the campaign does not end")
    way.fakes.fcm.faults.shares = {}
    told, got = await way.progress(number), way.tokens("campaign-")
    assert (told["queued"], told["sent"] + told["failed"], told["pending"]) == (devices, devices, 0)
    assert set(got.values()) == {1}
    assert devices - len(got) <= told["failed"] <= kills * AT_A_TIME


async def _completed(way: Way, number: int) -> bool:
    return bool((await way.progress(number))["state"] == "COMPLETED")


@pytest.mark.parametrize("done", [False, True])
async def test_whatever_apple_resets_or_closes_every_message_arrives_under_one_name(
    way: Way, *, done: bool
) -> None:
    """Once where Apple has not done what it was asked; else again under the name by which it knows it."""
    token, user, faults = secrets.token_hex(32), f"apple-{done}", way.fakes.production.faults
    device = {"appId": way.application_id, "token": token, "platform": "apns", "environment": "production"}
    whose = {"activationId": str(uuid4()), "userId": user, "activationStatus": "ACTIVE"}
    await way.api.call("POST", "/push/device/create", device | whose)
    undone = (Fault.GOAWAY, Fault.RESET, Fault.REFUSE)
    faults.shares = dict.fromkeys((Fault.GOAWAY_DONE, Fault.RESET_DONE) if done else undone, 0.05)
    names = {str(number) for number in range(60 * SCALE)}
    gate = asyncio.Semaphore(8)

    async def send(name: str) -> None:
        body = {"title": "Hello", "extras": {"n": name}}
        message = {"userId": user, "body": body}
        asked = {"appId": way.application_id, "mode": "ASYNCHRONOUS", "message": message}
        async with gate:
            await way.api.call("POST", "/push/message/send", asked)

    await asyncio.gather(*map(send, names))
    await way.all_ring()
    faults.shares = {}
    shown = way.fakes.phones.shown(token)
    assert {one.extras["n"] for one in shown} == names
    assert len({(one.extras["n"], one.delivery) for one in shown}) == len(names)
    assert done or len(shown) == len(names)


async def test_two_clouds_on_one_outbox_ring_each_operation_once(way: Way) -> None:
    replica = way.stack.processes["cloud"].replica()
    await replica.start()
    banks = [way.bank, Bank(replica.url, *way.login)]
    try:
        await way.push.stop()
        made = [await way.announce(bank) for bank in banks * (5 * SCALE)]
        await way.push.start()
        made += [await way.announce(bank) for bank in banks * (5 * SCALE)]
        assert await way.all_ring(*made) == len(made)
    finally:
        await banks[1].close()
        await replica.stop()
