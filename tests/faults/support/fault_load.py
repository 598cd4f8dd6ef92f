"""Callers that go on whatever they are answered, and remember all of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from powerauth_cli.bench.prepared import signature_header
from powerauth_cli.bench.provision import Application, BenchPhone, CoreApi, create_application
from powerauth_protocol.common.encoding import b64encode
from servicekit.testing import PATIENCE_SECONDS

APPLICATION = "bank"
TEMPLATE = "bank-payment"
OPERATION_TYPE = "payment"
AUTHORIZE = "/operation/authorize"
UNANSWERED_IN_A_ROW = 10
"""A device must not run ahead of the server's counter by more than the look-ahead of 20."""
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call was answered; status 0: the connection broke."""

    status: int
    code: str = ""
    retry_after: str | None = None
    content: object = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the call was served."""
        return self.status == 200

    def member(self, name: str) -> object:
        """A member of the ``responseObject``."""
        assert isinstance(self.content, dict)
        return self.content["responseObject"][name]


class Http:
    """Sends calls and reads answers."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(timeout=PATIENCE_SECONDS)

    async def post(
        self,
        url: str,
        content: object,
        auth: tuple[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """POST JSON.

        :param content: bytes as they are, anything else as JSON
        """
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        credentials = auth or httpx2.USE_CLIENT_DEFAULT
        try:
            response = await self._client.post(url, content=body, headers=sent, auth=credentials)
        except httpx2.TransportError:
            return Answer(0)
        answer = response.json()
        code = answer["responseObject"]["code"] if response.status_code != 200 else ""
        return Answer(response.status_code, code, response.headers.get("Retry-After"), answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


@dataclass
class Caller:
    """One caller of a load: calls, remembers, calls again.

    :ivar calls: how many it has made, answered or not
    """

    name: str
    one: Callable[[], Awaitable[Answer]]
    calls: int = 0
    answers: list[Answer] = field(default_factory=list)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Call until told to stop."""
        refused = 0
        while not stop.is_set():
            self.calls += 1
            answer = await self.one()
            self.answers.append(answer)
            refused = 0 if answer.ok else refused + 1
            if refused >= UNANSWERED_IN_A_ROW and not stop.is_set():
                self.may_go_on.clear()
                await self.may_go_on.wait()
                refused = 0
            await asyncio.sleep(_PAUSE_SECONDS)

    def served(self, since: int = 0) -> int:
        """How many of the answers after the first `since` were successes."""
        return sum(answer.ok for answer in self.answers[since:])

    def refused(self, since: int = 0) -> int:
        """How many of the answers after the first `since` were not."""
        return len(self.answers) - since - self.served(since)


@asynccontextmanager
async def under_load(callers: Sequence[Caller]) -> AsyncIterator[None]:
    """The callers call while the block runs."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(caller.run(stop)) for caller in callers]
    try:
        yield
    finally:
        stop.set()
        for caller in callers:
            caller.may_go_on.set()
        await asyncio.gather(*tasks)


async def set_up(core: CoreApi) -> Application:
    """An application and a template for operations.

    :return: the application
    """
    application = await create_application(core, APPLICATION)
    await core.call(
        "operation/template/create",
        templateName=TEMPLATE,
        operationType=OPERATION_TYPE,
        signatureType=["POSSESSION_KNOWLEDGE"],
        dataTemplate="A1*A${amount}${currency}",
        expiration=3600,
        maxFailureCount=5,
    )
    return application


def operation_of(user_id: str, **more: object) -> dict[str, Any]:
    """The body of ``operation/create``."""
    return {
        "requestObject": {
            "userId": user_id,
            "applications": [APPLICATION],
            "templateName": TEMPLATE,
            "parameters": {"amount": "100.00", "currency": "CZK"},
            **more,
        }
    }


def approval(device: BenchPhone, operation: dict[str, str]) -> tuple[bytes, str]:
    """A phone's approval: the signed body, and the header."""
    content = {"requestObject": {"id": operation["id"], "data": operation["data"]}}
    body = json.dumps(content, separators=(",", ":")).encode()
    name, _, value = signature_header(device, AUTHORIZE, body).strip().partition(": ")
    assert name == "X-PowerAuth-Authorization"
    return body, value


def approval_at_the_door(device: BenchPhone, operation: dict[str, str]) -> dict[str, object]:
    """The same as enrollment sends it to the core."""
    content = {"requestObject": {"id": operation["id"], "data": operation["data"]}}
    body = json.dumps(content, separators=(",", ":")).encode()
    header = device.sign(body, uri_id=AUTHORIZE).header
    return {"requestObject": {"header": header, "body": b64encode(body)}}
