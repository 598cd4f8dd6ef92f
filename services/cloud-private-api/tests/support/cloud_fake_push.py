"""A small push service for tests: remembers applications, messages, inbox and campaigns, and every call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import NAMESPACE_OID, uuid4, uuid5

from cloud_fake_state import Members, b64, iso, now_ms
from starlette.types import Receive, Scope, Send

PUSH_ROOT = "/powerauth-push-server"
PUSH_USER, PUSH_SECRET = "cloud", "secret-at-push"


class PushRefusal(Exception):
    """An error of push."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.answer = {"status": "ERROR", "responseObject": {"code": code, "message": "push text", **extra}}


@dataclass
class FakePush:
    """See the module.

    :ivar applications: with the providers that they have credentials of
    :ivar sent: messages that were taken, with their application; under one key only one
    :ivar calls: method, path, request
    :ivar troubles: the status that messages to a user, or of an application, are answered with
    :ivar down: nobody is reached
    :ivar raw: status and bytes that somebody on the way answers
    """

    applications: dict[str, dict[str, Members]] = field(default_factory=dict)
    sent: list[tuple[str, Members]] = field(default_factory=list)
    inbox: dict[str, Members] = field(default_factory=dict)
    campaigns: dict[int, Members] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    keys: set[tuple[str, str]] = field(default_factory=set)
    refusals: dict[str, PushRefusal] = field(default_factory=dict)
    troubles: dict[str, int] = field(default_factory=dict)
    down: bool = False
    raw: tuple[int, bytes] | None = None

    def application(self, app_id: str, *providers: str) -> None:
        """An application, by default with credentials at Google."""
        self.applications[app_id] = {name: {} for name in providers or ("fcm",)}

    def paths(self) -> list[str]:
        """The paths that were called, in order."""
        return [path for _, path, _ in self.calls]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        path = scope["path"].removeprefix(PUSH_ROOT)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = json.loads(body)["requestObject"] if body else dict(parse_qsl(scope["query_string"].decode()))
        status, answer = self._answer(scope["method"], path, asked, headers)
        status, content = self.raw or (status, json.dumps(answer).encode())
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, method: str, path: str, asked: Any, headers: dict[str, str]) -> tuple[int, Members]:
        if self.down:
            return 503, {}
        if headers.get("authorization") != "Basic " + b64(f"{PUSH_USER}:{PUSH_SECRET}".encode()):
            return 401, {}
        self.calls.append((method, path, asked))
        if path == "/push/message/send":
            for name in (asked["message"]["userId"], asked["appId"]):
                if name in self.troubles:
                    return self.troubles[name], {}
        try:
            if path in self.refusals:
                raise self.refusals[path]
            found = self._found(method, path, asked, headers.get("idempotency-key"))
        except PushRefusal as refusal:
            return 400, refusal.answer
        return 200, {"status": "OK"} | ({} if found is None else {"responseObject": found})

    def _found(self, method: str, path: str, asked: Any, key: str | None) -> Any:
        match path.strip("/").split("/"):
            case ["push", "message", "send"]:
                return self._send(asked, key)
            case ["inbox", "messages", *action]:
                return self._inbox(action[0] if action else "create", asked, key)
            case ["push", "campaign", *rest]:
                return self._campaign(rest, asked)
            case ["admin", "app", action]:
                return self._application(method, action, asked)
        raise AssertionError(path)

    def _send(self, asked: Members, key: str | None) -> Members:
        app_id = asked["appId"]
        self._known(app_id)
        assert asked["mode"] == "ASYNCHRONOUS"
        if key is None or (app_id, key) not in self.keys:
            self.sent.append((app_id, asked["message"]))
        if key is not None:
            self.keys.add((app_id, key))
        return {"mode": asked["mode"]}

    def _known(self, app_id: str, code: str = "ERROR_GENERIC") -> dict[str, Members]:
        if app_id not in self.applications:
            raise PushRefusal(code)
        return self.applications[app_id]

    def _inbox(self, action: str, asked: Members, key: str | None) -> Any:
        for app_id in asked.get("applications") or [asked["appId"]] if "appId" in asked else []:
            self._known(app_id, "ERROR_APP_NOT_FOUND")
        if action == "create":
            message_id = str(uuid4() if key is None else uuid5(NAMESPACE_OID, key))
            if message_id in self.inbox:
                return self.inbox[message_id]
            made = {"id": message_id, "read": False, "timestampCreated": iso(now_ms()), **asked}
            self.inbox[made["id"]] = made
            return made
        if action in ("detail", "read"):
            found = self.inbox.get(asked["id"] if action == "detail" else asked["inboxId"])
            if found is None:
                raise PushRefusal("ERROR_MESSAGE_NOT_FOUND")
            if action == "read":
                found |= {"read": True, "timestampRead": iso(now_ms())}
            return found
        applications = asked["applications"].split(",") if "applications" in asked else [asked["appId"]]
        mine = [
            item
            for item in self.inbox.values()
            if item["userId"] == asked["userId"] and not set(applications).isdisjoint(item["applications"])
        ]
        unread = [item for item in mine if not item["read"]]
        if action == "count":
            return {"countUnread": len(unread)}
        if action == "read-all":
            for item in unread:
                item["read"] = True
            return None
        return unread if asked["onlyUnread"] == "true" else mine

    def _campaign(self, rest: list[str], asked: Any) -> Any:
        if rest == ["create"]:
            number = len(self.campaigns) + 1
            self.campaigns[number] = {"id": number, "sent": False, "users": [], **asked}
            return {"id": number}
        if rest == ["list"]:
            return [
                _shown(item) for item in self.campaigns.values() if asked["all"] == "true" or not item["sent"]
            ]
        number = int(next(part for part in rest if part.isdigit()))
        if number not in self.campaigns:
            raise PushRefusal("ERROR_GENERIC")
        found = self.campaigns[number]
        match [part for part in rest if not part.isdigit()]:
            case ["detail"]:
                return _shown(found)
            case ["delete"]:
                del self.campaigns[number]
                return {"deleted": True}
            case ["user", "list"]:
                start = int(asked["page"]) * int(asked["size"])
                return {"campaignId": number, "users": found["users"][start : start + int(asked["size"])]}
            case ["user", "add"]:
                found["users"] += asked
            case ["user", "delete"]:
                found["users"] = [user for user in found["users"] if user not in asked]
            case ["send", "live"]:
                found["sent"] = True
            case ["send", "test"]:
                found["tested"] = asked["userId"]
            case other:
                raise AssertionError(other)
        return None

    def _application(self, method: str, action: str, asked: Members) -> Any:
        if action == "list":
            return {"applicationList": [_flags(app_id, found) for app_id, found in self.applications.items()]}
        if action == "create":
            if asked["appId"] in self.applications:
                raise PushRefusal("ERROR_GENERIC")
            self.applications[asked["appId"]] = {}
            return {"appId": asked["appId"]}
        found = self._known(asked["appId"])
        if action == "detail":
            return {"application": _flags(asked["appId"], found)}
        if method == "DELETE":
            found.pop(action, None)
        else:
            found[action] = asked
        return None


def _shown(campaign: Members) -> Members:
    return {name: campaign[name] for name in ("id", "appId", "sent", "message")}


def _flags(app_id: str, providers: dict[str, Members]) -> Members:
    return {"appId": app_id, **{name: name in providers for name in ("apns", "fcm", "hms")}}
