"""Push registration and inbox (spec/enrollment-api.md §13, §14)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from enrollment_fakes import (
    ACTIVATION_ID,
    APPLICATION_ID,
    INVALID_REQUEST,
    NO_HEADERS,
    REMOTE_FAILED,
    SIGNATURE_INVALID,
    USER_ID,
    FakeCore,
    FakePush,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

REGISTER = ["/api/push/device/register", "/api/push/device/register/token"]
COUNT, LIST = "/api/inbox/count", "/api/inbox/message/list"
DETAIL, READ, READ_ALL = "/api/inbox/message/detail", "/api/inbox/message/read", "/api/inbox/message/read-all"
INBOX = [COUNT, LIST, DETAIL, READ, READ_ALL]
STATEMENT = "signed.by.core"
PUSH_FAILED = (400, "PUSH_REGISTRATION_FAILED", "Push registration failed in Mobile Token API component.")
INBOX_FAILED = (400, "INBOX_FAILED", "Unable to process inbox request.")

MESSAGE = {
    "id": "ae64",
    "userId": USER_ID,
    "type": "text",
    "subject": "Hi",
    "summary": "Short",
    "body": "Long",
    "read": False,
    "timestampCreated": "2025-01-01T00:00:00.123+00:00",
    "applications": [APPLICATION_ID, "other"],
}
HEAD = {
    "id": "ae64",
    "type": "text",
    "subject": "Hi",
    "summary": "Short",
    "read": False,
    "timestampCreated": "2025-01-01T00:00:00+0000",
}


@pytest.fixture(autouse=True)
def owner(core: FakeCore) -> None:
    core.script["token/who-am-i"] = {
        "authenticated": True,
        "activationId": ACTIVATION_ID,
        "userId": USER_ID,
        "applicationId": APPLICATION_ID,
        "statement": STATEMENT,
    }


REGISTRATION = {
    "requestObject": {"platform": "fcm", "token": "cR4", "activationId": "of another", "appId": "x"}
}


class TestRegistration:
    @pytest.mark.parametrize("path", REGISTER)
    async def test_ids_come_from_the_token(
        self, client: PublicClient, push: FakePush, phone: Phone, path: str
    ) -> None:
        push.script["/push/device/create"] = {}
        answer = await client.post(path, REGISTRATION, phone.token())
        assert (answer.status, answer.json) == (200, {"status": "OK"})
        assert push.last("/push/device/create") == {
            "platform": "fcm",
            "token": "cR4",
            "appId": APPLICATION_ID,
            "activationId": ACTIVATION_ID,
        }
        assert push.calls[0].headers["x-powerauth-statement"] == STATEMENT
        assert push.calls[0].headers["authorization"].startswith("Basic ")
        assert client.core.paths == ["token/who-am-i"]

    @pytest.mark.parametrize("platform", ["apns", "fcm", "hms", "ios", "android", "huawei"])
    @pytest.mark.parametrize("environment", [None, "development", "production"])
    async def test_platforms_and_environments(
        self, client: PublicClient, push: FakePush, phone: Phone, platform: str, environment: str | None
    ) -> None:
        push.script["/push/device/create"] = {}
        request = {"platform": platform, "token": "t" * 4096, "environment": environment}
        answer = await client.post(REGISTER[0], {"requestObject": request}, phone.token())
        assert answer.status == 200
        assert push.last("/push/device/create").get("environment") == environment

    @pytest.mark.parametrize(
        "request_object",
        [
            None,
            {},
            {"platform": "fcm"},
            {"token": "t"},
            {"platform": "FCM", "token": "t"},
            {"platform": "web", "token": "t"},
            {"platform": [], "token": "t"},
            {"platform": "fcm", "token": ""},
            {"platform": "fcm", "token": "  "},
            {"platform": "fcm", "token": 5},
            {"platform": "fcm", "token": "t" * 4097},
            {"platform": "apns", "token": "t", "environment": "staging"},
            {"platform": "apns", "token": "t", "environment": {}},
        ],
    )
    async def test_invalid(
        self, client: PublicClient, push: FakePush, phone: Phone, request_object: object
    ) -> None:
        answer = await client.post(REGISTER[0], {"requestObject": request_object}, phone.token())
        assert answer.error == INVALID_REQUEST
        assert push.calls == []

    @pytest.mark.parametrize(
        "outcome",
        [Refusal("ERROR_GENERIC"), Raw(500), Raw(401), Raw(200, b"x"), Raw(200, b'{"status":"ERROR"}')],
    )
    async def test_push_failure(
        self, client: PublicClient, push: FakePush, phone: Phone, outcome: Any
    ) -> None:
        push.script["/push/device/create"] = outcome
        assert (await client.post(REGISTER[0], REGISTRATION, phone.token())).error == PUSH_FAILED


@pytest.mark.parametrize("path", REGISTER + INBOX)
async def test_authentication(client: PublicClient, push: FakePush, phone: Phone, path: str) -> None:
    for headers in (NO_HEADERS, phone.authorization(), phone.token(nonce="x")):
        assert (await client.post(path, b"{}", headers)).error == SIGNATURE_INVALID
    assert client.core.calls == []
    for outcome in ({"authenticated": False}, Refusal("ERR0024")):
        client.core.script["token/who-am-i"] = outcome
        assert (await client.post(path, b"no json", phone.token())).error == SIGNATURE_INVALID
    client.core.script["token/who-am-i"] = Raw(500)
    assert (await client.post(path, b"{}", phone.token())).error == REMOTE_FAILED
    assert push.calls == []


@pytest.mark.parametrize("path", REGISTER + INBOX)
async def test_statement_is_for_the_action_alone(client: PublicClient, phone: Phone, path: str) -> None:
    body = REGISTRATION if path in REGISTER else {"requestObject": {"id": "ae64"}}
    await client.post(path, body, phone.token())
    assert client.core.paths == ["token/who-am-i"]
    action = path.removeprefix("/api/").removesuffix("/token")
    assert client.core.last("token/who-am-i")["audience"] == action


class TestInbox:
    async def test_count(self, client: PublicClient, push: FakePush, phone: Phone) -> None:
        push.script["/inbox/messages/count"] = {"countUnread": 3}
        answer = await client.post(COUNT, b"ignored", phone.token())
        assert answer.json == {"status": "OK", "responseObject": {"countUnread": 3}}
        (call,) = push.calls
        assert (call.method, parse_qs(call.query)) == (
            "GET",
            {"userId": [USER_ID], "appId": [APPLICATION_ID]},
        )
        assert call.headers["x-powerauth-statement"] == STATEMENT

    @pytest.mark.parametrize(
        ("request_object", "page", "size", "unread"),
        [
            ({}, 0, 50, "false"),
            ({"page": 2, "size": 100, "onlyUnread": True}, 2, 100, "true"),
            ({"page": None, "size": 1, "onlyUnread": None}, 0, 1, "false"),
        ],
    )
    async def test_list(
        self,
        client: PublicClient,
        push: FakePush,
        phone: Phone,
        request_object: object,
        page: int,
        size: int,
        unread: str,
    ) -> None:
        push.script["/inbox/messages/list"] = lambda request: [MESSAGE]
        answer = await client.post(LIST, {"requestObject": request_object}, phone.token())
        assert answer.json == {"status": "OK", "responseObject": [HEAD], "page": page, "size": size}
        assert parse_qs(push.calls[0].query) == {
            "userId": [USER_ID],
            "applications": [APPLICATION_ID],
            "onlyUnread": [unread],
            "page": [str(page)],
            "size": [str(size)],
        }

    async def test_empty_list_is_written(self, client: PublicClient, push: FakePush, phone: Phone) -> None:
        push.script["/inbox/messages/list"] = lambda request: []
        answer = await client.post(LIST, {"requestObject": {}}, phone.token())
        assert answer.json["responseObject"] == []

    @pytest.mark.parametrize(
        "request_object",
        [
            None,
            {"page": -1},
            {"size": 0},
            {"size": 101},
            {"page": "0"},
            {"size": 1.5},
            {"page": True},
            {"onlyUnread": "x"},
        ],
    )
    async def test_unusable_page(
        self, client: PublicClient, push: FakePush, phone: Phone, request_object: object
    ) -> None:
        answer = await client.post(LIST, {"requestObject": request_object}, phone.token())
        assert answer.error == INVALID_REQUEST
        assert push.calls == []

    async def test_detail(self, client: PublicClient, push: FakePush, phone: Phone) -> None:
        push.script["/inbox/messages/detail"] = MESSAGE
        answer = await client.post(DETAIL, {"requestObject": {"id": "ae64"}}, phone.token())
        assert answer.json == {"status": "OK", "responseObject": HEAD | {"body": "Long"}}
        assert parse_qs(push.calls[0].query) == {"id": ["ae64"]}

    async def test_read_only_what_is_unread(self, client: PublicClient, push: FakePush, phone: Phone) -> None:
        push.script["/inbox/messages/detail"] = MESSAGE
        push.script["/inbox/messages/read"] = MESSAGE
        body = {"requestObject": {"id": "ae64"}}
        assert (await client.post(READ, body, phone.token())).json == {"status": "OK"}
        assert push.last("/inbox/messages/read") == {"inboxId": "ae64"}
        push.calls.clear()
        push.script["/inbox/messages/detail"] = MESSAGE | {"read": True}
        assert (await client.post(READ, body, phone.token())).json == {"status": "OK"}
        assert push.paths == ["/inbox/messages/detail"]

    async def test_read_all(self, client: PublicClient, push: FakePush, phone: Phone) -> None:
        push.script["/inbox/messages/read-all"] = {}
        assert (await client.post(READ_ALL, b"", phone.token())).json == {"status": "OK"}
        assert push.last("/inbox/messages/read-all") == {"userId": USER_ID, "appId": APPLICATION_ID}

    @pytest.mark.parametrize(
        "message",
        [
            MESSAGE | {"userId": "bob"},
            MESSAGE | {"applications": ["other"]},
            MESSAGE | {"applications": None},
            {},
        ],
    )
    @pytest.mark.parametrize("path", [DETAIL, READ])
    async def test_foreign_message_looks_like_an_unknown_one(
        self, client: PublicClient, push: FakePush, phone: Phone, path: str, message: dict[str, Any]
    ) -> None:
        push.script["/inbox/messages/detail"] = message
        foreign = await client.post(path, {"requestObject": {"id": "ae64"}}, phone.token())
        push.script["/inbox/messages/detail"] = Refusal("ERROR_MESSAGE_NOT_FOUND")
        unknown = await client.post(path, {"requestObject": {"id": "ae64"}}, phone.token())
        assert foreign.error == unknown.error == INBOX_FAILED
        assert "/inbox/messages/read" not in push.paths

    @pytest.mark.parametrize("path", [DETAIL, READ])
    @pytest.mark.parametrize("request_object", [None, {}, {"id": ""}, {"id": 5}, {"id": "x" * 256}])
    async def test_unusable_id(
        self, client: PublicClient, push: FakePush, phone: Phone, path: str, request_object: object
    ) -> None:
        answer = await client.post(path, {"requestObject": request_object}, phone.token())
        assert answer.error == INVALID_REQUEST
        assert push.calls == []

    @pytest.mark.parametrize("path", INBOX)
    @pytest.mark.parametrize(
        "outcome", [Raw(500), Raw(200, b"x"), Raw(200, b'{"status":"OK","responseObject":5}')]
    )
    async def test_push_failure(
        self, client: PublicClient, push: FakePush, phone: Phone, path: str, outcome: Raw
    ) -> None:
        for call in ("count", "list", "detail", "read", "read-all"):
            push.script[f"/inbox/messages/{call}"] = outcome
        answer = await client.post(path, {"requestObject": {"id": "ae64"}}, phone.token())
        if path == READ_ALL and outcome.status == 200 and outcome.body != b"x":
            assert answer.status == 200
        else:
            assert answer.error == INBOX_FAILED

    @pytest.mark.parametrize("created", [None, "yesterday", [], True])
    async def test_unreadable_date(
        self, client: PublicClient, push: FakePush, phone: Phone, created: object
    ) -> None:
        broken = MESSAGE | {"timestampCreated": created}
        push.script["/inbox/messages/list"] = lambda request: [broken]
        push.script["/inbox/messages/detail"] = broken
        for path in (LIST, DETAIL):
            answer = await client.post(path, {"requestObject": {"id": "ae64"}}, phone.token())
            assert answer.error == INBOX_FAILED


async def test_absent_without_a_push_service(connect: Callable[..., PublicClient], phone: Phone) -> None:
    client = connect(push_url="")
    for path in REGISTER + INBOX:
        assert (await client.post(path, b"{}", phone.token())).error[:2] == (404, "ERROR_NOT_FOUND")


async def test_inbox_switched_off(connect: Callable[..., PublicClient], phone: Phone) -> None:
    client = connect(inbox_enabled=False)
    for path in INBOX:
        assert (await client.post(path, b"{}", phone.token())).status == 404
    assert (await client.post(REGISTER[0], json.dumps({}).encode(), phone.token())).error == INVALID_REQUEST
