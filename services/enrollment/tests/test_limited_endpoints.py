"""Limits at the public endpoints (D18): what counts, on whom, and who waits for it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from enrollment_fakes import ACTIVATION_ID, Answer, FakeCore, Phone, PublicClient, Raw, Refusal
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Message

from enrollment import lanes
from enrollment.app import create_app
from enrollment.errors import TooManyRequests
from enrollment.lanes import Disconnected, Lanes
from enrollment.settings import EnrollmentSettings
from powerauth_protocol.v3.ecies import Scope
from powerauth_protocol.v3.temporary_key import TemporaryKeyRequest, build_request_jwt
from servicekit.calls.client import AsgiTransport

KEYSTORE, STATUS = "/pa/v3/keystore/create", "/pa/v3/activation/status"
CREATE, CONFIGURATION = "/pa/v3/activation/create", "/api/config/oidc"
TIGHT = {
    "limit_failures_per_address": 2,
    "limit_keystore_per_activation": 2,
    "limit_status_per_activation": 2,
    "trusted_proxies": "127.0.0.1",
}
KEY = {"jwt": "x"}
CARRIER, ELSEWHERE = "198.51.100.7", "192.0.2.8"

pytestmark = pytest.mark.usefixtures("clock")
"""A minute that ends in between would forget what was counted."""

Connect = Callable[..., PublicClient]


class Client:
    """Requests from an address, some of them at the same time."""

    def __init__(self, client: PublicClient, core: FakeCore, phone: Phone) -> None:
        self._client, self._core, self._phone = client, core, phone

    async def send(self, address: str, path: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
        return await self._client.post(path, body, {"X-Forwarded-For": address, **(headers or {})})

    async def key(self, address: str, activation_id: str | None = None) -> Answer:
        claims = TemporaryKeyRequest(self._core.application_key, activation_id)
        jwt = build_request_jwt(claims, b"m" * 16)
        return await self.send(address, KEYSTORE, {"requestObject": {"jwt": jwt}})

    async def status(self, address: str, activation_id: str = ACTIVATION_ID) -> Answer:
        return await self.send(address, STATUS, {"requestObject": {"activationId": activation_id}})

    async def failures(self, address: str) -> list[int]:
        """One failure of each kind that strangers can make."""
        junk = self._phone.encryption(Scope.APPLICATION)
        return [
            (await self.send(address, path, body, headers)).status
            for path, body, headers in (
                (KEYSTORE, {"requestObject": {"jwt": "a.b.c"}}, None),
                (CREATE, self._phone.closed("/pa/generic/activation", b"{}", Scope.ACTIVATION), junk),
                (CONFIGURATION, {}, junk),
                ("/pa/v3/user/info", {}, self._phone.encryption(Scope.ACTIVATION)),
            )
        ]


@pytest.fixture
def public(connect: Connect, core: FakeCore, phone: Phone) -> Client:
    core.script["keystore/create"] = KEY
    core.script["activation/status"] = {"activationId": ACTIVATION_ID, "encryptedStatusBlob": "QQ=="}
    return Client(connect(**TIGHT), core, phone)


@pytest.mark.parametrize("storage", ["memory", "redis"])
async def test_no_number_of_requests_one_after_the_other_is_refused(
    storage: str, connect: Connect, core: FakeCore, phone: Phone
) -> None:
    """Whatever a stranger fills, and wherever he is: no count refuses anybody."""
    core.script["keystore/create"] = KEY
    core.script["activation/status"] = {"activationId": ACTIVATION_ID, "encryptedStatusBlob": "QQ=="}
    shared = {"limit_storage_url": os.environ["TEST_REDIS_URL"]} if storage == "redis" else {}
    public = Client(connect(**TIGHT, **shared), core, phone)
    address = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:2]}00::1"
    for _ in range(5):
        core.script["keystore/create"] = Refusal("ERR0024")
        assert 429 not in await public.failures(address)
        assert (await public.key(address, ACTIVATION_ID)).status == 400
        core.script["keystore/create"] = KEY
        statuses = [await public.key(address), await public.key(address, ACTIVATION_ID)]
        statuses += [await public.status(address) for _ in range(3)]
        assert [answer.status for answer in statuses] == [200] * 5


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("failures", "failures-per-address"),
        ("keys", "keystore-per-activation"),
        ("status", "status-per-activation"),
    ],
)
async def test_over_a_limit_requests_wait_and_only_a_full_queue_refuses_strangers(
    what: str, limit: str, public: Client, core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "WAITING", 3)
    ask = public.status if what == "status" else public.key
    arguments = (CARRIER, ACTIVATION_ID) if what != "failures" else (CARRIER,)
    if what == "failures":
        core.script["keystore/create"] = Refusal("ERR0024")
    for _ in range(2):
        await ask(*arguments)
    core.script["keystore/create"] = KEY
    gate = core.close_gate()
    flood = [asyncio.create_task(ask(*arguments)) for _ in range(lanes.AT_ONCE + 3)]
    await settled()
    assert core.waiting == lanes.AT_ONCE
    refused = [] if what == "keys" else [await ask(*arguments)]
    elsewhere = asyncio.create_task(public.key(ELSEWHERE))
    await settled()
    assert core.waiting == lanes.AT_ONCE + 1
    gate.set()
    assert [answer.status for answer in await asyncio.gather(*flood, elsewhere)] == [200] * (len(flood) + 1)
    for answer in refused:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
        assert answer.json["responseObject"] == {
            "code": "TOO_MANY_REQUESTS",
            "message": "Too many requests.",
            "limit": limit,
        }


async def test_an_address_from_which_an_activation_proved_itself_finds_room(
    public: Client, core: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "WAITING", 0)
    assert (await public.key(CARRIER, ACTIVATION_ID)).status == 200
    core.script["keystore/create"] = Refusal("ERR0024")
    for _ in range(3):
        await public.key(CARRIER)
    core.script["keystore/create"] = KEY
    gate = core.close_gate()
    calls = [asyncio.create_task(public.key(CARRIER)) for _ in range(20)]
    await settled()
    gate.set()
    assert {answer.status for answer in await asyncio.gather(*calls)} == {200}


async def test_outages_and_successes_do_not_count(public: Client, core: FakeCore) -> None:
    core.script["keystore/create"] = Raw(500)
    assert {(await public.key(CARRIER)).status for _ in range(5)} == {409}
    core.script["keystore/create"] = KEY
    gate = core.close_gate()
    calls = [asyncio.create_task(public.key(CARRIER)) for _ in range(20)]
    await settled()
    assert core.waiting == 20
    gate.set()
    await asyncio.gather(*calls)


@pytest.mark.parametrize(("limited", "at_once"), [(True, lanes.AT_ONCE), (False, 10)])
async def test_this_machine_can_be_left_out(
    limited: bool, at_once: int, connect: Connect, core: FakeCore, phone: Phone
) -> None:
    public = Client(connect(**TIGHT, limit_loopback=limited), core, phone)
    core.script["keystore/create"] = Refusal("ERR0024")
    for _ in range(3):
        await public.key("127.0.0.1")
    core.script["keystore/create"] = KEY
    gate = core.close_gate()
    calls = [asyncio.create_task(public.key("127.0.0.1")) for _ in range(10)]
    await settled()
    assert core.waiting == at_once
    gate.set()
    await asyncio.gather(*calls)


async def test_lanes_leave_nothing_behind_and_their_number_of_waiting_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "WAITING_ALTOGETHER", 10)
    subject, go = Lanes(), asyncio.Event()

    async def wait(key: str, *, proven: bool = False) -> None:
        async with subject.turn("limit", key, asyncio.Event().wait, proven=proven):
            await go.wait()

    tasks = [asyncio.create_task(wait(f"address-{number}")) for number in range(10)]
    await settled()
    with pytest.raises(TooManyRequests):
        await wait("one more")
    tasks.append(asyncio.create_task(wait("proven", proven=True)))
    tasks.append(asyncio.create_task(wait("address-0", proven=True)))
    await settled()
    tasks.pop(0).cancel()
    go.set()
    await asyncio.gather(*tasks)
    assert (subject._lanes, subject._inside) == ({}, 0)


async def test_who_goes_away_leaves_the_queue_and_keeps_nobody_from_his_turn() -> None:
    subject, gone, served = Lanes(), asyncio.Event(), []
    go = asyncio.Event()

    async def wait(name: str, disconnected: Disconnected) -> None:
        async with subject.turn("limit", "key", disconnected, proven=False):
            served.append(name)
            await go.wait()

    stays = asyncio.Event().wait
    inside = [asyncio.create_task(wait("first", stays)) for _ in range(lanes.AT_ONCE)]
    await settled()
    leaving = [asyncio.create_task(wait("left", gone.wait)) for _ in range(lanes.WAITING)]
    await settled()
    with pytest.raises(TooManyRequests):
        await wait("refused", stays)
    gone.set()
    left = await asyncio.gather(*leaving, return_exceptions=True)
    assert {type(error) for error in left} == {ClientDisconnect}
    patient = [asyncio.create_task(wait("last", stays)) for _ in range(3)]
    await settled()
    go.set()
    # Cancelled when it has just been given its turn: the next one gets it.
    await asyncio.sleep(0)
    patient[0].cancel()
    await asyncio.gather(*inside, *patient[1:])
    assert (served, subject._lanes) == (["first"] * lanes.AT_ONCE + ["last"] * 2, {})


@pytest.mark.parametrize("number", range(12))
async def test_a_turn_that_comes_as_its_request_ends_is_not_lost(number: int) -> None:
    subject, go = Lanes(), asyncio.Event()

    async def wait(disconnected: Disconnected) -> None:
        async with subject.turn("limit", "key", disconnected, proven=False):
            await go.wait()

    gone = asyncio.Event()
    stays = asyncio.Event().wait
    tasks = [asyncio.create_task(wait(stays)) for _ in range(lanes.AT_ONCE)]
    tasks += [asyncio.create_task(wait(gone.wait if each % 2 else stays)) for each in range(6)]
    await settled()
    go.set()
    for _ in range(number // 2):
        await asyncio.sleep(0)
    if number % 2:
        gone.set()
    else:
        tasks[lanes.AT_ONCE].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (subject._lanes, subject._inside) == ({}, 0)


@pytest.mark.parametrize("path", [KEYSTORE, STATUS])
async def test_waiting_request_is_dropped_when_its_client_is_gone(path: str, core: FakeCore) -> None:
    """Before its body was asked for as well as after."""
    core.script["keystore/create"] = Refusal("ERR0024")
    core.script["activation/status"] = {"activationId": ACTIVATION_ID, "encryptedStatusBlob": "QQ=="}
    settings = EnrollmentSettings(**{"core_url": "http://core.test/powerauth-java-server", **TIGHT})  # type: ignore[arg-type]
    app = create_app(settings, core_transport=AsgiTransport(core))
    request = {"jwt": "a.b.c"} if path == KEYSTORE else {"activationId": ACTIVATION_ID}
    body = json.dumps({"requestObject": request}).encode()
    never, gone = asyncio.Event(), asyncio.Event()
    for _ in range(2):
        await raw(app, path, body, never)
    gate = core.close_gate()
    inside = [asyncio.create_task(raw(app, path, body, never)) for _ in range(lanes.AT_ONCE)]
    await settled()
    leaving = asyncio.create_task(raw(app, path, body, gone))
    patient = asyncio.create_task(raw(app, path, body, never))
    await settled()
    assert not leaving.done()
    gone.set()
    assert await leaving == []
    gate.set()
    statuses = [sent[0]["status"] for sent in await asyncio.gather(*inside, patient)]
    assert statuses == [400 if path == KEYSTORE else 200] * (lanes.AT_ONCE + 1)
    assert len(core.calls) == lanes.AT_ONCE + 3


async def raw(app: FastAPI, path: str, body: bytes, gone: asyncio.Event) -> list[Message]:
    """What is sent to a client that stays until it is gone."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/enrollment-server{path}",
        "headers": [(b"content-type", b"application/json")],
        "query_string": b"",
        "client": (CARRIER, 1),
    }
    await app(scope, receive, send)
    return sent


async def test_the_core_is_told_where_a_signature_came_from(
    connect: Connect, core: FakeCore, phone: Phone
) -> None:
    core.script["signed/verify"] = {"authenticated": True, "activationId": ACTIVATION_ID}
    client = connect(trusted_proxies="127.0.0.1")
    headers = phone.authorization() | {"X-Forwarded-For": "2001:db8:1:2ff::9"}
    assert (await client.post("/pa/v3/signature/validate", b"x", headers)).status == 200
    assert core.calls[-1].networks == ["2001:db8:1:200::/56"]


def test_defaults() -> None:
    settings = EnrollmentSettings()
    assert (
        settings.limit_failures_per_address,
        settings.limit_keystore_per_activation,
        settings.limit_status_per_activation,
        settings.limit_loopback,
        settings.limit_storage_url.get_secret_value(),
    ) == (30, 30, 30, True, "")


@pytest.mark.parametrize("url", ["memcached://127.0.0.1:1", "127.0.0.1:6379", "memory://"])
def test_only_redis_is_a_shared_storage(url: str) -> None:
    with pytest.raises(ValidationError):
        EnrollmentSettings(limit_storage_url=SecretStr(url))
