"""A core that is told to stop finishes what it has accepted; the rest waits where the next one finds it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from secrets import token_hex

import asyncpg
import pytest
from fault_load import Answer, Caller, Http, operation_of, set_up, under_load
from fault_receiver import REACHES_THIS_MACHINE, Receiver, register
from fault_stack import NO_LIMITS, connected, outbox_is_empty, server, until, waiting_for_locks

from powerauth_cli.bench.provision import BenchPhone, CoreApi, activate, verify_body
from powerauth_cli.separate import SeparateProcesses, ServiceProcess
from servicekit.bus import Event
from servicekit.bus.rabbitmq import RabbitBus
from servicekit.serving import BackgroundServer

pytestmark = pytest.mark.faults

HELD = 4
PATIENT = {
    "CORE_DATABASE_LOCK_TIMEOUT_SECONDS": "100",
    "CORE_DATABASE_STATEMENT_TIMEOUT_SECONDS": "100",
    "CORE_GRACEFUL_SHUTDOWN_SECONDS": "100",
}
"""What is held here is let go by the test, not by time."""


@dataclass
class World:
    """A core, the bank's end of its callbacks, and what was heard of its events."""

    stack: SeparateProcesses
    api: CoreApi
    device: BenchPhone
    receiver: Receiver
    events: list[Event]

    @property
    def core(self) -> ServiceProcess:
        """The process."""
        return self.stack.processes["core"]

    async def call(self, http: Http, path: str, content: object) -> Answer:
        """A bank's call."""
        return await http.post(f"{self.stack.core_url}/rest/v3/{path}", content, self.stack.rest_credentials)

    def database(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection to the core's database."""
        return connected(self.stack.core_database_url)


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    heard: list[Event] = []

    async def hear(event: Event) -> None:
        heard.append(event)

    broker = server("TEST_RABBITMQ_URL")
    bus = RabbitBus(broker)
    await bus.subscribe(f"shutdown-{token_hex(6)}", ["operation.created", "operation.status_changed"], hear)
    await bus.start()
    receiver = Receiver()
    settings = NO_LIMITS | REACHES_THIS_MACHINE | PATIENT
    async with (
        SeparateProcesses(
            server("TEST_POSTGRES_URL"), bus_url=broker, services=("core",), settings=settings
        ) as stack,
        BackgroundServer(receiver) as bank,
    ):
        api = CoreApi(stack.core_url, stack.rest_credentials)
        device = await activate(api, await set_up(api), "user")
        await register(api, bank.url)
        yield World(stack, api, device, receiver, heard)
        await api.close()
    await bus.close()


async def _is_closed(world: World) -> bool:
    """Whether nobody is let in any more."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", world.core.port)
    except OSError:
        return True
    writer.close()
    return False


async def test_what_was_accepted_is_finished_before_the_end(world: World, http: Http) -> None:
    operations = [
        (await world.api.call("operation/create", **operation_of("u")["requestObject"]))["id"]
        for _ in range(HELD)
    ]
    calls: list[tuple[str, object]] = [
        ("operation/cancel", {"requestObject": {"operationId": operation_id}}) for operation_id in operations
    ]
    calls.append(("signature/verify", verify_body(world.device, "POST", "/login", b"{}")))
    async with world.database() as holder, world.database() as observer:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM pa_operation FOR UPDATE")
            await holder.execute("SELECT 1 FROM pa_activation FOR UPDATE")
            waiting = [asyncio.create_task(world.call(http, *call)) for call in calls]
            await until(lambda: _at_least(observer, len(calls)), "all are at work")
            stopping = asyncio.create_task(world.core.stop())
            await until(lambda: _is_closed(world), "the core lets nobody in")
            assert not any(task.done() for task in [*waiting, stopping])
        answers = await asyncio.gather(*waiting)
        assert await stopping == 0
        assert [answer.status for answer in answers] == [200] * len(calls)
        assert answers[-1].member("signatureValid") is True
        # Their callbacks were delivered or wait for the next process; none is left half done.
        states = await observer.fetch("SELECT DISTINCT status FROM pa_application_callback_event")
        assert {row["status"] for row in states} <= {"COMPLETED", "PENDING"}
    await world.core.start()
    await _everything_went_out(world, {("operation.status_changed", each) for each in operations})


async def _at_least(database: asyncpg.Connection, count: int) -> bool:
    return await waiting_for_locks(database) >= count


async def _everything_went_out(world: World, wanted: set[tuple[str, str]]) -> None:
    def missing() -> set[tuple[str, str]]:
        return wanted - {(event.type, event.subject) for event in world.events}

    async with world.database() as database:
        await until(lambda: outbox_is_empty(database), "the outbox drains")
        await until(lambda: not missing(), missing)
        open_ones = "SELECT count(*) FROM pa_application_callback_event WHERE status <> 'COMPLETED'"
        await until(lambda: _none(database, open_ones), "all callbacks are delivered")


async def _none(database: asyncpg.Connection, count: str) -> bool:
    return not await database.fetchval(count)


async def test_a_callback_under_way_is_finished_before_the_end(world: World) -> None:
    world.receiver.answering.clear()
    mark = len(world.receiver.received)
    created = await world.api.call("operation/create", **operation_of("u")["requestObject"])
    await until(lambda: len(world.receiver.received) > mark, "the delivery is under way")
    stopping = asyncio.create_task(world.core.stop())
    await until(lambda: _is_closed(world), "the core lets nobody in")
    world.receiver.answering.set()
    assert await stopping == 0
    async with world.database() as database:
        rows = await database.fetch("SELECT * FROM pa_application_callback_event ORDER BY id DESC LIMIT 1")
    assert json.loads(rows[0]["callback_data"])["operationId"] == created["id"]
    assert (rows[0]["status"], rows[0]["attempts"]) == ("COMPLETED", 1)
    assert len(world.receiver.received) == mark + 1
    await world.core.start()


async def test_under_load_whatever_was_answered_is_stored(world: World, http: Http) -> None:
    created: set[tuple[str, str]] = set()
    accepted: set[str] = set()

    async def create() -> Answer:
        answer = await world.call(http, "operation/create", operation_of("u"))
        if answer.ok:
            created.add(("operation.created", str(answer.member("id"))))
        return answer

    async def verify() -> Answer:
        body = verify_body(world.device, "POST", "/login", b"{}")
        answer = await world.call(http, "signature/verify", body)
        if answer.ok and answer.member("signatureValid"):
            accepted.add(json.loads(body)["requestObject"]["signature"])
        return answer

    callers = [Caller("create", create), Caller("create too", create), Caller("verify", verify)]
    async with under_load(callers):
        await until(lambda: all(caller.served() >= 5 for caller in callers))
        assert await world.core.stop() == 0
        await until(lambda: all(caller.refused() for caller in callers))
    # Served, or not let in: nothing in between.
    assert {answer.status for caller in callers for answer in caller.answers} == {200, 0}
    await world.core.start()
    async with world.database() as database:
        rows = await database.fetch("SELECT signature FROM pa_signature_audit WHERE valid")
    assert accepted <= {row["signature"] for row in rows}
    await _everything_went_out(world, created)
