"""Whatever a caller of the push service sends, the answer is one of this API (spec/push-api.md §3, D6)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from random import Random

import pytest
from asgi_client import Answer, Request, header_list, send
from families import PUSH as PUSH_FAMILY
from fastapi import FastAPI
from fuzz_run import FuzzRun
from generated_requests import Amounts, Known, Operation, operations_of
from running_stack import JSON_HEADERS, basic

from powerauth_push.app import create_app
from powerauth_push.callers import service as callers
from powerauth_push.callers.rules import EVERYTHING
from powerauth_push.settings import PushSettings
from servicekit.serving import lifespan_of

pytestmark = pytest.mark.fuzz

AMOUNTS = Amounts(boundary=16, valid=4, invalid=4)
AREAS = ("/push/device/", "/push/message/", "/push/campaign/", "/inbox/", "/admin/", "/")
"""Groups of paths; each is in the first that fits."""
APP, USER, ACTIVATION, TOKEN = "app-1", "user-1", "activation-1", "token-1"
_CLOSED_PORT = 9


class PushAlone:
    """The push service in this process, with an application, a phone, a campaign and a stored message.

    :ivar user: credentials of a caller that may do everything
    """

    def __init__(self, app: FastAPI, user: dict[str, str]) -> None:
        self.app = app
        self.user = user
        self.message = ""
        self.campaign = 0

    async def send(self, service: str, request: Request) -> Answer:
        """See `Stack`."""
        return await send(
            self.app, Request(request.method, service + request.target, request.headers, request.body)
        )

    async def ask(self, method: str, path: str, content: object) -> object:
        """Make a call that must succeed; the response object."""
        body = json.dumps({"requestObject": content}).encode()
        headers = header_list({**JSON_HEADERS, **self.user})
        answer = await self.send("/powerauth-push-server", Request(method, path, headers, body))
        assert answer.status == 200, answer
        return answer.json().get("responseObject")

    async def prepare(self) -> Known:
        """What exists; what the last operation has taken away is made again."""
        registration = {
            "appId": APP,
            "token": TOKEN,
            "platform": "hms",
            "activationId": ACTIVATION,
            "userId": USER,
            "activationStatus": "ACTIVE",
        }
        await self.ask("POST", "/push/device/create", registration)
        return {
            "appId": [APP],
            "userId": [USER],
            "activationId": [ACTIVATION],
            "token": [TOKEN],
            "id": [self.message, self.campaign],
            "inboxId": [self.message],
            "applications": [APP],
        }


@pytest.fixture(scope="module")
async def push(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PushAlone]:
    """The service; the core and the providers are away."""
    settings = PushSettings(
        environment="test",
        database_url=f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('push') / 'push.sqlite3'}",
        core_url=f"http://127.0.0.1:{_CLOSED_PORT}/powerauth-java-server",
        master_encryption_key="MTIzNDU2Nzg5MDEyMzQ1Ng==",
        registration_multiple_activations_enabled=True,
        jobs_enabled=False,
        request_log=False,
    )
    app = create_app(settings)
    async with lifespan_of(app):
        made = await callers.create(app.state.push.database, "tests", EVERYTHING)
        assert made is not None
        alone = PushAlone(app, basic(made.client_token, made.client_secret))
        await alone.ask("POST", "/admin/app/create", {"appId": APP})
        campaign = await alone.ask("POST", "/push/campaign/create", {"appId": APP, "message": {}})
        stored = {
            "userId": USER,
            "type": "text",
            "subject": "A subject",
            "summary": "A summary",
            "body": "The whole body",
            "applications": [APP],
        }
        message = await alone.ask("POST", "/inbox/messages", stored)
        assert isinstance(campaign, dict)
        assert isinstance(message, dict)
        alone.campaign, alone.message = campaign["id"], message["id"]
        yield alone


def operations_in(push: PushAlone, area: str) -> list[Operation]:
    """The operations of a group."""
    return [item for item in operations_of(push.app.openapi()) if area_of(item.path) == area]


def area_of(path: str) -> str:
    """The group of a path."""
    return next(area for area in AREAS if path.startswith(area))


@pytest.mark.parametrize("area", AREAS)
async def test_any_request(push: PushAlone, area: str) -> None:
    run = FuzzRun(push, "/powerauth-push-server", PUSH_FAMILY, AMOUNTS, push.prepare)

    async def dress(request: Request, _random: Random) -> Request:
        return request.with_headers(push.user)

    findings = await run.operations(operations_in(push, area), dress)
    findings.check()
    assert findings.statuses[200], "no request got through"


async def test_every_operation_is_in_an_area(push: PushAlone) -> None:
    assert {area_of(operation.path) for operation in operations_of(push.app.openapi())} == set(AREAS)
