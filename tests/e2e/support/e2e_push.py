"""A push service that remembers what it is asked, and believes only statements that the core has signed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powerauth_cli.bench.provision import CoreApi

CREDENTIALS = ("enrollment-at-push", "secret-of-enrollment")
_STATEMENT = "x-powerauth-statement"
_ACTIONS = {
    "/push/device/create": {"push/device/register"},
    "/inbox/messages/count": {"inbox/count"},
    "/inbox/messages/list": {"inbox/message/list"},
    "/inbox/messages/detail": {"inbox/message/detail", "inbox/message/read"},
    "/inbox/messages/read": {"inbox/message/read"},
    "/inbox/messages/read-all": {"inbox/message/read-all"},
}
"""The actions whose statements each call takes (D1 rule 5)."""


@dataclass(frozen=True)
class Asked:
    """One call: where, by whom according to the core, with what."""

    path: str
    caller: dict[str, Any]
    content: dict[str, Any]


@dataclass
class PushService:
    """Registration and inbox of the real one, in memory.

    :ivar core: set before the first call; its keys verify statements
    """

    core: CoreApi | None = None
    asked: list[Asked] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        """The service over HTTP."""
        return Starlette(
            routes=[
                Route("/push/device/create", self._register, methods=["POST"]),
                Route("/inbox/messages/count", self._count),
                Route("/inbox/messages/list", self._list),
                Route("/inbox/messages/detail", self._detail),
                Route("/inbox/messages/read", self._read, methods=["POST"]),
                Route("/inbox/messages/read-all", self._read_all, methods=["POST"]),
            ]
        )

    def send(self, user_id: str, application_id: str, *ids: str) -> None:
        """Put messages into the inbox of a user."""
        for message_id in ids:
            self.messages[message_id] = {
                "id": message_id,
                "userId": user_id,
                "type": "text",
                "subject": f"Subject of {message_id}",
                "summary": "Summary",
                "body": "Body",
                "read": False,
                "timestampCreated": "2025-01-01T00:00:00.000+00:00",
                "applications": [application_id],
            }

    async def _asked(self, request: Request) -> Asked:
        assert self.core is not None
        keys = KeySet.import_key_set(await self.core.call("statement/keys"))
        statement = jwt.decode(request.headers[_STATEMENT], keys, algorithms=["ES256"]).claims
        assert statement["aud"] in _ACTIONS[request.url.path]
        content = dict(request.query_params)
        if request.method == "POST":
            content = json.loads(await request.body())["requestObject"]
        asked = Asked(request.url.path, statement, content)
        self.asked.append(asked)
        return asked

    def _of(self, caller: dict[str, Any]) -> list[dict[str, Any]]:
        return [message for message in self.messages.values() if message["userId"] == caller["userId"]]

    async def _register(self, request: Request) -> Response:
        await self._asked(request)
        return JSONResponse({"status": "OK"})

    async def _count(self, request: Request) -> Response:
        asked = await self._asked(request)
        unread = sum(not message["read"] for message in self._of(asked.caller))
        return _ok({"countUnread": unread})

    async def _list(self, request: Request) -> Response:
        asked = await self._asked(request)
        wanted = [
            {name: value for name, value in message.items() if name != "body"}
            for message in self._of(asked.caller)
            if not (asked.content["onlyUnread"] == "true" and message["read"])
        ]
        size, page = int(asked.content["size"]), int(asked.content["page"])
        return _ok(wanted[page * size : (page + 1) * size])

    async def _detail(self, request: Request) -> Response:
        asked = await self._asked(request)
        found = self.messages.get(asked.content["id"])
        return _ok(found) if found is not None else JSONResponse({"status": "ERROR"}, 400)

    async def _read(self, request: Request) -> Response:
        asked = await self._asked(request)
        self.messages[asked.content["inboxId"]]["read"] = True
        return JSONResponse({"status": "OK"})

    async def _read_all(self, request: Request) -> Response:
        asked = await self._asked(request)
        for message in self._of(asked.caller):
            message["read"] = True
        return JSONResponse({"status": "OK"})


def _ok(content: object) -> Response:
    return JSONResponse({"status": "OK", "responseObject": content})
