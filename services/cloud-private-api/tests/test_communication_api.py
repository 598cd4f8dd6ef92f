"""Messages, inbox, campaigns and credentials at push (spec/cloud-api.md §9, §11.4)."""

from __future__ import annotations

from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_push import FakePush, PushRefusal

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud import campaigns, inbox, messages, push_credentials
from powerauth_contracts.push import applications as push_applications
from powerauth_contracts.push import campaigns as push_campaigns
from powerauth_contracts.push import inbox as push_inbox
from powerauth_contracts.push import messages as push_messages
from powerauth_contracts.push.calls import PushCall
from powerauth_contracts.wire import ObjectRequest

MESSAGE = {"userId": "user-1", "title": "Payment", "message": "1000 EUR came in"}
INBOX = {
    "userId": "user-1",
    "subject": "New terms",
    "summary": "Please read them",
    "body": "They hold from Monday on.",
}
CAMPAIGN = {"appId": "app-a", "message": {"title": "Hello", "message": "Everybody"}}
APNS = {"topic": "com.example", "keyId": "K", "teamId": "T", "privateKeyBase64": "c2VjcmV0"}
UNREACHABLE = "ERROR_UNABLE_TO_CALL_UPSTREAM_SERVICE"


@pytest.fixture(autouse=True)
def _applications(push: FakePush) -> None:
    push.application("app-a")
    push.application("app-b")


@pytest.fixture
async def bank(pushing: Service) -> Client:
    return await pushing.user("bank", ["app-a"])


@pytest.fixture
async def other_bank(pushing: Service) -> Client:
    return await pushing.user("other", ["app-b"])


@pytest.fixture
async def admin(pushing: Service) -> Client:
    return await pushing.user("admin", roles=["ROLE_ADMIN"])


# Messages.


async def test_a_message_is_sent_in_every_application_that_push_knows(
    pushing: Service, push: FakePush
) -> None:
    caller = await pushing.user("all", ["app-a", "app-b", "app-c"])
    extras = {"n": 1, "deep": {"list": [True, None]}}
    assert await caller.ok("POST", "/v2/messages/send", MESSAGE | {"extras": extras}) == {"status": "OK"}
    assert [app_id for app_id, _ in push.sent] == ["app-a", "app-b"]
    assert push.sent[0][1] == {
        "userId": "user-1",
        "activationId": None,
        "priority": "HIGH",
        "attributes": {"silent": False, "personal": True},
        "body": {"title": "Payment", "body": "1000 EUR came in", "sound": "default", "extras": extras},
    }


async def test_a_message_to_one_registration_and_a_silent_one(bank: Client, push: FakePush) -> None:
    registration = bank.core.activation("app-a")
    body = {"userId": "user-1", "registrationId": registration, "silent": True, "extras": {"a": "b"}}
    await bank.ok("POST", "/v2/messages/send", body)
    ((_, message),) = push.sent
    assert message["activationId"] == registration
    assert message["attributes"] == {"silent": True, "personal": True}
    assert message["body"]["sound"] is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"title": None}, "ERROR_PUSH_MESSAGE"),
        ({"title": " \t"}, "ERROR_PUSH_MESSAGE"),
        ({"message": ""}, "ERROR_PUSH_MESSAGE"),
        ({"userId": ""}, "ERROR_REQUEST"),
        ({"appId": "app-b"}, "ERROR_REQUEST"),
        ({"registrationId": "00000000-0000-0000-0000-000000000000"}, "ERROR_REGISTRATION_NOT_FOUND"),
        ({"extras": {str(number): 1 for number in range(101)}}, "ERROR_REQUEST"),
    ],
)
async def test_a_message_that_cannot_be_sent(
    bank: Client, push: FakePush, change: dict[str, Any], code: str
) -> None:
    found = await bank.refused("POST", "/v2/messages/send", MESSAGE | change, code=code)
    if not (change.get("title", "x") or "").strip():
        assert found["message"] == "Title must not be blank."
    assert push.sent == []


async def test_a_registration_of_another_user_is_unknown(bank: Client, push: FakePush) -> None:
    body = MESSAGE | {"registrationId": bank.core.activation("app-a", "user-2")}
    await bank.refused("POST", "/v2/messages/send", body, code="ERROR_REGISTRATION_NOT_FOUND")
    assert push.sent == []


async def test_what_push_refuses_is_told_member_by_member(bank: Client, push: FakePush) -> None:
    wrong = {"fieldName": "requestObject.message.body.title", "hint": "is too long"}
    push.refusals["/push/message/send"] = PushRefusal("ERROR_REQUEST", violations=[wrong])
    found = await bank.refused("POST", "/v2/messages/send", MESSAGE, code="ERROR_PUSH_MESSAGE")
    assert found["violations"] == [{"fieldName": "message.body.title", "hint": "is too long"}]


async def test_push_that_does_not_list_its_applications(bank: Client, push: FakePush) -> None:
    push.refusals["/admin/app/list"] = PushRefusal("ERROR_GENERIC")
    await bank.refused("POST", "/v2/messages/send", MESSAGE, status=500, code=UNREACHABLE)


async def test_applications_that_push_does_not_know(pushing: Service) -> None:
    caller = await pushing.user("new", ["app-c"])
    await caller.refused("POST", "/v2/messages/send", MESSAGE, code="ERROR_PUSH_MESSAGE")
    await caller.refused("POST", "/v2/inbox/messages", INBOX, code="ERROR_INBOX")
    assert await caller.ok("GET", "/v2/inbox/messages", userId="user-1") == {"messages": []}


# Inbox.


async def test_a_message_of_the_inbox_is_stored_announced_listed_and_read(
    pushing: Service, bank: Client, push: FakePush
) -> None:
    made = await bank.ok("POST", "/v2/inbox/messages", INBOX)
    told = {name: value for name, value in INBOX.items() if name != "userId"} | {"type": "text"}
    assert isinstance(made.pop("timestamp"), int)
    assert made == {**told, "id": made["id"], "read": False}
    assert await pushing.cloud.outbox.run_due() == 1
    ((app_id, message),) = push.sent
    assert (app_id, message["userId"]) == ("app-a", "user-1")
    assert message["body"] == {
        "title": "New terms",
        "body": "Please read them",
        "sound": "default",
        "extras": {"messageType": "mtoken.inboxMessage.new", "inboxId": made["id"]},
    }
    (item,) = (await bank.ok("GET", "/v2/inbox/messages", userId="user-1"))["messages"]
    assert set(item) == {"id", "type", "subject", "summary", "read", "timestamp"}
    assert await bank.ok("GET", "/v2/inbox/messages/count", userId="user-1") == {"countUnread": 1}
    path = f"/v2/inbox/messages/{made['id']}"
    assert await bank.ok("POST", f"{path}/read") == {"status": "OK"}
    detail = await bank.ok("GET", path)
    assert (detail["userId"], detail["read"], detail["body"]) == ("user-1", True, INBOX["body"])
    assert isinstance(detail["timestampRead"], int)
    assert await bank.ok("GET", "/v2/inbox/messages", userId="user-1", onlyUnread="true") == {"messages": []}
    await bank.ok("POST", "/v2/inbox/messages", INBOX | {"silent": True, "type": "html"})
    await bank.ok("POST", "/v2/inbox/messages/read-all", {"userId": "user-1"})
    assert await bank.ok("GET", "/v2/inbox/messages/count", userId="user-1") == {"countUnread": 0}
    assert await pushing.cloud.outbox.run_due() == 0, "a silent one is not announced"


@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"subject": "short"}, "ERROR_INBOX", ["subject"]),
        ({"summary": "x" * 256, "body": "x" * 65_537}, "ERROR_INBOX", ["summary", "body"]),
        ({"type": "TEXT"}, "ERROR_INBOX", ["type"]),
        ({"subject": None}, "ERROR_REQUEST", ["subject"]),
        ({"userId": "x" * 256}, "ERROR_REQUEST", ["userId"]),
        ({"applications": ["app-b"]}, "ERROR_REQUEST", ["applications"]),
        ({"applications": []}, "ERROR_REQUEST", ["applications"]),
    ],
)
async def test_a_message_of_the_inbox_that_cannot_be_stored(
    bank: Client, push: FakePush, change: dict[str, Any], code: str, fields: list[str]
) -> None:
    found = await bank.refused("POST", "/v2/inbox/messages", INBOX | change, code=code)
    assert [violation["fieldName"] for violation in found["violations"]] == fields
    assert push.inbox == {}


async def test_an_inbox_body_of_the_longest_length_passes(bank: Client) -> None:
    await bank.ok("POST", "/v2/inbox/messages", INBOX | {"body": "é" * 65_536})


async def test_a_named_application_that_push_does_not_know(pushing: Service) -> None:
    caller = await pushing.user("two", ["app-a", "app-c"])
    await caller.ok("POST", "/v2/inbox/messages", INBOX)
    body = INBOX | {"applications": ["app-a", "app-c"]}
    await caller.refused("POST", "/v2/inbox/messages", body, code="ERROR_INBOX")
    await caller.refused(
        "GET", "/v2/inbox/messages/count", code="ERROR_INBOX", userId="user-1", appId="app-c"
    )


async def test_messages_of_another_bank_are_unknown(bank: Client, other_bank: Client, push: FakePush) -> None:
    made = await bank.ok("POST", "/v2/inbox/messages", INBOX)
    path = f"/v2/inbox/messages/{made['id']}"
    for unknown in (path, "/v2/inbox/messages/none"):
        await other_bank.refused("GET", unknown, code="ERROR_INBOX_NOT_FOUND")
        await other_bank.refused("POST", f"{unknown}/read", code="ERROR_INBOX_NOT_FOUND")
    assert not push.inbox[made["id"]]["read"]
    assert await other_bank.ok("GET", "/v2/inbox/messages", userId="user-1") == {"messages": []}
    body = {"userId": "user-1", "appId": "app-a"}
    await other_bank.refused("POST", "/v2/inbox/messages/read-all", body, code="ERROR_REQUEST")


# Campaigns.


async def test_a_campaign_from_making_to_removal(pushing: Service, bank: Client, push: FakePush) -> None:
    made = await bank.ok("POST", "/v2/campaigns", CAMPAIGN)
    path = f"/v2/campaigns/{made['campaignId']}"
    shown = {"campaignId": 1, "appId": "app-a", "sent": False, "message": CAMPAIGN["message"]}
    assert await bank.ok("GET", path) == shown
    assert await bank.ok("GET", "/v2/campaigns") == {"campaigns": [shown]}
    await bank.ok("POST", f"{path}/users", ["user-1", "user-2", "user-3"])
    await bank.ok("DELETE", f"{path}/users", ["user-2"])
    assert await bank.ok("GET", f"{path}/users", page=0, size=10) == {"users": ["user-1", "user-3"]}
    await bank.ok("POST", f"{path}/test", {"userId": "user-1"})
    assert push.campaigns[1]["tested"] == "user-1"
    await bank.ok("POST", f"{path}/send")
    assert await bank.ok("GET", "/v2/campaigns") == {"campaigns": []}
    assert (await bank.ok("GET", "/v2/campaigns", all="true"))["campaigns"][0]["sent"] is True
    await bank.ok("DELETE", path)
    await bank.refused("GET", path, status=404, code="ERROR_NOT_FOUND")
    told = [row.message for row in await pushing.audit() if row.message.startswith("Campaign")]
    assert told == ["Campaign created", "Campaign sent", "Campaign removed"]


async def test_campaigns_of_another_bank_are_unknown(
    bank: Client, other_bank: Client, push: FakePush
) -> None:
    await bank.ok("POST", "/v2/campaigns", CAMPAIGN)
    before = dict(push.campaigns[1])
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/users", ["user-1"]),
        ("DELETE", "/users", ["user-1"]),
        ("GET", "/users", None),
        ("POST", "/send", None),
        ("POST", "/test", {"userId": "user-1"}),
    ]
    for unknown in ("1", "2", "-1", "99999999999", "x"):
        for method, action, body in calls:
            path = f"/v2/campaigns/{unknown}{action}"
            await other_bank.refused(method, path, body, status=404, code="ERROR_NOT_FOUND")
    assert push.campaigns[1] == before
    assert await other_bank.ok("GET", "/v2/campaigns") == {"campaigns": []}
    await other_bank.refused("POST", "/v2/campaigns", CAMPAIGN, code="ERROR_REQUEST")


@pytest.mark.parametrize("users", [{}, "user-1", [1.5, {}], [""], ["x" * 256], [None]])
async def test_users_of_a_campaign_are_an_array_of_texts(bank: Client, users: object) -> None:
    await bank.ok("POST", "/v2/campaigns", CAMPAIGN)
    await bank.refused("POST", "/v2/campaigns/1/users", users, code="ERROR_REQUEST")


async def test_what_a_campaign_does_not_allow(bank: Client, push: FakePush) -> None:
    await bank.ok("POST", "/v2/campaigns", CAMPAIGN)
    push.refusals["/push/campaign/send/live/1"] = PushRefusal("ERROR_GENERIC")
    await bank.refused("POST", "/v2/campaigns/1/send", code="ERROR_REQUEST")
    push.refusals["/push/campaign/create"] = PushRefusal("ERROR_GENERIC")
    await bank.refused("POST", "/v2/campaigns", CAMPAIGN, code="ERROR_PUSH_MESSAGE")


# Credentials.


async def test_credentials_go_to_push_and_are_never_shown(
    pushing: Service, admin: Client, push: FakePush
) -> None:
    pushing.core.application("app-new")
    path = "/admin/applications/app-new/push"
    assert await admin.ok("GET", path) == {"apns": False, "fcm": False, "hms": False}
    assert await admin.ok("POST", f"{path}/apns", APNS) == {"status": "OK"}
    assert push.applications["app-new"]["apns"] == {
        "appId": "app-new",
        "bundle": "com.example",
        "keyId": "K",
        "teamId": "T",
        "environment": "production",
        "privateKeyBase64": "c2VjcmV0",
    }
    await admin.ok("POST", f"{path}/apns", APNS | {"environment": "Development"})
    assert push.applications["app-new"]["apns"]["environment"] == "development"
    await admin.ok("POST", f"{path}/fcm", {"projectId": "p", "privateKeyBase64": "c2VjcmV0"})
    await admin.ok("POST", f"{path}/hms", {"projectId": "p", "clientId": "c", "clientSecret": "secret"})
    assert await admin.ok("GET", path) == {"apns": True, "fcm": True, "hms": True}
    for provider in ("apns", "fcm", "hms", "hms"):
        assert await admin.ok("DELETE", f"{path}/{provider}") == {"status": "OK"}
    assert await admin.ok("GET", path) == {"apns": False, "fcm": False, "hms": False}
    told = [row for row in await pushing.audit() if row.message.startswith("Push credentials")]
    assert len(told) == 8
    assert not any("c2VjcmV0" in str(row.param) or "secret" in str(row.param) for row in told)


async def test_operations_ring_from_the_first_credentials_on(
    pushing: Service, admin: Client, push: FakePush
) -> None:
    pushing.core.template("login")
    await admin.ok("POST", "/admin/applications", {"id": "app-new"})
    assert push.applications["app-new"] == {}
    caller = await pushing.user("new", ["app-new"])
    operation = {"userId": "user-1", "template": "login"}
    assert (await caller.ok("POST", "/v2/operations", operation))["pushSent"] is False
    await admin.ok("POST", "/admin/applications/app-new/push/apns", APNS)
    assert (await caller.ok("POST", "/v2/operations", operation))["pushSent"] is True
    await admin.ok("DELETE", "/admin/applications/app-new/push/apns")
    assert (await caller.ok("POST", "/v2/operations", operation))["pushSent"] is False


async def test_credentials_that_push_refuses(pushing: Service, admin: Client, push: FakePush) -> None:
    pushing.core.application("app-a")
    path = "/admin/applications/app-a/push/apns"
    wrong = [
        {"fieldName": "requestObject.bundle", "hint": "is of another team"},
        {"fieldName": "requestObject.privateKeyBase64", "hint": "is no P-256 key"},
    ]
    push.refusals["/admin/app/apns"] = PushRefusal("ERROR_REQUEST", violations=wrong)
    found = await admin.refused("POST", path, APNS, code="ERROR_REQUEST")
    assert [violation["fieldName"] for violation in found["violations"]] == ["topic", "privateKeyBase64"]
    found = await admin.refused("POST", path, APNS | {"privateKeyBase64": 7}, code="ERROR_REQUEST")
    assert found["violations"][0]["invalidValue"] == "***"
    assert await admin.violation("POST", path, APNS | {"environment": "moon"}) == "environment"
    unknown = "/admin/applications/none/push"
    await admin.refused("POST", f"{unknown}/apns", APNS, status=404, code="ERROR_NOT_FOUND")
    await admin.refused("DELETE", f"{unknown}/apns", status=404, code="ERROR_NOT_FOUND")
    await admin.refused("GET", unknown, status=404, code="ERROR_NOT_FOUND")


# Every call.

BODIES: dict[str, Any] = {
    "sendMessage": MESSAGE,
    "createInboxMessage": INBOX,
    "readAllInboxMessages": {"userId": "user-1"},
    "createCampaign": CAMPAIGN,
    "addCampaignUsers": ["user-1"],
    "removeCampaignUsers": ["user-1"],
    "testCampaign": {"userId": "user-1"},
    "updateApns": APNS,
    "updateFcm": {"projectId": "p", "privateKeyBase64": "c2VjcmV0"},
    "updateHms": {"projectId": "p", "clientId": "c", "clientSecret": "secret"},
}
CALLS = [
    (call.name, call.method, call.path.replace("{appId}", "app-a").replace("{id}", "1"))
    for subject in (messages, inbox, campaigns, push_credentials)
    for call in vars(subject).values()
    if isinstance(call, Endpoint)
]


@pytest.mark.parametrize(("name", "method", "path"), CALLS)
async def test_while_push_is_away_nothing_is_answered_but_that(
    pushing: Service, push: FakePush, name: str, method: str, path: str
) -> None:
    caller = await pushing.user("both", ["app-a"], roles=["ROLE_USER", "ROLE_ADMIN"])
    push.down = True
    query = {"userId": "user-1"} if method == "GET" and "/inbox/" in path else {}
    await caller.refused(method, path, BODIES.get(name), status=500, code=UNREACHABLE, **query)


@pytest.mark.parametrize(("name", "method", "path"), CALLS)
async def test_calls_need_their_role(service: Service, name: str, method: str, path: str) -> None:
    nobody = await service.user("nobody", roles=[])
    await nobody.refused(method, path, BODIES.get(name), status=403, code="HTTP_403")


async def test_without_a_push_service_there_is_none_to_reach(service: Service) -> None:
    caller = await service.user("bank", ["app-a"])
    await caller.refused("POST", "/v2/messages/send", MESSAGE, status=500, code=UNREACHABLE)


async def test_what_push_is_asked_is_of_its_contract(
    pushing: Service, bank: Client, admin: Client, push: FakePush
) -> None:
    """Requests are written member by member: each is read here as push reads it."""
    pushing.core.template("login")
    await bank.ok("POST", "/v2/operations", {"userId": "user-1", "template": "login"})
    made = await bank.ok("POST", "/v2/inbox/messages", INBOX)
    await pushing.cloud.outbox.run_due()
    await bank.ok("POST", "/v2/messages/send", MESSAGE)
    await bank.ok("GET", "/v2/inbox/messages", userId="user-1")
    await bank.ok("GET", "/v2/inbox/messages/count", userId="user-1")
    await bank.ok("POST", f"/v2/inbox/messages/{made['id']}/read")
    await bank.ok("POST", "/v2/inbox/messages/read-all", {"userId": "user-1"})
    await bank.ok("POST", "/v2/campaigns", CAMPAIGN)
    for method, action in (("GET", ""), ("POST", "/users"), ("GET", "/users"), ("DELETE", "/users")):
        body = ["user-1"] if method != "GET" else None
        await bank.ok(method, f"/v2/campaigns/1{action}", body)
    await bank.ok("POST", "/v2/campaigns/1/test", {"userId": "user-1"})
    await bank.ok("POST", "/v2/campaigns/1/send")
    await bank.ok("GET", "/v2/campaigns")
    await bank.ok("DELETE", "/v2/campaigns/1")
    pushing.core.application("app-new")
    for provider, name in (("apns", "updateApns"), ("fcm", "updateFcm"), ("hms", "updateHms")):
        await admin.ok("POST", f"/admin/applications/app-new/push/{provider}", BODIES[name])
        await admin.ok("DELETE", f"/admin/applications/app-new/push/{provider}")
    known = [
        call
        for subject in (push_messages, push_inbox, push_campaigns, push_applications)
        for call in vars(subject).values()
        if isinstance(call, PushCall)
    ]
    asked = set()
    for method, path, request in push.calls:
        template = "/".join("{id}" if part.isdigit() else part for part in path.split("/"))
        (call,) = [one for one in known if one.path == template and method in one.methods]
        asked.add(call.path)
        if call.reads == "query":
            call.request.model_validate(request)
        elif call.request is not type(None):
            ObjectRequest[call.request].model_validate({"requestObject": request})  # type: ignore[name-defined]
    assert len(asked) == 22
