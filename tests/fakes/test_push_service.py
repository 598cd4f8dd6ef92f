"""The push service itself in front of the fake providers: what phones get, also when it is killed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest_asyncio
from fake_senders import eventually
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from powerauth_cli import main
from powerauth_cli.fakes.stack import (
    BUNDLE,
    HMS_CLIENT,
    HMS_PROJECT,
    HMS_SECRET,
    KEY,
    PROJECT,
    TEAM,
    FakeProviders,
)
from powerauth_cli.fakes.wire import Fault
from powerauth_push.app import create_app
from powerauth_push.dispatch.models import Delivery
from powerauth_push.settings import PushSettings
from servicekit import clock
from servicekit.database import Database
from servicekit.serving import BackgroundServer, free_port
from servicekit.testing import fresh_database

APP = "app-1"
BASE = "/powerauth-push-server"
TOKENS = {"apns": "ab" * 32, "fcm": "fcm-token", "hms": "hms-token"}
LOAD = 100


class Caller:
    """Calls a service that lets everybody in."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def ask(self, method: str, path: str, asked: object = None) -> Any:
        """The response object of a call that must succeed."""
        response = await self.http.request(method, path, json={"requestObject": asked}, timeout=60)
        assert response.status_code == 200, response.text
        return response.json().get("responseObject")

    async def set_up(self, fakes: FakeProviders) -> None:
        """An application with credentials at all fakes."""
        await self.ask("POST", "/admin/app/create", {"appId": APP})
        apple = {"bundle": BUNDLE, "keyId": KEY, "teamId": TEAM, "environment": "production"}
        key = base64.b64encode(fakes.apns_key).decode()
        await self.ask("PUT", "/admin/app/apns", {"appId": APP, **apple, "privateKeyBase64": key})
        file = base64.b64encode(fakes.fcm_file).decode()
        google = {"projectId": PROJECT, "privateKeyBase64": file}
        await self.ask("PUT", "/admin/app/fcm", {"appId": APP, **google})
        huawei = {"projectId": HMS_PROJECT, "clientId": HMS_CLIENT, "clientSecret": HMS_SECRET}
        await self.ask("PUT", "/admin/app/hms", {"appId": APP, **huawei})

    async def phone(self, platform: str, token: str, user: str = "user-1") -> None:
        """A phone of a user."""
        device = {"appId": APP, "token": token, "platform": platform, "activationId": f"a-{token[-30:]}"}
        told = {"userId": user, "activationStatus": "ACTIVE"}
        await self.ask("POST", "/push/device/create", device | told)

    async def send(self, user: str = "user-1", mode: str = "SYNCHRONOUS", **body: object) -> Any:
        """A message to a user."""
        message = {
            "userId": user,
            "body": {"title": "Payment", "body": "Approve", "extras": {"n": 1}, **body},
        }
        return await self.ask("POST", "/push/message/send", {"appId": APP, "mode": mode, "message": message})


def environment(fakes: FakeProviders, url: str) -> dict[str, str]:
    """Settings of a service in front of the fakes."""
    return fakes.environment(fakes.authority.ca_file) | {
        "PUSH_DATABASE_URL": url,
        "PUSH_ENVIRONMENT": "test",
        "PUSH_RESTRICT_ACCESS": "false",
        "PUSH_REQUEST_LOG": "false",
        "PUSH_MASTER_ENCRYPTION_KEY": "MTIzNDU2Nzg5MDEyMzQ1Ng==",
        "PUSH_PROVIDER_SEND_TIMEOUT": "120",
        "PUSH_SEND_DEADLINE_SECONDS": "120",
    }


def settings_of(variables: Mapping[str, str]) -> PushSettings:
    """The same for a service in this process."""
    given: dict[str, Any] = {name.removeprefix("PUSH_").lower(): value for name, value in variables.items()}
    return PushSettings(**given)


@pytest_asyncio.fixture
async def server(fakes: FakeProviders, tmp_path: Path) -> AsyncGenerator[BackgroundServer]:
    """The service in this process."""
    app = create_app(settings_of(environment(fakes, f"sqlite+aiosqlite:///{tmp_path / 'push.sqlite3'}")))
    async with BackgroundServer(app) as running:
        yield running


@pytest_asyncio.fixture
async def caller(server: BackgroundServer, fakes: FakeProviders) -> AsyncGenerator[Caller]:
    """A caller of it."""
    async with httpx2.AsyncClient(base_url=server.url + BASE) as http:
        made = Caller(http)
        await made.set_up(fakes)
        yield made


async def test_a_message_is_shown_by_the_phones_of_all_providers(
    caller: Caller, fakes: FakeProviders
) -> None:
    for platform, token in TOKENS.items():
        await caller.phone(platform, token)
    counted = await caller.send()
    assert [counted[platform]["sent"] for platform in TOKENS] == [1, 1, 1]
    await caller.send(mode="ASYNCHRONOUS")
    await eventually(lambda: len(fakes.phones.inbox) == 6)
    assert Counter(shown.token for shown in fakes.phones.inbox) == dict.fromkeys(TOKENS.values(), 2)
    assert {shown.title for shown in fakes.phones.inbox} == {"Payment"}


async def test_a_phone_that_is_gone_is_forgotten_and_wrong_credentials_are_not_its_fault(
    caller: Caller, fakes: FakeProviders
) -> None:
    await caller.phone("apns", TOKENS["apns"])
    fakes.phones.remove_app(TOKENS["apns"])
    assert (await caller.send())["apns"] == {"sent": 0, "failed": 1, "pending": 0, "total": 1}
    assert (await caller.send())["apns"]["total"] == 0
    await caller.phone("apns", "cd" * 32)
    key = base64.b64encode(fakes.apns_key).decode()
    wrong = {"bundle": BUNDLE, "keyId": "KEY7654321", "teamId": TEAM, "privateKeyBase64": key}
    await caller.ask("PUT", "/admin/app/apns", {"appId": APP, **wrong})
    assert (await caller.send())["apns"] == {"sent": 0, "failed": 1, "pending": 0, "total": 1}
    told = (await caller.send())["apns"]
    assert told == {"sent": 0, "failed": 0, "pending": 1, "total": 1}, "not asked again"


async def test_an_outage_of_a_provider_delays_and_loses_nothing(caller: Caller, fakes: FakeProviders) -> None:
    await caller.phone("apns", TOKENS["apns"])
    await caller.phone("hms", TOKENS["hms"])
    fakes.production.faults.plan(*[Fault.DROP] * 2)
    await caller.send(mode="ASYNCHRONOUS")
    await eventually(lambda: len(fakes.phones.inbox) == 2)
    assert {shown.token for shown in fakes.phones.inbox} == {TOKENS["apns"], TOKENS["hms"]}


async def test_an_operator_follows_a_campaign_to_its_end(
    server: BackgroundServer, caller: Caller, fakes: FakeProviders
) -> None:
    users = [f"user-{number}" for number in range(5)]
    for number, user in enumerate(users):
        await caller.phone("fcm", f"fcm-token-{number}", user)
    made = await caller.ask("POST", "/push/campaign/create", {"appId": APP, "message": {"title": "News"}})
    campaign = str(made["id"])
    await caller.ask("POST", f"/push/campaign/{campaign}/user/add", users)

    async def powerauth_campaign(action: str, *options: str) -> Result:
        command = ["push", "campaign", action, campaign, "--url", server.url + BASE, *options]
        return await asyncio.to_thread(lambda: CliRunner().invoke(main.app, command))

    refused = await powerauth_campaign("pause")
    assert (refused.exit_code, "The campaign is CREATED" in refused.output) == (1, True)
    await caller.ask("POST", f"/push/campaign/send/live/{campaign}")
    told = await powerauth_campaign("progress", "--every", "0.1")
    assert told.exit_code == 0, told.output
    assert {"state": "COMPLETED", "sent": 5, "failed": 0}.items() <= json.loads(told.stdout).items()
    assert len(fakes.phones.inbox) == len(users)


@asynccontextmanager
async def served(variables: Mapping[str, str]) -> AsyncGenerator[tuple[Caller, asyncio.subprocess.Process]]:
    """A service in a process of its own."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "powerauth_push",
        env={**os.environ, **variables, "PUSH_PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}{BASE}"
    try:
        async with httpx2.AsyncClient(base_url=base) as http:
            while not await _is_up(http, process):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            yield Caller(http), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _is_up(http: httpx2.AsyncClient, process: asyncio.subprocess.Process) -> bool:
    assert process.returncode is None, "it has ended"
    try:
        return (await http.get("/actuator/health/liveness")).status_code == 200
    except httpx2.TransportError:
        return False


async def test_a_killed_service_loses_nothing_and_repeats_only_what_was_under_way(
    fakes: FakeProviders, tmp_path: Path
) -> None:
    at_a_time = 20
    fakes.fcm.faults.shares, fakes.fcm.faults.slow_seconds = {Fault.SLOW: 1.0}, 0.5

    def shown() -> set[str]:
        return {one.extras["n"] for one in fakes.phones.inbox}

    async with fresh_database("postgresql", tmp_path) as url:
        variables = environment(fakes, url) | {
            "PUSH_SENDS_PER_PROVIDER": str(at_a_time),
            "PUSH_DELIVERY_LEASE_SECONDS": "2",
        }
        async with served(variables) as (caller, process):
            await caller.set_up(fakes)
            await caller.phone("fcm", "fcm-token")
            for number in range(LOAD):
                await caller.send(mode="ASYNCHRONOUS", extras={"n": str(number)})
            process.kill()
            await process.wait()
        assert len(shown()) < LOAD, "it was killed too late to tell"
        async with served(variables):
            await eventually(lambda: len(shown()) == LOAD)
    assert len(fakes.phones.inbox) - LOAD <= at_a_time


async def test_what_ends_while_a_killed_service_is_away_is_not_sent(
    fakes: FakeProviders, tmp_path: Path
) -> None:
    names = {str(number) for number in range(10)}
    fakes.fcm.faults.shares = {Fault.HANG: 1.0}
    async with fresh_database("postgresql", tmp_path) as url:
        variables = environment(fakes, url) | {
            "PUSH_SENDS_PER_PROVIDER": "4",
            "PUSH_DELIVERY_LEASE_SECONDS": "2",
        }
        async with served(variables) as (caller, process):
            await caller.set_up(fakes)
            await caller.phone("fcm", "fcm-token")
            ends = clock.now() + timedelta(seconds=2)
            for name in names:
                await caller.send(mode="ASYNCHRONOUS", validUntil=f"{ends.isoformat()}Z")
                await caller.send(mode="ASYNCHRONOUS", extras={"n": name})
            assert clock.now() < ends, "they ended too early to tell"
            process.kill()
            await process.wait()
        fakes.fcm.faults.shares = {}
        await asyncio.sleep((ends - clock.now()).total_seconds())  # their end is what is waited for
        async with served(variables):
            await _queue_is_empty(url)
    assert sorted(shown.extras["n"] for shown in fakes.phones.inbox) == sorted(names)


async def _queue_is_empty(url: str) -> None:
    database = Database(url)
    async with asyncio.timeout(20):
        waiting = True
        while waiting:
            await asyncio.sleep(0.05)
            async with database.read() as session:
                waiting = await session.scalar(select(func.count(Delivery.id))) != 0
    await database.dispose()
