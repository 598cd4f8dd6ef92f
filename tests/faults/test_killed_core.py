"""The core is killed at work again and again: what it answered stays true, and nothing counts twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import asyncpg
import pytest
from fault_load import APPLICATION, Answer, Http, operation_of, set_up
from fault_stack import NO_LIMITS, connect, server
from fault_zygote import ForkedCore

from enrollment.app import create_app
from enrollment.settings import EnrollmentSettings
from powerauth_cli.bench.provision import Application, CoreApi
from powerauth_cli.integrations import ensure_integration
from powerauth_cli.separate import new_database
from powerauth_contracts.enums import OperationStatus
from powerauth_core.migrations import SCRIPT_LOCATION
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.http_headers import parse_fields
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import AppConfig, Device
from servicekit import migrations
from servicekit.serving import BackgroundServer

pytestmark = pytest.mark.faults

KILLS = 20
PIN = "1234"
FEWEST, MOST = 6, 24
"""Accepted answers after which a core is killed; few enough not to block a device by their replays."""
CHAIN_KEY = {"CORE_AUDIT_CHAIN_KEY": b64encode(bytes(range(32)))}
SETTINGS = NO_LIMITS | CHAIN_KEY
SETTINGS |= {"CORE_MIGRATE_ON_START": "false", "CORE_SIGNATURE_MAX_FAILED_ATTEMPTS": "64"}


@dataclass
class Sent:
    """One proof that a phone sent, and what came of it."""

    path: str
    content: dict[str, Any]
    mark: str
    answer: Answer

    @property
    def accepted(self) -> bool:
        """Whether the core said that it was authentic."""
        return self.answer.ok and self.answer.member("authenticated") is True

    @property
    def unanswered(self) -> bool:
        """Whether the core died with it."""
        return self.answer.status == 0


@dataclass
class World:
    """A core to be killed, its database, and phones."""

    core: ForkedCore
    http: Http
    rest: tuple[str, str]
    door: tuple[str, str]
    devices: list[Device]
    database: asyncpg.Connection
    database_url: str
    sent: list[Sent] = field(default_factory=list)
    operations: dict[str, str] = field(default_factory=dict)

    async def at_the_door(self, path: str, content: dict[str, Any]) -> Answer:
        """What enrollment would ask."""
        return await self.http.post(f"{self.core.url}/dmz/v1/{path}", {"requestObject": content}, self.door)

    async def send(self, path: str, content: dict[str, Any], mark: str) -> Sent:
        """Send a proof and remember it."""
        sent = Sent(path, content, mark, await self.at_the_door(path, content))
        self.sent.append(sent)
        return sent


@pytest.fixture
async def world(http: Http) -> AsyncIterator[World]:
    url = await new_database(server("TEST_POSTGRES_URL"), f"killed_{token_hex(6)}")
    await migrations.upgrade(url, SCRIPT_LOCATION)
    rest = await ensure_integration("bank", "rest", database_url=url)
    door = await ensure_integration("enrollment", "dmz", database_url=url)
    core = ForkedCore(SETTINGS | {"CORE_DATABASE_URL": url})
    database = await connect(url)
    try:
        await core.start()
        api = CoreApi(core.url, rest)
        application = await set_up(api)
        assert isinstance(application, Application)
        async with _enrollment(core.url, door) as enrollment:
            config = AppConfig.from_sdk_config(enrollment, application.sdk_config, ProtocolVersion.V3_3)
            devices = [await _activated(api, config, number) for number in range(7)]
        await api.close()
        yield World(core, http, rest, door, devices, database, url)
    finally:
        await database.close()
        await core.close()


@asynccontextmanager
async def _enrollment(core_url: str, door: tuple[str, str]) -> AsyncIterator[str]:
    """What phones need to be activated."""
    settings = EnrollmentSettings(
        core_url=core_url,
        core_client_token=door[0],
        core_client_secret=door[1],
        limit_failures_per_address=0,
        limit_keystore_per_activation=0,
    )
    async with BackgroundServer(create_app(settings)) as running:
        yield f"{running.url}{settings.root_path}"


async def _activated(api: CoreApi, config: AppConfig, number: int) -> Device:
    created = await api.call("activation/init", userId=f"user-{number}", applicationId=APPLICATION)
    device = Device(config)
    result = await device.activate_with_code(created["activationCode"], PIN)
    await api.call("activation/commit", activationId=result.activation_id)
    await device.token()
    return device


async def _signed(device: Device, uri_id: str, body: bytes) -> tuple[dict[str, Any], str]:
    """A signature as enrollment passes it on, and its text."""
    headers = await device.signed_header(method="POST", uri_id=uri_id, body=body, pin=PIN)
    fields = parse_fields(headers["X-PowerAuth-Authorization"])
    return {"header": fields, "body": b64encode(body)}, fields["pa_signature"]


async def _log_in(world: World, device: Device) -> Sent:
    content, code = await _signed(device, "/login", b"{}")
    content |= {"method": "POST", "uriId": "/login", "allowedSignatureTypes": ["possession_knowledge"]}
    return await world.send("signed/verify", content, code)


async def _list(world: World, device: Device) -> Sent:
    fields = parse_fields(device.token_header(await device.token())["X-PowerAuth-Token"])
    return await world.send("token/operation/list", {"header": fields}, fields["nonce"])


async def _approve(world: World, device: Device) -> Sent:
    number = world.devices.index(device)
    url = f"{world.core.url}/rest/v3/operation/create"
    created = await world.http.post(url, operation_of(f"user-{number}"), world.rest)
    if not created.ok:
        return Sent("", {}, "", created)
    operation = {name: str(created.member(name)) for name in ("id", "data")}
    body = json.dumps({"requestObject": operation}, separators=(",", ":")).encode()
    content, code = await _signed(device, "/operation/authorize", body)
    world.operations[code] = operation["id"]
    return await world.send("signed/operation/approve", content, code)


ACTIONS = (_log_in, _log_in, _log_in, _list, _list, _approve, _approve)
"""What the phone of each number does."""


async def _until_killed(world: World, accepted: int) -> None:
    """Phones at work; the core dies in the middle of it, after some answers."""
    start, enough = len(world.sent), asyncio.Event()

    async def work(number: int) -> None:
        while (sent := await ACTIONS[number](world, world.devices[number])).answer.status:
            assert sent.answer.status == 200, sent
            if sum(each.accepted for each in world.sent[start:]) >= accepted:
                enough.set()

    workers = [asyncio.create_task(work(number)) for number in range(len(world.devices))]
    await asyncio.wait([asyncio.create_task(enough.wait()), *workers], return_when=asyncio.FIRST_COMPLETED)
    await world.core.kill()
    await asyncio.gather(*workers)


async def _replay(world: World, proofs: list[Sent]) -> None:
    """Nothing that was accepted is accepted again; what was not answered may be, but not twice."""
    for sent in proofs:
        again = await world.at_the_door(sent.path, sent.content)
        if sent.accepted:
            assert not Sent("", {}, "", again).accepted, sent
        elif Sent("", {}, "", again).accepted:
            world.sent.append(Sent(sent.path, sent.content, sent.mark, again))
            third = await world.at_the_door(sent.path, sent.content)
            assert not Sent("", {}, "", third).accepted, sent
    for device in world.devices:
        # Failed attempts are forgotten with the next good one.
        assert (await _log_in(world, device)).accepted


async def _counters(world: World) -> dict[str, int]:
    rows = await world.database.fetch("SELECT activation_id, counter FROM pa_activation")
    return {row["activation_id"]: row["counter"] for row in rows}


async def test_no_answer_is_ever_taken_back_however_often_the_core_is_killed(world: World) -> None:
    chance = random.Random(20)
    counters = await _counters(world)
    for kill in range(KILLS):
        mark = len(world.sent)
        await _until_killed(world, chance.randint(FEWEST, MOST))
        await world.core.start()
        after = await _counters(world)
        assert all(after[each] >= before for each, before in counters.items()), kill
        counters = after
        await _replay(world, world.sent[mark:])
    await _everything_accepted_is_in_the_audit_once(world)
    await _operations_were_approved_once(world)
    await _the_audit_has_no_gap(world)
    assert any(sent.unanswered for sent in world.sent)


async def _everything_accepted_is_in_the_audit_once(world: World) -> None:
    rows = await world.database.fetch("SELECT signature, activation_id FROM pa_signature_audit WHERE valid")
    stored = Counter(row["signature"] for row in rows)
    signed = [sent for sent in world.sent if sent.path.startswith("signed/")]
    assert {sent.mark for sent in signed if sent.accepted} <= stored.keys()
    assert max(stored.values()) == 1
    # Each accepted signature was a step of its activation's counter.
    steps = Counter(row["activation_id"] for row in rows)
    counters = await _counters(world)
    assert all(counters[activation_id] >= count for activation_id, count in steps.items())


async def _operations_were_approved_once(world: World) -> None:
    records: defaultdict[str, int] = defaultdict(int)
    for row in await world.database.fetch("SELECT param FROM audit_log WHERE message = 'Operation approved'"):
        records[json.loads(row["param"])["id"]] += 1
    states = dict(await world.database.fetch("SELECT id, status FROM pa_operation"))
    approved = {each for each, status in states.items() if status == OperationStatus.APPROVED.code}
    assert approved == records.keys()
    assert set(records.values()) == {1}
    accepted = [sent for sent in world.sent if sent.path == "signed/operation/approve" and sent.accepted]
    assert {world.operations[sent.mark] for sent in accepted} <= approved


async def _the_audit_has_no_gap(world: World) -> None:
    """The chains of the signature audit hold together (docs/audit.md)."""
    assert (
        await world.database.fetchval("SELECT count(*) FROM pa_signature_audit WHERE chain_id IS NULL") == 0
    )
    verifying = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "powerauth_core", "audit", "verify"),
        env=os.environ | CHAIN_KEY | {"CORE_DATABASE_URL": world.database_url},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await verifying.communicate()
    assert verifying.returncode == 0, told.decode()
