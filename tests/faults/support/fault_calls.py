"""A stack of services on servers that a test can take away, and the kinds of calls that meet it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from fault_load import APPLICATION, Answer, Caller, Http, approval, operation_of, set_up
from fault_stack import connected, outbox_is_empty, until

from powerauth_cli.bench.prepared import signature_header
from powerauth_cli.bench.provision import BenchPhone, CoreApi, activate, verify_body
from powerauth_cli.bench.tokens import validate_body
from powerauth_cli.demo.bank import Bank
from powerauth_cli.separate import SeparateProcesses
from powerauth_contracts.enums import OperationStatus
from servicekit.bus import Event

COME_AGAIN = (503, "ERROR_UNAVAILABLE", "1")
"""What the core answers."""
PHONES_OUTAGE = (409, "REMOTE_COMMUNICATION_ERROR")
BANKS_OUTAGE = (503, "ERROR_INTERNAL_API", "1")
APPROVED = OperationStatus.APPROVED.code


@dataclass(kw_only=True)
class World:
    """Services, and customers with phones."""

    stack: SeparateProcesses
    core: CoreApi
    devices: list[BenchPhone]
    bank: tuple[str, str]
    events: list[Event] = field(default_factory=list)

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


@asynccontextmanager
async def world_of(stack: SeparateProcesses, phones: int) -> AsyncIterator[World]:
    """An application on a running stack, with phones and a bank."""
    core = CoreApi(stack.core_url, stack.rest_credentials)
    application = await set_up(core)
    devices = [await activate(core, application, f"user-{number}") for number in range(phones)]
    yield World(stack=stack, core=core, devices=devices, bank=await bank_of(stack))
    await core.close()


async def bank_of(stack: SeparateProcesses) -> tuple[str, str]:
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
            Caller("init", self._init),
            Caller("unknown caller", self._unknown),
        ]

    def everywhere(self) -> list[Caller]:
        """All of them."""
        return [*self.at_the_core(), *self.at_enrollment(), *self.at_the_cloud()]

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
        return await self._rest("activation/init", object_of(userId="u", applicationId=APPLICATION))

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


def object_of(**members: object) -> dict[str, object]:
    """The body of a call of the core."""
    return {"requestObject": members}


async def each(callers: list[Caller], outcome: Callable[[Caller, int], int]) -> None:
    """Wait until each caller has met the outcome twice from now on."""
    marks = [len(caller.answers) for caller in callers]

    def missing() -> list[tuple[str, list[Answer]]]:
        if outcome is Caller.served:
            for caller in callers:
                caller.may_go_on.set()
        pairs = zip(callers, marks, strict=True)
        return [(caller.name, caller.answers[-2:]) for caller, mark in pairs if outcome(caller, mark) < 2]

    await until(lambda: not missing(), missing)


def all_were_told_to_come_again(callers: Sequence[Caller]) -> None:
    """Whoever was not served was told that of an outage, in the words of the service that was asked."""
    for caller in callers:
        refusals = {
            (answer.status, answer.code, answer.retry_after) for answer in caller.answers if not answer.ok
        }
        assert refusals <= {COME_AGAIN, BANKS_OUTAGE, (*PHONES_OUTAGE, None)}, caller.name


async def nothing_was_lost(world: World, calls: Calls) -> None:
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
