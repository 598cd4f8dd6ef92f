"""PostgreSQL goes away, or has no place, or somebody holds its rows: callers are told to come again, nothing
is lost, and nobody has to restart anything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex

import asyncpg
import pytest
from fault_load import (
    APPLICATION,
    Answer,
    Caller,
    Http,
    approval,
    operation_of,
    set_up,
    under_load,
)
from fault_stack import (
    NO_LIMITS,
    connected,
    outbox_is_empty,
    running,
    server,
    until,
    waiting_for_locks,
)

from powerauth_cli.bench.loads import signature_header
from powerauth_cli.bench.provision import BenchDevice, CoreApi, activate, verify_body
from powerauth_cli.bench.tokens import create_token, validate_body
from powerauth_cli.demo.bank import Bank
from powerauth_cli.localservers import PostgresServer
from powerauth_cli.separate import SeparateProcesses
from powerauth_core.enums import OperationStatus
from powerauth_protocol.encoding import b64encode
from servicekit.bus import Event
from servicekit.bus.rabbitmq import RabbitBus

pytestmark = pytest.mark.faults

POOL = 4
COME_AGAIN = (503, "ERROR_UNAVAILABLE", "1")
PHONES_OUTAGE = (409, "REMOTE_COMMUNICATION_ERROR")
BANKS_OUTAGE = (500, "ERROR_INTERNAL_API")
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
APPROVED, EXPIRED = OperationStatus.APPROVED.code, OperationStatus.EXPIRED.code


@dataclass
class World:
    """Services, their database server, and customers with phones."""

    postgres: PostgresServer
    stack: SeparateProcesses
    core: CoreApi
    devices: list[BenchDevice]
    events: list[Event]
    bank: tuple[str, str]

    def rest(self, path: str) -> str:
        """An endpoint of the core."""
        return f"{self.stack.core_url}/rest/v3/{path}"

    def database(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection to the core's database."""
        return connected(self.stack.core_database_url)

    async def operations(self, count: int) -> list[str]:
        """Ids of new operations."""
        return [
            (await self.core.call("operation/create", **operation_of("somebody")["requestObject"]))["id"]
            for _ in range(count)
        ]


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    heard: list[Event] = []

    async def hear(event: Event) -> None:
        heard.append(event)

    broker = server("TEST_RABBITMQ_URL")
    bus = RabbitBus(broker)
    await bus.subscribe(f"outages-{token_hex(6)}", ["operation.created", "operation.status_changed"], hear)
    await bus.start()
    # Durable, as in production: what was committed has to survive the stop.
    with PostgresServer(durable=True) as postgres:
        async with SeparateProcesses(postgres.url, settings=SETTINGS | {"CORE_BUS_URL": broker}) as stack:
            core = CoreApi(stack.core_url, stack.rest_credentials)
            application = await set_up(core)
            devices = [await activate(core, application, f"user-{number}") for number in range(10)]
            yield World(postgres, stack, core, devices, heard, await _bank(stack))
            await core.close()
    await bus.close()


async def _bank(stack: SeparateProcesses) -> tuple[str, str]:
    """Credentials of a bank system at the cloud."""
    admin = Bank(stack.cloud_url, *stack.admin)
    user = await admin.call("POST", "/admin/users", {"username": "backend"})
    await admin.call("POST", f"/admin/users/backend/applications/{APPLICATION}")
    await admin.close()
    return user["username"], user["password"]


class Calls:
    """The kinds of calls that meet the outage; each caller has a phone of its own."""

    def __init__(self, world: World, http: Http, token: tuple[str, bytes]) -> None:
        self._world = world
        self._http = http
        self._token = token
        self.accepted: list[str] = []
        self.created: list[str] = []
        self.approved: list[str] = []

    def at_the_core(self) -> list[Caller]:
        """Calls that the core answers itself."""
        return [
            Caller("verify", self._verify),
            Caller("validate", lambda: self._rest("token/validate", validate_body(*self._token))),
            Caller("create", self._create),
            Caller(
                "init", lambda: self._rest("activation/init", _object(userId="u", applicationId=APPLICATION))
            ),
            Caller("unknown caller", self._unknown),
        ]

    def at_enrollment(self) -> list[Caller]:
        """Calls of phones."""
        return [Caller("signature", self._signature), Caller("approve", self._approve)]

    def at_the_cloud(self) -> list[Caller]:
        """Calls of the bank."""
        url = f"{self._world.stack.cloud_url}/v2/registrations"
        content = {"userId": "u", "appId": APPLICATION}
        return [Caller("register", lambda: self._http.post(url, content, self._world.bank))]

    async def _rest(self, path: str, content: object) -> Answer:
        return await self._http.post(self._world.rest(path), content, self._world.stack.rest_credentials)

    async def _verify(self) -> Answer:
        body = verify_body(self._world.devices[0], "POST", "/login", b"{}")
        answer = await self._rest("signature/verify", body)
        if answer.ok:
            assert answer.member("signatureValid") is True
            self.accepted.append(json.loads(body)["requestObject"]["signature"])
        return answer

    async def _create(self) -> Answer:
        answer = await self._rest("operation/create", operation_of("u"))
        if answer.ok:
            self.created.append(str(answer.member("id")))
        return answer

    async def _init(self) -> Answer:
        return await self._rest("activation/init", _object(userId="u", applicationId=APPLICATION))

    async def _unknown(self) -> Answer:
        """Somebody who is not known is told so, when that can be found out."""
        answer = await self._http.post(self._world.rest("activation/init"), b"{}", ("nobody", "x"))
        assert answer.status in (401, 503)
        return Answer(200) if answer.status == 401 else answer

    async def _signature(self) -> Answer:
        line = signature_header(self._world.devices[1], "/pa/signature/validate", b"{}")
        return await self._phone("/pa/v3/signature/validate", b"{}", line.strip().partition(": ")[2])

    async def _approve(self) -> Answer:
        device = self._world.devices[2]
        created = await self._rest("operation/create", operation_of(device.user_id))
        if not created.ok:
            return created
        operation = {name: str(created.member(name)) for name in ("id", "data")}
        answer = await self._phone("/api/auth/token/app/operation/authorize", *approval(device, operation))
        if answer.ok:
            self.approved.append(operation["id"])
        return answer

    async def _phone(self, path: str, body: bytes, header: str) -> Answer:
        url = f"{self._world.stack.enrollment_url}{path}"
        return await self._http.post(url, body, headers={"X-PowerAuth-Authorization": header})


def _object(**members: object) -> dict[str, object]:
    return {"requestObject": members}


async def test_an_outage_under_load_is_503_for_everybody_and_ends_by_itself(world: World, http: Http) -> None:
    calls = Calls(world, http, await create_token(world.core, world.devices[0]))
    core, phones, bank = calls.at_the_core(), calls.at_enrollment(), calls.at_the_cloud()
    callers = [*core, *phones, *bank]
    before = running(world.stack)
    async with under_load(callers):
        await _each(callers, Caller.served)
        for _ in range(OUTAGES):
            world.postgres.stop()
            await _each(callers, Caller.refused)
            await asyncio.to_thread(world.postgres.start)
            await _each(callers, Caller.served)
    assert running(world.stack) == before
    for caller in core:
        refusals = {(a.status, a.code, a.retry_after) for a in caller.answers if not a.ok}
        assert refusals == {COME_AGAIN}, caller.name
    # An outage is never an authentication failure (spec/enrollment-api.md §4.7).
    remote = {(a.status, a.code) for caller in phones for a in caller.answers if not a.ok}
    assert remote - {COME_AGAIN[:2]} == {PHONES_OUTAGE}
    # The core's outage is spec/cloud-api.md §1.5's, the cloud's own is its 503.
    cloud = {(a.status, a.code, a.retry_after) for caller in bank for a in caller.answers if not a.ok}
    assert cloud <= {(*BANKS_OUTAGE, None), (503, "ERROR_GENERIC", "1")}
    assert cloud
    await _nothing_was_lost(world, calls)


async def _each(callers: list[Caller], outcome: Callable[[Caller, int], int]) -> None:
    """Wait until each caller has met the outcome twice from now on."""
    marks = [len(caller.answers) for caller in callers]

    def missing() -> list[tuple[str, list[Answer]]]:
        if outcome is Caller.served:
            for caller in callers:
                caller.may_go_on.set()
        pairs = zip(callers, marks, strict=True)
        return [(each.name, each.answers[-2:]) for each, mark in pairs if outcome(each, mark) < 2]

    await until(lambda: not missing(), missing)


async def _nothing_was_lost(world: World, calls: Calls) -> None:
    """What callers were told is stored, and its events went out, without a restart."""
    async with world.database() as database:
        await until(lambda: outbox_is_empty(database), "the outbox drains")
        stored = await database.fetch("SELECT signature FROM pa_signature_audit WHERE valid")
        assert set(calls.accepted) <= {row["signature"] for row in stored}
        states = dict(await database.fetch("SELECT id, status FROM pa_operation"))
    assert {states[operation_id] for operation_id in calls.approved} == {APPROVED}
    wanted = {("operation.created", each) for each in calls.created + calls.approved}
    wanted |= {("operation.status_changed", each) for each in calls.approved}

    def missing() -> set[tuple[str, str]]:
        return wanted - {(event.type, event.subject) for event in world.events}

    await until(lambda: not missing(), missing)


async def test_what_works_in_the_background_works_again_after_an_outage(world: World) -> None:
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


async def _is_served(world: World, path: str) -> bool:
    try:
        await world.core.call(path)
    except RuntimeError:
        return False
    return True


@asynccontextmanager
async def _held(world: World, statement: str, *values: object) -> AsyncIterator[asyncpg.Connection]:
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
    world: World, http: Http
) -> None:
    held = await world.operations(2 * POOL)
    lock = "SELECT 1 FROM pa_operation WHERE id = ANY($1) FOR UPDATE"

    async def cancel(operation_id: str) -> Answer:
        url, auth = world.rest("operation/cancel"), world.stack.rest_credentials
        return await http.post(url, _object(operationId=operation_id), auth)

    async with _held(world, lock, held):
        # All of them are answered while the lock is still held.
        answers = await asyncio.gather(*map(cancel, held))
    assert {(answer.status, answer.code, answer.retry_after) for answer in answers} == {COME_AGAIN}
    assert [answer.status for answer in [await cancel(each) for each in held]] == [200] * len(held)


async def test_a_held_activation_is_503_and_keeps_no_other_waiting(world: World, http: Http) -> None:
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
async def slow_operations(world: World) -> AsyncIterator[str]:
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


async def test_a_statement_that_takes_too_long_is_503(world: World, http: Http, slow_operations: str) -> None:
    url, auth = world.rest("operation/create"), world.stack.rest_credentials
    refused = await http.post(url, operation_of(slow_operations), auth)
    assert (refused.status, refused.code, refused.retry_after) == COME_AGAIN
    assert (await http.post(url, operation_of("quick"), auth)).ok


async def test_a_core_that_is_killed_is_an_outage_for_phones_and_banks_until_it_is_back(
    world: World, http: Http
) -> None:
    calls = Calls(world, http, ("", b""))
    phones, bank = calls.at_enrollment()[:1], calls.at_the_cloud()
    core = world.stack.processes["core"]
    async with under_load([*phones, *bank]):
        await _each([*phones, *bank], Caller.served)
        await core.kill()
        await _each([*phones, *bank], Caller.refused)
        await core.start()
        await _each([*phones, *bank], Caller.served)
    for caller, refusal in ((phones[0], PHONES_OUTAGE), (bank[0], BANKS_OUTAGE)):
        assert {(a.status, a.code) for a in caller.answers if not a.ok} == {refusal}


async def test_services_that_are_told_to_stop_end_well(world: World) -> None:
    assert {name: await each.stop() for name, each in world.stack.processes.items()} == {
        "core": 0,
        "enrollment": 0,
        "cloud": 0,
    }
