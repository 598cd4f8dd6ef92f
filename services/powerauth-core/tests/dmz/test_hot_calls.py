"""Hot calls are answered exactly like the routes they stand in for (design §8), also in bundles."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import pytest_asyncio
from core_test_api import Api, TestApplication
from core_test_phones import MakePhone, Stored
from fastapi import FastAPI

from powerauth_contracts.dmz.table import DOOR
from powerauth_contracts.enums import IntegrationKind
from powerauth_core.app import create_app
from powerauth_core.container import Core
from powerauth_core.edge import BUNDLES, ENDPOINTS, FAST_CALLS
from powerauth_core.integrations.service import ensure_integration
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64encode
from powerauth_sdk.phone import Phone
from servicekit import metrics
from servicekit.bundles import AnswerReader, BundledAnswer, BundledCall, write_calls
from servicekit.edge.fast import FastEdge
from servicekit.edge.routing import declared

if TYPE_CHECKING:
    from dmz.conftest import Door


ROOT = "/powerauth-java-server"
JSON = {"Content-Type": "application/json"}
VERIFY_SIGNATURE = "/rest/v3/signature/verify"
VERIFY = f"{DOOR}/signed/verify"
DETAIL = "/rest/v3/operation/detail"
LOGIN = {"method": "POST", "uriId": "/login", "allowedSignatureTypes": ["possession_knowledge"]}


class Both:
    """A client that asks the fast edge and the route, and expects one answer."""

    def __init__(self, clients: list[httpx2.AsyncClient]) -> None:
        self._clients = clients

    async def post(self, path: str, content: bytes) -> httpx2.Response:
        """The answer of both."""
        answers = [await client.post(ROOT + path, content=content, headers=JSON) for client in self._clients]
        first, second = answers
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        ignored = {"x-correlation-id", "date"}
        kept = [{k: v for k, v in answer.headers.items() if k not in ignored} for answer in answers]
        assert kept[0] == kept[1]
        return first


@pytest_asyncio.fixture
async def both(core: Core) -> AsyncIterator[Both]:
    """Fast edge and route of one core."""
    credentials = await ensure_integration(core, "hot", IntegrationKind.REST)
    clients = []
    for fast in (True, False):
        app = create_app(CoreSettings(environment="test", request_log=False))
        standing: list[Any] = app.user_middleware
        app.user_middleware = [each for each in standing if fast or each.cls is not FastEdge]
        app.state.core = core
        clients.append(
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app),
                base_url="http://core",
                auth=(credentials.client_token, credentials.client_secret),
            )
        )
    yield Both(clients)
    for client in clients:
        await client.aclose()


def verification(phone: Phone, **changes: Any) -> bytes:
    return json.dumps({"requestObject": phone.sign(b"").request | changes}).encode()


async def test_answers_and_refusals_are_worded_alike(both: Both, phone: Phone) -> None:
    for path in (path for path in FAST_CALLS if path.startswith("/rest")):
        for content in (b"", b"{}", b'{"requestObject":{}}'):
            assert (await both.post(path, content)).status_code == 400
    for changes in (
        {"activationId": "unknown"},
        {"signatureVersion": "9"},
        {"signatureType": "possession"},
        {"data": None},
        {"signature": "\x00"},
        {"forcedSignatureVersion": 2**70},
    ):
        await both.post(VERIFY_SIGNATURE, verification(phone, **changes))


async def test_hot_calls_need_credentials_and_are_counted_by_their_path(
    app: FastAPI, api: Api, phone: Phone
) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://core") as client:
        answer = await client.post(ROOT + VERIFY_SIGNATURE, content=verification(phone), headers=JSON)
    assert answer.status_code == 401
    answer = await api.send("signature/verify", verification(phone))
    assert answer.json()["responseObject"]["signatureValid"] is True
    paths = {
        sample.labels["route"]
        for family in metrics.REGISTRY.collect()
        if family.name == "http_server_request_seconds"
        for sample in family.samples
    }
    assert VERIFY_SIGNATURE in paths


def test_every_hot_call_is_a_route_and_documented() -> None:
    app = create_app(CoreSettings(environment="test"))
    assert FAST_CALLS.keys() <= app.openapi()["paths"].keys()
    assert ENDPOINTS.keys() <= {(method, path) for path, method in declared(app)}


def call(number: int, request: Any, path: str = VERIFY) -> BundledCall:
    return BundledCall(number, path, None, json.dumps({"requestObject": request}).encode())


def login(phone: Phone, body: bytes = b"{}", **changes: Any) -> dict[str, Any]:
    return {"header": phone.sign(body, uri_id="/login").header, "body": b64encode(body), **LOGIN, **changes}


async def send(api: Api, *calls: BundledCall) -> list[BundledAnswer]:
    response = await api.send("bundle", write_calls(calls))
    assert response.status_code == 200
    return sorted(AnswerReader().feed(response.content))


@pytest.mark.dialects("sqlite", "postgresql")
async def test_every_call_gets_the_answer_it_would_get_alone(
    dmz: Api, make_phone: MakePhone, stored: Stored, door: Door
) -> None:
    phones = [await make_phone(name) for name in ("alice", "bob", "carol")]
    made = await door.operation()
    approval = json.dumps({"requestObject": {"id": made["id"], "data": made["data"]}}).encode()
    repeated = login(phones[1])
    answers = await send(
        dmz,
        call(0, login(phones[2])),
        call(1, repeated),
        call(2, repeated),
        call(3, login(phones[2], header={**phones[2].sign(b"").header, "pa_signature": "wrong"})),
        call(4, door.request(phones[0], "operation/approve", approval), f"{DOOR}/signed/operation/approve"),
        call(5, login(phones[2], uriId="/operation/authorize")),
    )
    assert [(answer.number, answer.status) for answer in answers] == [(n, 200) for n in range(5)] + [(5, 400)]
    bodies = [json.loads(answer.body)["responseObject"] for answer in answers]
    assert bodies[0]["userId"] == "carol"
    assert sorted(body["authenticated"] for body in bodies[1:3]) == [False, True]
    assert bodies[3]["authenticated"] is False
    assert bodies[4]["result"] == "APPROVED"
    assert bodies[5]["code"] == "ERR0024"
    assert (await stored(phones[1])).failed_attempts == 1


@pytest.mark.dialects("sqlite", "postgresql")
async def test_a_bank_gets_the_answers_it_would_get_alone(
    api: Api, phone: Phone, door: Door, application: TestApplication
) -> None:
    made = (await door.operation())["id"]
    own, foreign = [application.application_id], ["another"]

    def detail(scope: list[str] | None) -> dict[str, Any]:
        return {"operationId": made, "applicationIds": scope}

    def verification_in(scope: list[str]) -> dict[str, Any]:
        return {**phone.sign(b"").request, "applicationIds": scope}

    asked = [
        *[call(n, detail(scope), DETAIL) for n, scope in enumerate((None, own, foreign))],
        call(3, {"operationId": "unknown"}, DETAIL),
        call(4, {}, DETAIL),
        call(5, verification_in(foreign), VERIFY_SIGNATURE),
        call(6, {**phone.sign(b"").request, "signature": "wrong"}, VERIFY_SIGNATURE),
        call(7, verification_in(own), VERIFY_SIGNATURE),
    ]
    answers = await send(api, *asked)
    assert [answer.status for answer in answers] == [200, 200, 400, 400, 0, 200, 200, 200]
    for wanted, answer in zip(asked[:6], answers, strict=False):
        if answer.status:
            alone = await api.send(wanted.path, wanted.body)
            assert (answer.status, answer.body) == (alone.status_code, alone.content)
    valid = [json.loads(answer.body)["responseObject"]["signatureValid"] for answer in answers[6:]]
    assert valid == [False, True]


@pytest.mark.parametrize("bundle", BUNDLES)
async def test_only_hot_calls_of_a_door_come_in_its_bundles(api: Api, dmz: Api, bundle: str) -> None:
    door = bundle.removesuffix("bundle")
    foreign = [path for path in FAST_CALLS if not path.startswith(door)]
    assert foreign
    paths = [f"{door}texts", f"{door}application/list", bundle, f"{door}../../{foreign[0]}", *foreign]
    client = dmz if door.startswith("/dmz") else api
    answer = await client.send(bundle, write_calls([call(n, {}, path) for n, path in enumerate(paths)]))
    assert {(answer.status, answer.body) for answer in AnswerReader().feed(answer.content)} == {(0, b"-")}


@pytest.mark.parametrize("bundle", BUNDLES)
async def test_only_who_may_call_a_door_may_send_it_bundles(
    api: Api, dmz: Api, app: FastAPI, bundle: str
) -> None:
    content = write_calls([call(0, {}, next(path for path in FAST_CALLS if path.startswith(bundle[:8])))])
    client, other = (dmz, api) if bundle.startswith("/dmz") else (api, dmz)
    assert (await other.send(bundle, content)).status_code == 401
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://core") as nobody:
        assert (await nobody.post(ROOT + bundle, content=content)).status_code == 401
    assert (await client.send(bundle, content)).status_code == 200
    assert (await client.send(bundle, b"not a bundle")).status_code == 400
    for method, status in (("GET", 405), ("HEAD", 405), ("OPTIONS", 200), ("BREW", 501)):
        answer = await client.send(bundle, content, method=method)
        assert (answer.status_code, answer.headers.get("allow")) == (
            status,
            None if status == 501 else "OPTIONS, POST",
        )
