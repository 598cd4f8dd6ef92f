"""Callbacks (spec/cloud-api.md §11.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloud_client import Client, Service

from cloud_private_api.callbacks.rules import ATTRIBUTES

PATH = "/v2/admin/applications/app-a/callbacks"
CALLBACK: dict[str, Any] = {
    "name": "status",
    "type": "OPERATION_STATUS_CHANGE",
    "callbackUrl": "https://bank.example/callback",
}
BASIC = {"httpBasic": {"enabled": True, "username": "u", "password": "s3cret"}}


async def test_callback_without_attributes_gets_all_of_them(bank: Client) -> None:
    made = await bank.ok("POST", PATH, CALLBACK)
    assert made["attributes"] == list(ATTRIBUTES["OPERATION_STATUS_CHANGE"])
    assert (made["name"], made["type"], made["maxAttempts"]) == ("status", "OPERATION_STATUS_CHANGE", 1)
    made = await bank.ok("POST", PATH, {**CALLBACK, "type": "REGISTRATION_STATUS_CHANGE"})
    assert made["type"] == "REGISTRATION_STATUS_CHANGE"
    assert bank.core.last("application/callback/create")["type"] == "ACTIVATION_STATUS_CHANGE"
    assert "activationStatus" in made["attributes"]


async def test_empty_attributes_mean_the_mandatory_ones(bank: Client) -> None:
    assert (await bank.ok("POST", PATH, {**CALLBACK, "attributes": []}))["attributes"] == []
    await bank.ok("POST", PATH, {**CALLBACK, "attributes": ["type", "operationId", "status", "status"]})
    assert bank.core.last("application/callback/create")["attributes"] == ["status"]


async def test_secrets_are_answered_as_flags(bank: Client, service: Service) -> None:
    authentication = {
        **BASIC,
        "certificate": {"enabled": True, "keyPassword": "s3cret", "keyAlias": "a"},
        "oAuth2": {"enabled": True, "clientId": "c", "clientSecret": "s3cret", "tokenUri": "https://t"},
    }
    made = await bank.ok("POST", PATH, {**CALLBACK, "authentication": authentication})
    shown = made["authentication"]
    assert shown["httpBasic"] == {"enabled": True, "username": "u", "passwordSet": True}
    assert shown["certificate"]["keyPasswordSet"] is True
    assert shown["oauth2"]["clientSecretSet"] is True
    assert "s3cret" not in json.dumps([made, await bank.ok("GET", PATH)])
    assert "s3cret" not in json.dumps([row.param for row in await service.audit()])


async def test_callback_is_read_changed_and_removed(bank: Client) -> None:
    made = await bank.ok("POST", PATH, CALLBACK)
    path = f"{PATH}/{made['id']}"
    assert await bank.ok("GET", path) == made
    assert await bank.ok("GET", PATH) == {"callbacks": [made]}
    body = {**CALLBACK, "name": "new", "maxAttempts": 3, "initialBackoff": "PT1S", "retentionPeriod": "P1D"}
    changed = await bank.ok("PUT", path, body)
    assert (changed["id"], changed["name"], changed["maxAttempts"]) == (made["id"], "new", 3)
    assert await bank.ok("DELETE", path) == {"status": "OK"}
    for method, content in (("GET", None), ("PUT", CALLBACK), ("DELETE", None)):
        await bank.refused(method, path, content, status=404, code="ERROR_NOT_FOUND")
    assert await bank.ok("GET", PATH) == {"callbacks": []}


async def test_change_keeps_secrets_that_are_missing(bank: Client) -> None:
    made = await bank.ok("POST", PATH, {**CALLBACK, "authentication": BASIC})
    path = f"{PATH}/{made['id']}"
    stored = bank.core.applications["app-a"]["callbacks"]
    without_secret = {"httpBasic": {"enabled": True, "username": "v"}}
    await bank.ok("PUT", path, {**CALLBACK, "authentication": without_secret})
    assert stored[made["id"]]["authentication"]["httpBasic"] == {
        "enabled": True,
        "username": "v",
        "password": "s3cret",
    }
    await bank.ok("PUT", path, CALLBACK)
    assert stored[made["id"]]["authentication"]["httpBasic"]["password"] == "s3cret"
    await bank.ok("PUT", path, {**CALLBACK, "authentication": {}})
    assert stored[made["id"]]["authentication"] == {}


@pytest.mark.parametrize("authentication", [None, {"httpBasic": {"enabled": True, "username": "u"}}])
async def test_a_kept_secret_does_not_follow_a_new_address(bank: Client, authentication: Any) -> None:
    made = await bank.ok("POST", PATH, {**CALLBACK, "authentication": BASIC})
    body = {**CALLBACK, "callbackUrl": "https://evil.example/", "authentication": authentication}
    with bank.core.no_change():
        name = await bank.violation("PUT", f"{PATH}/{made['id']}", body)
    assert name == "authentication.httpBasic.password"
    await bank.ok("PUT", f"{PATH}/{made['id']}", {**body, "authentication": BASIC})
    await bank.ok("PUT", f"{PATH}/{made['id']}", {**CALLBACK, "authentication": {}})


@pytest.mark.parametrize("field", ["keyStoreLocation", "trustStoreLocation"])
async def test_files_of_the_core_are_named_by_administrators_only(
    bank: Client, admin: Client, field: str
) -> None:
    body = {**CALLBACK, "authentication": {"certificate": {"enabled": True, field: "store.p12"}}}
    name = await bank.violation("POST", PATH, body)
    assert name == f"authentication.certificate.{field}"
    made = await admin.ok("POST", PATH, body)
    name = await bank.violation("PUT", f"{PATH}/{made['id']}", body)
    assert name == f"authentication.certificate.{field}"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"type": "ACTIVATION_STATUS_CHANGE"}, "type"),
        ({"callbackUrl": "ftp://bank.example"}, "callbackUrl"),
        ({"callbackUrl": "/relative"}, "callbackUrl"),
        ({"callbackUrl": "https://"}, "callbackUrl"),
        ({"callbackUrl": "https://a b"}, "callbackUrl"),
        ({"callbackUrl": "https://" + "a" * 1020}, "callbackUrl"),
        ({"attributes": ["unknown"]}, "attributes"),
        ({"attributes": ["activationStatus"]}, "attributes"),
        ({"maxAttempts": 0}, "maxAttempts"),
        ({"initialBackoff": "2 s"}, "initialBackoff"),
        ({"initialBackoff": "P"}, "initialBackoff"),
        ({"retentionPeriod": "P1DT"}, "retentionPeriod"),
        ({"authentication": {"httpBasic": {"enabled": "yes"}}}, "authentication.httpBasic.enabled"),
    ],
)
async def test_callback_refuses_what_it_cannot_use(bank: Client, changed: dict[str, Any], field: str) -> None:
    assert await bank.violation("POST", PATH, {**CALLBACK, **changed}) == field
    assert bank.core.paths() == []


async def test_core_refusals(bank: Client) -> None:
    bank.core.refuse("application/callback/create", "ERR0014")
    assert await bank.violation("POST", PATH, CALLBACK) == "callbackUrl"
    bank.core.refuse("application/callback/create", "ERR0024")
    await bank.refused("POST", PATH, CALLBACK, code="ERROR_REQUEST")


async def test_callback_counts_only_inside_its_application(
    service: Service, bank: Client, other_bank: Client
) -> None:
    foreign = await other_bank.ok("POST", PATH.replace("app-a", "app-b"), CALLBACK)
    both = await service.user("both", ["app-a", "app-b"])
    for caller in (bank, both):
        for method, body in (("GET", None), ("PUT", CALLBACK), ("DELETE", None)):
            with service.core.no_change():
                answers = [
                    await caller.refused(
                        method, f"{PATH}/{callback_id}", body, status=404, code="ERROR_NOT_FOUND"
                    )
                    for callback_id in (foreign["id"], "00000000-0000-4000-8000-000000000000", "%00")
                ]
            assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("app_id", ["app-x", "%00"])
async def test_unknown_application(admin: Client, app_id: str) -> None:
    path = PATH.replace("app-a", app_id)
    for method, suffix, body in (
        ("GET", "", None),
        ("POST", "", CALLBACK),
        ("GET", "/1", None),
        ("PUT", "/1", CALLBACK),
        ("DELETE", "/1", None),
    ):
        await admin.refused(method, path + suffix, body, status=404, code="ERROR_NOT_FOUND")


async def test_every_change_is_recorded_with_its_maker(bank: Client, service: Service) -> None:
    made = await bank.ok("POST", PATH, CALLBACK)
    await bank.ok("PUT", f"{PATH}/{made['id']}", CALLBACK)
    await bank.ok("DELETE", f"{PATH}/{made['id']}")
    rows = await service.audit()
    assert [row.message for row in rows] == ["Callback created", "Callback changed", "Callback removed"]
    assert {row.subject_id for row in rows} == {"bank"}
