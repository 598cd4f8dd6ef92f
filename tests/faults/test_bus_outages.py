"""The broker stops, the relay and consumers are killed: each event is handled, its effect happens once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from secrets import token_hex
from typing import Any

import aio_pika
import asyncpg
import pytest
from fault_consumer import (
    AFTER_COMMIT,
    BEFORE_COMMIT,
    DEADLY,
    MAX_DELIVERIES,
    POISON,
    ConsumerProcess,
    consuming,
    create_tables,
    deliveries,
    effects,
)
from fault_load import Answer, Caller, Http, approval_at_the_door, operation_of, set_up, under_load
from fault_stack import NO_LIMITS, connected, outbox_is_empty, running, server, until, waiting_for_locks

from powerauth_cli.bench.provision import BenchPhone, CoreApi, activate, verify_body
from powerauth_cli.localservers import RabbitServer
from powerauth_cli.separate import SeparateProcesses, new_database
from powerauth_core.events import ACTIVATION_STATUS_CHANGED, OPERATION_CREATED, OPERATION_STATUS_CHANGED
from servicekit.database import Database
from servicekit.outbox import pending

pytestmark = pytest.mark.faults

SETTLED_SECONDS = 2
"""The broker writes the name of a new queue to disk up to half a second later; killed before, it loses it."""


@dataclass
class World:
    """A core and a consumer's database on a broker that may be stopped."""

    broker: RabbitServer
    stack: SeparateProcesses
    core: CoreApi
    devices: list[BenchPhone]
    outbox: Database
    effects: Database

    def rest(self, path: str) -> str:
        """An endpoint of the core."""
        return f"{self.stack.core_url}/rest/v3/{path}"

    async def create(self, user_id: str) -> str:
        """A new operation's id."""
        created = await self.core.call("operation/create", **operation_of(user_id)["requestObject"])
        return str(created["id"])

    def database(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection to the core's database."""
        return connected(self.stack.core_database_url)

    async def effects_of(self, subject: str) -> list[dict[str, Any]]:
        """What the events of one operation or activation caused."""
        return [effect for effect in await effects(self.effects) if effect["subject"] == subject]


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    postgres = server("TEST_POSTGRES_URL")
    with RabbitServer() as broker:
        async with SeparateProcesses(
            postgres, bus_url=broker.url, services=("core",), settings=NO_LIMITS
        ) as stack:
            core = CoreApi(stack.core_url, stack.rest_credentials)
            application = await set_up(core)
            devices = [await activate(core, application, f"user-{number}") for number in range(4)]
            outbox = Database(stack.core_database_url)
            own = Database(await new_database(postgres, f"effects_{token_hex(6)}"))
            await create_tables(own)
            yield World(broker, stack, core, devices, outbox, own)
            await outbox.dispose()
            await own.dispose()
            await core.close()


@pytest.fixture
def service() -> str:
    """A consuming service that no other test has."""
    return f"faults-{token_hex(6)}"


def _consuming(world: World, service: str, *options: str) -> AbstractAsyncContextManager[ConsumerProcess]:
    url = world.effects.url.render_as_string(hide_password=False)
    return consuming(world.broker.url, url, service, *options)


def _consumer(world: World, service: str) -> ConsumerProcess:
    url = world.effects.url.render_as_string(hide_password=False)
    return ConsumerProcess(world.broker.url, url, service)


class Calls:
    """What changes states, and what must not notice anything."""

    def __init__(self, world: World, http: Http) -> None:
        self._world = world
        self._http = http
        self.expected: Counter[tuple[str, str]] = Counter()
        self._blocked = False

    def callers(self) -> list[Caller]:
        """One of each kind."""
        return [
            Caller("verify", self._verify),
            Caller("operation", self._operation),
            Caller("activation", self._activation),
        ]

    async def _rest(self, path: str, content: object) -> Answer:
        return await self._http.post(self._world.rest(path), content, self._world.stack.rest_credentials)

    async def _verify(self) -> Answer:
        return await self._rest(
            "signature/verify", verify_body(self._world.devices[0], "POST", "/login", b"{}")
        )

    async def _operation(self) -> Answer:
        device = self._world.devices[1]
        created = await self._rest("operation/create", operation_of(device.user_id))
        if not created.ok:
            return created
        operation = {name: str(created.member(name)) for name in ("id", "data")}
        self.expected[OPERATION_CREATED, operation["id"]] += 1
        url = f"{self._world.stack.core_url}/dmz/v1/signed/operation/approve"
        door = self._world.stack.dmz_credentials
        approved = await self._http.post(url, approval_at_the_door(device, operation), door)
        if approved.ok:
            assert approved.member("result") == "APPROVED"
            self.expected[OPERATION_STATUS_CHANGED, operation["id"]] += 1
        return approved

    async def _activation(self) -> Answer:
        activation_id = self._world.devices[2].activation_id
        path = "activation/unblock" if self._blocked else "activation/block"
        answer = await self._rest(path, {"requestObject": {"activationId": activation_id}})
        if answer.ok:
            self._blocked = not self._blocked
            self.expected[ACTIVATION_STATUS_CHANGED, activation_id] += 1
        return answer


async def test_a_stopped_broker_stops_nobody_and_no_event_is_lost(
    world: World, http: Http, service: str
) -> None:
    calls = Calls(world, http)
    callers = calls.callers()
    before = running(world.stack)

    async def served(count: int) -> None:
        marks = [len(caller.answers) for caller in callers]
        await until(lambda: all(c.served(m) >= count for c, m in zip(callers, marks, strict=True)))

    async with _consuming(world, service), under_load(callers):
        await served(3)
        await asyncio.sleep(SETTLED_SECONDS)
        world.broker.stop()
        await served(10)
        assert await pending(world.outbox) > 0
        await asyncio.to_thread(world.broker.start)
        await served(3)
    async with world.database() as database, _consuming(world, service):
        await until(lambda: outbox_is_empty(database), "the outbox drains")
        await until(lambda: _all_happened(world, calls.expected), "all effects")
    assert {answer.status for caller in callers for answer in caller.answers} == {200}
    assert running(world.stack) == before
    happened = await effects(world.effects)
    assert max(Counter(effect["event_id"] for effect in happened).values()) == 1
    await _times_tell_the_order(world, calls)


async def _all_happened(world: World, expected: Counter[tuple[str, str]]) -> bool:
    happened = Counter((effect["type"], effect["subject"]) for effect in await effects(world.effects))
    return expected <= happened


async def _times_tell_the_order(world: World, calls: Calls) -> None:
    """No order of arrival is promised: an event itself says when the change happened (design §6)."""
    changes = await world.effects_of(world.devices[2].activation_id)
    data = [effect["data"] for effect in sorted(changes, key=lambda effect: effect["time"])]
    assert [each["timestampChange"] for each in data] == sorted(each["timestampChange"] for each in data)
    for earlier, later in pairwise(data):
        assert later["previousStatus"] == earlier["activationStatus"]
    for kind, subject in calls.expected:
        if kind == OPERATION_STATUS_CHANGED:
            steps = sorted(await world.effects_of(subject), key=lambda effect: effect["time"])
            assert [step["data"]["status"] for step in steps] == ["PENDING", "APPROVED"]


@asynccontextmanager
async def _held_deletes(world: World) -> AsyncIterator[asyncpg.Connection]:
    """The relay cannot delete what the broker has confirmed, while the block runs."""
    async with world.database() as holder:
        await holder.execute(
            """CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
               CREATE TRIGGER hold BEFORE DELETE ON outbox_event FOR EACH STATEMENT EXECUTE FUNCTION hold()"""
        )
        await holder.execute("SELECT pg_advisory_lock(4711)")
        try:
            yield holder
        finally:
            await holder.execute("SELECT pg_advisory_unlock(4711)")
            await holder.execute("DROP TRIGGER hold ON outbox_event; DROP FUNCTION hold")


async def test_a_relay_killed_between_publishing_and_deleting_publishes_again(
    world: World, service: str
) -> None:
    core = world.stack.processes["core"]
    async with _consuming(world, service):
        async with _held_deletes(world) as database:
            operation_id = await world.create("somebody")
            await until(lambda: world.effects_of(operation_id), "the event is published")
            await until(lambda: waiting_for_locks(database, "advisory"), "the relay deletes")
            await core.kill()
        (event,) = await world.effects_of(operation_id)
        assert await pending(world.outbox) == 1
        await core.start()
        async with world.database() as database:
            await until(lambda: outbox_is_empty(database), "the new relay publishes")
        await until(lambda: _came_again(world, event), "the event comes again")
        assert len(await world.effects_of(operation_id)) == 1


async def _came_again(world: World, event: dict[str, object]) -> bool:
    return await deliveries(world.effects, str(event["event_id"])) >= 2


@pytest.mark.parametrize("moment", [BEFORE_COMMIT, AFTER_COMMIT])
async def test_a_consumer_killed_at_work_leaves_the_event_to_the_next(
    world: World, service: str, moment: str
) -> None:
    async with _consuming(world, service, "--stumbles") as consumer:
        operation_id = await world.create(moment)
        _, event_id = (await consumer.line()).split()
        happened = await world.effects_of(operation_id)
        assert len(happened) == (1 if moment == AFTER_COMMIT else 0)
        await consumer.kill()
    async with _consuming(world, service):
        await until(lambda: _came_again(world, {"event_id": event_id}), "the event comes again")
        await until(lambda: world.effects_of(operation_id), "its effect happens")
        # Whatever follows it has been handled after it.
        later = await world.create("somebody")
        await until(lambda: world.effects_of(later))
    assert len(await world.effects_of(operation_id)) == 1


async def test_an_event_that_always_fails_is_put_aside_and_holds_nobody_up(
    world: World, service: str
) -> None:
    async with _consuming(world, service):
        poisoned = await world.create(POISON)
        good = [await world.create("somebody") for _ in range(3)]
        for operation_id in good:
            await until(partial(world.effects_of, operation_id))
        (dead,) = await _dead_letters(world, service)
    assert json.loads(dead)["subject"] == poisoned
    assert await world.effects_of(poisoned) == []


async def test_an_event_that_kills_its_consumers_takes_no_other_with_it(world: World, service: str) -> None:
    async with _consuming(world, service):
        pass  # Now it has a queue.
    good = [await world.create("somebody") for _ in range(3)]
    deadly = await world.create(DEADLY)
    good += [await world.create("somebody") for _ in range(6)]
    async with world.database() as database:
        await until(lambda: outbox_is_empty(database), "all are in the queue")
    for _ in range(MAX_DELIVERIES):
        consumer = _consumer(world, service)
        await consumer.launch()
        assert await consumer.death() == 1
    async with _consuming(world, service):
        for operation_id in good:
            await until(partial(world.effects_of, operation_id))
        (dead,) = await _dead_letters(world, service)
    assert json.loads(dead)["subject"] == deadly


async def _dead_letters(world: World, service: str) -> list[bytes]:
    """Wait for dead letters and take them all."""
    async with await aio_pika.connect(world.broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(f"{service}.events.dead")
        found: list[bytes] = []

        async def take() -> bool:
            while (message := await queue.get(fail=False, no_ack=True)) is not None:
                found.append(message.body)
            return bool(found)

        await until(take, "a dead letter")
        return found
