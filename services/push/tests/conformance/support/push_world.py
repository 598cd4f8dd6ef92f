"""A case's own application, user and phone in a service that all cases share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from push_client import Client, Service
from push_keys import account, certificate, encoded, hms, p8

from powerauth_contracts.push.calls import PushCall
from powerauth_contracts.push.table import CALLS

FOLDER = Path(__file__).parents[1] / "cases"
GROUPS = ("devices", "messages", "campaigns", "inbox", "applications", "system")
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What spoils a request; see README.md."""

    code: str
    status: int = 400
    change: dict[str, Any] = field(default_factory=dict)
    whole: Any = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A call's sound request, its answer and its refusals; see README.md."""

    path: str
    method: str | None = None
    id: str = "{CAMPAIGN}"
    sound: Any = None
    answer: Any = None
    more: list[tuple[dict[str, Any], Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    @property
    def calls(self) -> list[PushCall[Any, Any]]:
        """Those of the path, only the one with the method if there is one."""
        return [
            call
            for call in CALLS
            if call.path == self.path and (self.method is None or self.method in call.methods)
        ]

    @property
    def call(self) -> PushCall[Any, Any]:
        """The call."""
        return self.calls[0]


def _read(group: str) -> list[Case]:
    return [Case(**content) for content in json.loads((FOLDER / f"{group}.json").read_text(encoding="utf-8"))]


CASES = [case for group in GROUPS for case in _read(group)]


@dataclass
class World:
    """What a case names."""

    service: Service
    client: Client
    number: int = field(default_factory=lambda: next(_numbers))
    made: dict[str, Any] = field(default_factory=dict)

    async def filled(self, value: Any) -> Any:
        """A value with things in place of their names."""
        if isinstance(value, dict):
            return {name: await self.filled(member) for name, member in value.items()}
        if isinstance(value, list):
            return [await self.filled(member) for member in value]
        if isinstance(value, str) and value[:1] == "{" and value[-1:] == "}":
            return await self.thing(value[1:-1])
        return value

    async def thing(self, name: str) -> Any:
        """A thing, made when it is first named."""
        if name not in self.made:
            self.made[name] = await _MAKERS[name](self)
        return self.made[name]

    async def send(
        self, case: Case, request: Any, method: str | None = None, number: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Make the call; status and body of the answer."""
        call = case.call
        path = case.path
        if "{id}" in path:
            path = path.replace("{id}", str(await self.filled(number or case.id)))
        query = {} if call.reads != "query" or request is None else request
        body = None if call.reads == "query" else request
        if call.reads == "envelope" and request is not None:
            body = {"requestObject": request}
        response = await self.client.send(method or case.method or call.methods[0], path, body, **query)
        return response.status_code, response.json()

    async def _ask(self, method: str, path: str, asked: Any = None) -> Any:
        return await self.client.ok(method, path, asked)

    async def app(self) -> str:
        app_id = f"app-{self.number}"
        await self._ask("POST", "/admin/app/create", {"appId": app_id})
        await self._ask("PUT", "/admin/app/hms", hms(appId=app_id))
        return app_id

    async def activation(self) -> str:
        return self.service.core.activation(
            f"activation-{self.number}", await self.thing("USER"), await self.thing("APP")
        )

    async def phone(self) -> str:
        activation: str = await self.thing("ACTIVATION")
        request = {"appId": "{APP}", "token": "{TOKEN}", "platform": "hms", "activationId": activation}
        await self._ask("POST", "/push/device/create", await self.filled(request))
        return activation

    async def campaign(self) -> int:
        await self.thing("PHONE")
        request = {"appId": "{APP}", "message": {"title": "News"}}
        created = await self._ask("POST", "/push/campaign/create", await self.filled(request))
        number: int = created["id"]
        await self._ask("PUT", f"/push/campaign/{number}/user/add", [await self.thing("USER")])
        return number

    async def running(self) -> int:
        number: int = await self.thing("CAMPAIGN")
        await self._ask("POST", f"/push/campaign/send/live/{number}")
        return number

    async def paused(self) -> int:
        number: int = await self.thing("RUNNING")
        await self._ask("POST", f"/push/campaign/{number}/pause")
        return number

    async def stored(self) -> str:
        request = {
            "userId": "{USER}",
            "type": "text",
            "subject": "A subject",
            "summary": "A summary",
            "body": "The whole body",
            "applications": ["{APP}"],
        }
        created = await self._ask("POST", "/inbox/messages", await self.filled(request))
        inbox_id: str = created["id"]
        return inbox_id


def _constant(make: Callable[[World], Any]) -> Callable[[World], Awaitable[Any]]:
    async def made(world: World) -> Any:
        return make(world)

    return made


async def _unconfigured(world: World) -> str:
    app_id = f"core-{world.number}"
    world.service.core.applications.append(app_id)
    return app_id


async def _removed(world: World) -> str:
    return world.service.core.activation(f"removed-{world.number}", "user", "app", "REMOVED")


_MAKERS: dict[str, Callable[[World], Awaitable[Any]]] = {
    "APP": World.app,
    "USER": _constant(lambda world: f"user-{world.number}"),
    "TOKEN": _constant(lambda world: f"token-{world.number}"),
    "ACTIVATION": World.activation,
    "REMOVED": _removed,
    "PHONE": World.phone,
    "CAMPAIGN": World.campaign,
    "RUNNING": World.running,
    "PAUSED": World.paused,
    "MESSAGE": World.stored,
    "NEW_APP": _constant(lambda world: f"new-{world.number}"),
    "UNCONFIGURED": _unconfigured,
    "P8": _constant(lambda _: encoded(p8())),
    "OTHER_CURVE": _constant(lambda _: encoded(p8("secp384r1"))),
    "EXPIRED": _constant(lambda _: encoded(certificate(days=-1))),
    "ACCOUNT": _constant(lambda _: encoded(account())),
    "LONG": _constant(lambda _: "x" * 5_000),
    "MANY": _constant(lambda _: [{"userId": "u", "body": {}}] * 21),
}


def includes(found: Any, expected: Any) -> bool:
    """Whether an answer has what is expected; ``*`` is anything, an object may have more."""
    if expected == "*":
        return True
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and includes(found[name], member) for name, member in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(includes(*pair) for pair in zip(found, expected, strict=True))
        )
    return bool(found == expected)
