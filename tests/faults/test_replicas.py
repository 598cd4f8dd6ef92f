"""Two cores on one database: jobs and callbacks are done by one of them, and by the other when that dies;
signatures of one phone are checked by both.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex

import asyncpg
import pytest
from fault_load import operation_of, set_up
from fault_receiver import REACHES_THIS_MACHINE, Receiver, register
from fault_stack import NO_LIMITS, connect, further_core, server, until

from powerauth_cli.bench.provision import Application, CoreApi, activate
from powerauth_cli.integrations import ensure_integration
from powerauth_cli.separate import ServiceProcess, new_database
from powerauth_core.migrations import SCRIPT_LOCATION
from servicekit import migrations
from servicekit.serving import BackgroundServer

pytestmark = pytest.mark.faults

TABLE = "pa_temporary_key"
"""Where the job of expired temporary keys works; locked, it stops the job in the middle."""
OFTEN = "50"
SETTINGS = (
    NO_LIMITS
    | REACHES_THIS_MACHINE
    | {
        "CORE_DATABASE_LOCK_TIMEOUT_SECONDS": "100",
        "CORE_DATABASE_STATEMENT_TIMEOUT_SECONDS": "100",
        "CORE_JOB_TEMPORARY_KEY_CLEANUP_MS": OFTEN,
        "CORE_JOB_DISPATCH_PENDING_CALLBACKS_MS": OFTEN,
        "CORE_JOB_RERUN_STALE_CALLBACKS_MS": OFTEN,
    }
)
OPERATIONS = 40
PAIRS = 100


@dataclass
class World:
    """Two replicas, told apart by their database users."""

    replicas: dict[str, ServiceProcess]
    cores: list[CoreApi]
    database: asyncpg.Connection
    database_url: str
    receiver: Receiver
    application: Application

    async def create(self, count: int) -> list[str]:
        """Operations, each created at the next replica."""
        created = [
            self.cores[number % len(self.cores)].call(
                "operation/create", **operation_of("u")["requestObject"]
            )
            for number in range(count)
        ]
        return [operation["id"] for operation in await asyncio.gather(*created)]

    async def deliveries(self, operation_ids: list[str]) -> list[asyncpg.Record]:
        """The deliveries of these operations' callbacks."""
        rows = await self.database.fetch("SELECT * FROM pa_application_callback_event")
        return [row for row in rows if json.loads(row["callback_data"])["operationId"] in operation_ids]

    async def all_are(self, status: str, operation_ids: list[str]) -> bool:
        """Whether each operation's callback has come to this."""
        found = await self.deliveries(operation_ids)
        return len(found) == len(operation_ids) and all(row["status"] == status for row in found)


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    receiver = Receiver()
    url = await new_database(server("TEST_POSTGRES_URL"), f"replicas_{token_hex(6)}")
    await migrations.upgrade(url, SCRIPT_LOCATION)
    credentials = await ensure_integration("bank", "rest", database_url=url)
    database = await connect(url)
    replicas: dict[str, ServiceProcess] = {}
    async with BackgroundServer(receiver) as bank:
        try:
            for user in (f"replica_a_{token_hex(6)}", f"replica_b_{token_hex(6)}"):
                await database.execute(f'CREATE ROLE "{user}" SUPERUSER LOGIN')
                replicas[user] = further_core(url.replace("://postgres@", f"://{user}@"), SETTINGS)
            await asyncio.gather(*[replica.start() for replica in replicas.values()])
            cores = [CoreApi(replica.url, credentials) for replica in replicas.values()]
            application = await set_up(cores[0])
            assert isinstance(application, Application)
            await register(cores[0], bank.url)
            yield World(replicas, cores, database, url, receiver, application)
            for core in cores:
                await core.close()
        finally:
            for replica in replicas.values():
                await replica.stop()
            await database.close()


async def _users(world: World, condition: str) -> list[str]:
    """Database users of the sessions that meet a condition, one for each session."""
    rows = await world.database.fetch(
        "SELECT usename FROM pg_stat_activity s WHERE datname = current_database()"
        f" AND pid <> pg_backend_pid() AND {condition}"
    )
    return [row["usename"] for row in rows]


@asynccontextmanager
async def _held_table(world: World) -> AsyncIterator[None]:
    """Whoever works on the table waits, while the block runs."""
    holder = await connect(world.database_url)
    try:
        async with holder.transaction():
            await holder.execute(f"LOCK TABLE {TABLE} IN SHARE MODE")
            yield
    finally:
        await holder.close()


async def _working_on(world: World) -> list[str]:
    """Who waits for the held table."""
    return await _users(world, f"wait_event_type = 'Lock' AND query LIKE '%{TABLE}%'")


async def test_a_job_runs_on_one_replica_and_on_the_other_when_that_is_killed(world: World) -> None:
    async with _held_table(world):
        await until(lambda: _working_on(world), "a replica runs the job")
        # Both try twenty times a second.
        seen = set()
        for _ in range(40):
            await asyncio.sleep(0.02)
            seen.add(tuple(await _working_on(world)))
        ((runner,),) = seen
        other = next(user for user in world.replicas if user != runner)
        await world.replicas[runner].kill()
        await until(lambda: _is_at_it(world, other), "the other replica runs the job")
    await world.replicas[runner].start()


async def _is_at_it(world: World, user: str) -> bool:
    return user in await _working_on(world)


async def test_two_replicas_check_signatures_of_one_phone_at_the_same_time(world: World) -> None:
    """Whichever comes first: the newer one is right, the older one right or passed over, none an error."""
    device = await activate(world.cores[0], world.application, "alice")
    older_ones_right = 0
    for pair in range(PAIRS):
        signed = [device.sign(b"{}", uri_id="/login") for _ in world.cores]
        cores = world.cores if pair % 2 else world.cores[::-1]
        older, newer = await asyncio.gather(
            *[core.call("signature/verify", **each.request) for core, each in zip(cores, signed, strict=True)]
        )
        assert newer["signatureValid"], pair
        older_ones_right += older["signatureValid"]
    rows = await world.database.fetch(
        "SELECT valid FROM pa_signature_audit WHERE activation_id = $1", device.activation_id
    )
    assert len(rows) == 2 * PAIRS
    assert sum(row["valid"] for row in rows) == PAIRS + older_ones_right


async def test_two_replicas_send_each_callback_once(world: World) -> None:
    mark = len(world.receiver.received)
    operations = await world.create(OPERATIONS)
    await until(lambda: world.all_are("COMPLETED", operations), "all are delivered")
    keys = world.receiver.received[mark:]
    assert len(keys) == len(set(keys)) == OPERATIONS
    assert {world.receiver.bodies[key] for key in keys} == set(operations)
    assert {row["attempts"] for row in await world.deliveries(operations)} == {1}


async def test_two_replicas_repeat_each_refused_callback_once(world: World) -> None:
    mark = len(world.receiver.received)
    world.receiver.refusing = True
    operations = await world.create(OPERATIONS)
    await until(lambda: world.all_are("COMPLETED", operations), "all are delivered")
    world.receiver.refusing = False
    assert set(Counter(world.receiver.received[mark:]).values()) == {2}
    assert {row["attempts"] for row in await world.deliveries(operations)} == {2}


async def test_a_callback_whose_replica_is_killed_is_sent_by_the_other(world: World) -> None:
    world.receiver.answering.clear()
    mark = len(world.receiver.received)
    operation = await world.cores[0].call("operation/create", **operation_of("u")["requestObject"])
    await until(lambda: len(world.receiver.received) > mark, "the delivery is under way")
    sender = next(iter(world.replicas.values()))
    await sender.kill()
    world.receiver.answering.set()
    (lost,) = await world.deliveries([operation["id"]])
    assert (lost["status"], lost["attempts"]) == ("PROCESSING", 0)
    assert lost["timestamp_rerun_after"] is not None
    # The time after which nobody waits for the outcome any more is over (spec/core-api.md §18.4).
    await world.database.execute(
        "UPDATE pa_application_callback_event SET timestamp_rerun_after = timestamp_created WHERE id = $1",
        lost["id"],
    )
    await until(lambda: world.all_are("COMPLETED", [operation["id"]]), "the other replica sends it")
    keys = world.receiver.received[mark:]
    # Sent again under the same key; an attempt without an outcome is not counted.
    assert keys == [lost["idempotency_key"]] * 2
    (sent,) = await world.deliveries([operation["id"]])
    assert (sent["attempts"], sent["timestamp_rerun_after"]) == (1, None)
    assert sent["timestamp_last_call"] > lost["timestamp_last_call"]
    assert sent["timestamp_delete_after"] is not None
