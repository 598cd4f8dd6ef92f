"""PostgreSQL goes away, or has no place, or somebody holds its rows: callers are told to come again, nothing
is lost, and nobody has to restart anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex

import asyncpg
import pytest
from fault_calls import (
    BANKS_OUTAGE,
    COME_AGAIN,
    PHONES_OUTAGE,
    Calls,
    World,
    each,
    nothing_was_lost,
    object_of,
    world_of,
)
from fault_load import Answer, Caller, Http, operation_of, under_load
from fault_stack import NO_LIMITS, outbox_is_empty, running, server, until, waiting_for_locks

from powerauth_cli.bench.provision import verify_body
from powerauth_cli.localservers import PostgresServer
from powerauth_cli.separate import SeparateProcesses
from powerauth_contracts.enums import OperationStatus
from powerauth_protocol.common.encoding import b64encode
from servicekit.bus import Event
from servicekit.bus.rabbitmq import RabbitBus

pytestmark = pytest.mark.faults

POOL = 4
SETTINGS = NO_LIMITS | {
    "CORE_AUDIT_CHAIN_KEY": b64encode(bytes(range(32))),
    "CORE_DATABASE_POOL_SIZE": str(POOL),
    "CORE_DATABASE_MAX_OVERFLOW": "0",
    "CORE_DATABASE_POOL_TIMEOUT_SECONDS": "1",
    "CORE_DATABASE_LOCK_TIMEOUT_SECONDS": "2",
    "CORE_DATABASE_STATEMENT_TIMEOUT_SECONDS": "3",
    "CORE_CALLER_CACHE_SECONDS": "1",
    "CORE_JOB_OPERATION_CLEANUP_MS": "200",
}
OUTAGES = 2
EXPIRED = OperationStatus.EXPIRED.code


@dataclass(kw_only=True)
class Outages(World):
    """With a database server that can be stopped."""

    postgres: PostgresServer


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[Outages]:
    heard: list[Event] = []

    async def hear(event: Event) -> None:
        heard.append(event)

    broker = server("TEST_RABBITMQ_URL")
    bus = RabbitBus(broker)
    await bus.subscribe(f"outages-{token_hex(6)}", ["operation.created", "operation.status_changed"], hear)
    await bus.start()
    # Durable, as in production: what was committed has to survive the stop.
    with PostgresServer(durable=True) as postgres:
        async with (
            SeparateProcesses(postgres.url, settings=SETTINGS | {"CORE_BUS_URL": broker}) as stack,
            world_of(stack, phones=10) as world,
        ):
            yield Outages(
                stack=stack,
                core=world.core,
                devices=world.devices,
                bank=world.bank,
                events=heard,
                postgres=postgres,
            )
    await bus.close()


async def test_an_outage_under_load_is_503_for_everybody_and_ends_by_itself(
    world: Outages, http: Http
) -> None:
    calls = Calls(world, http, await world.devices[0].create_token(world.core.post))
    core, phones, bank = calls.at_the_core(), calls.at_enrollment(), calls.at_the_cloud()
    callers = [*core, *phones, *bank]
    before = running(world.stack)
    async with under_load(callers):
        await each(callers, Caller.served)
        for _ in range(OUTAGES):
            world.postgres.stop()
            await each(callers, Caller.refused)
            await asyncio.to_thread(world.postgres.start)
            await each(callers, Caller.served)
    assert running(world.stack) == before
    for caller in core:
        refusals = {(a.status, a.code, a.retry_after) for a in caller.answers if not a.ok}
        assert refusals == {COME_AGAIN}, caller.name
    # An outage is never an authentication failure (spec/enrollment-api.md §4.7).
    remote = {(a.status, a.code) for caller in phones for a in caller.answers if not a.ok}
    assert remote - {COME_AGAIN[:2]} == {PHONES_OUTAGE}
    # The core's outage and the cloud's own are one to the bank (spec/cloud-api.md §1.5).
    cloud = {(a.status, a.code, a.retry_after) for caller in bank for a in caller.answers if not a.ok}
    assert cloud == {BANKS_OUTAGE}
    await nothing_was_lost(world, calls)


async def test_what_works_in_the_background_works_again_after_an_outage(world: Outages) -> None:
    world.postgres.stop()
    await asyncio.to_thread(world.postgres.start)
    async with world.database() as database:
        listener = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outbox listener'"
        await until(lambda: database.fetchval(listener), "somebody listens to the outbox again")
        await until(lambda: _is_served(world, "application/list"))
        expiring = operation_of("u")["requestObject"]
        operation = await world.core.call("operation/create", **expiring)
        await database.execute(
            "UPDATE pa_operation SET timestamp_expires = timestamp_created WHERE id = $1", operation["id"]
        )
        expired = f"SELECT status = {EXPIRED} FROM pa_operation WHERE id = $1"
        await until(lambda: database.fetchval(expired, operation["id"]), "the job expires the operation")
        await until(lambda: outbox_is_empty(database), "the outbox drains")


async def _is_served(world: Outages, path: str) -> bool:
    try:
        await world.core.call(path)
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def _held(world: Outages, statement: str, *values: object) -> AsyncIterator[asyncpg.Connection]:
    """Somebody holds what `statement` locks, while the block runs. Gives a second connection to look with."""
    async with world.database() as holder, world.database() as observer:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute(statement, *values)
        try:
            yield observer
        finally:
            await transaction.rollback()


async def test_an_exhausted_pool_is_503_in_bounded_time_and_recovers_with_the_lock(
    world: Outages, http: Http
) -> None:
    held = await world.operations(2 * POOL)
    lock = "SELECT 1 FROM pa_operation WHERE id = ANY($1) FOR UPDATE"

    async def cancel(operation_id: str) -> Answer:
        url, auth = world.rest("operation/cancel"), world.stack.rest_credentials
        return await http.post(url, object_of(operationId=operation_id), auth)

    async with _held(world, lock, held):
        # All of them are answered while the lock is still held.
        answers = await asyncio.gather(*map(cancel, held))
    assert {(answer.status, answer.code, answer.retry_after) for answer in answers} == {COME_AGAIN}
    assert [answer.status for answer in [await cancel(each) for each in held]] == [200] * len(held)


async def test_a_held_activation_is_503_and_keeps_no_other_waiting(world: Outages, http: Http) -> None:
    held, free = world.devices[3], world.devices[4]
    url, auth = world.rest("signature/verify"), world.stack.rest_credentials
    lock = "SELECT 1 FROM pa_activation WHERE activation_id = $1 FOR UPDATE"
    async with _held(world, lock, held.activation_id) as database:
        waiting = asyncio.create_task(http.post(url, verify_body(held, "POST", "/login", b"{}"), auth))
        await until(lambda: waiting_for_locks(database), "the check waits for the row")
        answers = [await http.post(url, verify_body(free, "POST", "/login", b"{}"), auth) for _ in range(3)]
        assert [answer.status for answer in answers] == [200] * 3
        refused = await waiting
    assert (refused.status, refused.code, refused.retry_after) == COME_AGAIN
    answer = await http.post(url, verify_body(held, "POST", "/login", b"{}"), auth)
    assert answer.member("signatureValid") is True


@pytest.fixture
async def slow_operations(world: Outages) -> AsyncIterator[str]:
    """A user whose operations the database takes longer to store than a statement may."""
    async with world.database() as database:
        await database.execute(
            """CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
               CREATE TRIGGER slow BEFORE INSERT ON pa_operation FOR EACH ROW
               WHEN (NEW.user_id = 'slow') EXECUTE FUNCTION be_slow()"""
        )
    yield "slow"
    async with world.database() as database:
        await database.execute("DROP TRIGGER slow ON pa_operation; DROP FUNCTION be_slow")


async def test_a_statement_that_takes_too_long_is_503(
    world: Outages, http: Http, slow_operations: str
) -> None:
    url, auth = world.rest("operation/create"), world.stack.rest_credentials
    refused = await http.post(url, operation_of(slow_operations), auth)
    assert (refused.status, refused.code, refused.retry_after) == COME_AGAIN
    assert (await http.post(url, operation_of("quick"), auth)).ok


async def test_a_core_that_is_killed_is_an_outage_for_phones_and_banks_until_it_is_back(
    world: Outages, http: Http
) -> None:
    calls = Calls(world, http, ("", b""))
    phones, bank = calls.at_enrollment()[:1], calls.at_the_cloud()
    core = world.stack.processes["core"]
    async with under_load([*phones, *bank]):
        await each([*phones, *bank], Caller.served)
        await core.kill()
        await each([*phones, *bank], Caller.refused)
        await core.start()
        await each([*phones, *bank], Caller.served)
    for caller, refusal in ((phones[0], (*PHONES_OUTAGE, None)), (bank[0], BANKS_OUTAGE)):
        assert {(a.status, a.code, a.retry_after) for a in caller.answers if not a.ok} == {refusal}


async def test_services_that_are_told_to_stop_end_well(world: Outages) -> None:
    assert {name: await each.stop() for name, each in world.stack.processes.items()} == {
        "core": 0,
        "enrollment": 0,
        "cloud": 0,
    }
