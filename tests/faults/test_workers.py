"""A core of several workers: one is killed under load, all are told to stop, each hears of the others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import pytest
from fault_load import APPLICATION, Answer, Caller, Http, operation_of, set_up, under_load
from fault_stack import NO_LIMITS, connected, outbox_is_empty, server, until

from powerauth_cli.bench.provision import BenchPhone, CoreApi, activate, verify_body
from powerauth_cli.separate import SeparateProcesses, ServiceProcess
from powerauth_protocol.common.encoding import b64encode
from servicekit.bus import Event
from servicekit.bus.rabbitmq import RabbitBus

pytestmark = pytest.mark.faults

WORKERS = 2
CHAIN_KEY = {"CORE_AUDIT_CHAIN_KEY": b64encode(bytes(range(32)))}
SETTINGS = NO_LIMITS | CHAIN_KEY
SETTINGS |= {"CORE_WORKERS": str(WORKERS), "CORE_SIGNATURE_MAX_FAILED_ATTEMPTS": "64"}


@dataclass
class World:
    """A core of several workers, and what callers were told and heard."""

    stack: SeparateProcesses
    api: CoreApi
    phones: list[BenchPhone]
    events: list[Event]
    created: set[tuple[str, str]] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)

    @property
    def core(self) -> ServiceProcess:
        """The supervisor."""
        return self.stack.processes["core"]

    def workers(self) -> set[int]:
        """Their process ids."""
        pid = self.core.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    async def call(self, http: Http, path: str, content: object) -> Answer:
        """A bank's call."""
        return await http.post(f"{self.stack.core_url}/rest/v3/{path}", content, self.stack.rest_credentials)

    async def create(self, http: Http) -> Answer:
        """Create an operation, and remember it if the core says that it did."""
        answer = await self.call(http, "operation/create", operation_of("u"))
        if answer.ok:
            self.created.add(("operation.created", str(answer.member("id"))))
        return answer

    async def verify(self, http: Http, phone: BenchPhone) -> Answer:
        """Have a code verified, and remember it if it was accepted."""
        body = verify_body(phone, "POST", "/login", b"{}")
        answer = await self.call(http, "signature/verify", body)
        if answer.ok and answer.member("signatureValid"):
            self.accepted.add(json.loads(body)["requestObject"]["signature"])
        return answer

    @asynccontextmanager
    async def unable_to_write(self) -> AsyncIterator[None]:
        """No call that begins in the block is answered before its end."""
        async with connected(self.stack.core_database_url) as holder, holder.transaction():
            await holder.execute("LOCK TABLE pa_operation, pa_activation IN EXCLUSIVE MODE")
            yield

    async def nothing_was_lost(self) -> None:
        """What callers were told is stored and chained once, and its events went out."""

        def missing() -> set[tuple[str, str]]:
            return self.created - {(event.type, event.subject) for event in self.events}

        async with connected(self.stack.core_database_url) as database:
            await until(lambda: outbox_is_empty(database), "the outbox drains")
            rows = await database.fetch("SELECT signature, chain_id FROM pa_signature_audit WHERE valid")
        await until(lambda: not missing(), missing)
        stored = [row["signature"] for row in rows]
        assert len(stored) == len(set(stored))
        assert self.accepted <= set(stored)
        assert all(row["chain_id"] for row in rows)
        await self._the_audit_has_no_gap()

    async def _the_audit_has_no_gap(self) -> None:
        settings = CHAIN_KEY | {"CORE_DATABASE_URL": self.stack.core_database_url}
        verifying = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "powerauth_core", "audit", "verify"),
            env=os.environ | settings,
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await verifying.communicate()
        assert verifying.returncode == 0, told.decode()


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    heard: list[Event] = []

    async def hear(event: Event) -> None:
        heard.append(event)

    broker = server("TEST_RABBITMQ_URL")
    bus = RabbitBus(broker)
    await bus.subscribe(f"workers-{token_hex(6)}", ["operation.created"], hear)
    await bus.start()
    async with SeparateProcesses(
        server("TEST_POSTGRES_URL"), bus_url=broker, services=("core",), settings=SETTINGS
    ) as stack:
        api = CoreApi(stack.core_url, stack.rest_credentials)
        application = await set_up(api)
        phones = [await activate(api, application, f"user-{number}") for number in range(4)]
        yield World(stack, api, phones, heard)
        await api.close()
    await bus.close()


@pytest.fixture
async def callers(world: World) -> AsyncIterator[list[Caller]]:
    """Callers with a connection each, so that every worker has some."""
    async with AsyncExitStack() as stack:
        clients = [Http() for _ in world.phones]
        for http in clients:
            stack.push_async_callback(http.close)
        # Connections go to the workers in turn, so that each of them has callers of both kinds.
        yield [
            *[
                Caller("verify", lambda http=http, phone=phone: world.verify(http, phone))  # type: ignore[misc]
                for http, phone in zip(clients, world.phones, strict=True)
            ],
            *[Caller("create", lambda http=http: world.create(http)) for http in clients],  # type: ignore[misc]
        ]


async def test_the_others_go_on_while_a_killed_worker_is_replaced(
    world: World, callers: list[Caller]
) -> None:
    before = world.workers()
    assert len(before) == WORKERS
    async with under_load(callers):
        await until(lambda: all(caller.served() >= 3 for caller in callers))
    made = [caller.calls for caller in callers]
    async with AsyncExitStack() as load:
        async with world.unable_to_write():
            await load.enter_async_context(under_load(callers))
            # A call at a time on each connection, of which each worker has some: it is killed at work.
            await until(lambda: all(c.calls > calls for c, calls in zip(callers, made, strict=True)))
            os.kill(min(before), signal.SIGKILL)
            await until(lambda: any(caller.refused() for caller in callers), "its callers hear of it")
        marks = [len(caller.answers) for caller in callers]
        await until(lambda: all(c.served(mark) >= 3 for c, mark in zip(callers, marks, strict=True)))
        await until(lambda: len(world.workers()) == WORKERS, "another one is started")
    # A broken connection is all that anybody noticed.
    assert {answer.status for caller in callers for answer in caller.answers} == {200, 0}
    assert world.workers() - before
    assert before - world.workers() == {min(before)}
    await world.nothing_was_lost()


async def test_told_to_stop_all_workers_finish_what_they_have_accepted(
    world: World, callers: list[Caller]
) -> None:
    async with under_load(callers):
        await until(lambda: all(caller.served() >= 3 for caller in callers))
        assert await world.core.stop() == 0
        await until(lambda: all(caller.refused() for caller in callers))
    assert {answer.status for caller in callers for answer in caller.answers} == {200, 0}
    await world.core.start()
    await world.nothing_was_lost()


async def test_a_worker_hears_what_another_one_changed(world: World) -> None:
    application = await world.api.call("application/detail", applicationId=APPLICATION)
    version = application["versions"][0]["applicationVersionId"]

    async def judged() -> set[object]:
        """What new connections, which go to the workers in turn, are told."""
        told = set()
        for _ in range(WORKERS):
            http = Http()
            told.add((await world.verify(http, world.phones[0])).member("signatureValid"))
            await http.close()
        return told

    async def is_judged(outcome: set[object]) -> bool:
        return await judged() == outcome

    assert await judged() == {True}
    for change, outcome in (("unsupport", {False}), ("support", {True})):
        names = {"applicationId": APPLICATION, "applicationVersionId": version}
        await world.api.call(f"application/version/{change}", **names)
        await until(lambda outcome=outcome: is_judged(outcome), change)  # type: ignore[misc]
