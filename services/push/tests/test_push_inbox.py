"""The inbox (spec/push-api.md §16): whose messages, in which order, read once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from push_client import Client, Service

from powerauth_push.callers.rules import Scope
from servicekit.testing import DIALECTS

MESSAGES = "/inbox/messages"


async def applications(cloud: Client, *ids: str) -> None:
    for app_id in ids:
        await cloud.ok("POST", "/admin/app/create", {"appId": app_id})


async def store(cloud: Client, subject: str, user: str = "user-1", *apps: str, **changed: Any) -> str:
    request = {
        "userId": user,
        "type": "text",
        "subject": f"Subject {subject}",
        "summary": "Summary of it",
        "body": "The whole body",
        "applications": list(apps or ("app-1",)),
    }
    created: dict[str, str] = await cloud.ok("POST", MESSAGES, request | changed)
    return created["id"]


async def subjects(client: Client, headers: dict[str, str] | None = None, **query: Any) -> list[str]:
    listed = await client.ok("GET", f"{MESSAGES}/list", None, headers, **query)
    return [item["subject"].removeprefix("Subject ") for item in listed]


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_messages_are_listed_newest_first_by_user_and_application(cloud: Client) -> None:
    await applications(cloud, "app-1", "app-2")
    for number in range(5):
        await store(cloud, str(number))
    await store(cloud, "other app", "user-1", "app-2")
    both = await store(cloud, "both apps", "user-1", "app-1", "app-2")
    await store(cloud, "other user", "user-2")
    mine: dict[str, Any] = {"userId": "user-1", "applications": "app-1"}
    assert await subjects(cloud, **mine) == ["both apps", "4", "3", "2", "1", "0"]
    assert await subjects(cloud, **mine, page=1, size=4) == ["1", "0"]
    assert len(await subjects(cloud, userId="user-1", applications="app-1,app-2")) == 7
    await cloud.ok("POST", f"{MESSAGES}/read", {"inboxId": both})
    assert await subjects(cloud, **mine, onlyUnread="true", size=1) == ["4"]
    paged = (await cloud.send("GET", f"{MESSAGES}/list", page=-1, size=9999, **mine)).json()
    assert (paged["page"], paged["size"]) == (0, 2000)


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_a_message_is_read_once_and_all_together(cloud: Client) -> None:
    await applications(cloud, "app-1", "app-2")
    first = await store(cloud, "first", type="HTML")
    for _ in range(2):
        await store(cloud, "more", "user-1", "app-1", "app-2")
    await store(cloud, "other app", "user-1", "app-2")
    counted: dict[str, Any] = {"userId": "user-1", "appId": "app-1"}
    assert await cloud.ok("GET", f"{MESSAGES}/count", **counted) == {"countUnread": 3}
    read = await cloud.ok("POST", f"{MESSAGES}/read", {"inboxId": first})
    assert (read["read"], read["type"]) == (True, "html")
    assert await cloud.ok("POST", f"{MESSAGES}/read", {"inboxId": first}) == read
    assert await cloud.ok("GET", f"{MESSAGES}/detail", id=first) == read
    assert await cloud.ok("POST", f"{MESSAGES}/read-all", counted) is None
    assert await cloud.ok("GET", f"{MESSAGES}/count", **counted) == {"countUnread": 0}
    assert await cloud.ok("GET", f"{MESSAGES}/count", **counted | {"appId": "app-2"}) == {"countUnread": 1}


async def test_a_phone_sees_its_own_messages_whatever_the_request_says(
    service: Service, cloud: Client
) -> None:
    await applications(cloud, "app-1", "app-2")
    mine = await store(cloud, "mine")
    foreign = await store(cloud, "foreign", "user-2")
    elsewhere = await store(cloud, "elsewhere", "user-1", "app-2")
    service.core.activation("a")
    phones = await service.caller("enrollment", Scope.ENROLLMENT)

    def says(action: str) -> dict[str, str]:
        return service.core.statement("a", f"inbox/{action}")

    asked = {"userId": "user-2", "applications": "app-1,app-2"}
    assert await subjects(phones, says("message/list"), **asked) == ["mine"]
    counted = await phones.ok("GET", f"{MESSAGES}/count", None, says("count"), userId="user-2", appId="app-2")
    assert counted == {"countUnread": 1}
    for unknown in (foreign, elsewhere, "unknown"):
        refused = await phones.refused("GET", f"{MESSAGES}/detail", None, says("message/detail"), id=unknown)
        assert refused == (400, "ERROR_MESSAGE_NOT_FOUND")
        body = {"inboxId": unknown}
        assert await phones.refused("POST", f"{MESSAGES}/read", body, says("message/read")) == refused
    reading = says("message/read")
    await phones.ok("GET", f"{MESSAGES}/detail", None, reading, id=mine)
    await phones.ok("POST", f"{MESSAGES}/read", {"inboxId": mine}, reading)
    assert await phones.refused("POST", f"{MESSAGES}/read", {"inboxId": mine}, reading) == (403, "HTTP_403")
    everybody = {"userId": "user-2", "appId": "app-2"}
    await phones.ok("POST", f"{MESSAGES}/read-all", everybody, says("message/read-all"))
    assert await cloud.ok("GET", f"{MESSAGES}/count", userId="user-2", appId="app-1") == {"countUnread": 1}


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_what_is_stored_again_under_a_key_is_one_message(service: Service, cloud: Client) -> None:
    await applications(cloud, "app-1")
    asked = {
        "type": "text",
        "subject": "Subject a",
        "summary": "Summary of it",
        "body": "The whole body",
        "applications": ["app-1"],
    }

    async def stored(user: str, key: str) -> str:
        headers = {"Idempotency-Key": key}
        made: dict[str, str] = await cloud.ok("POST", MESSAGES, asked | {"userId": user}, headers)
        return made["id"]

    copies = await asyncio.gather(*[stored("user-1", "one") for _ in range(5)])
    others = {await stored("user-1", "two"), await stored("user-2", "one")}
    assert len(set(copies)) == 1
    assert len(others | set(copies)) == 3
    assert await subjects(cloud, userId="user-1", applications="app-1") == ["a", "a"]
