"""Administration of callback URLs (spec/core-api.md §18.1)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from core_test_api import Api, Serve, TestApplication
from sqlalchemy import select, text

from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.container import Core

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

URL = "https://bank.example/callback"
AUTHENTICATION = {
    "httpBasic": {"enabled": True, "username": "u", "password": "hidden-1"},
    "oauth2": {
        "enabled": True,
        "tokenUri": "https://id.example/token",
        "clientId": "c",
        "clientSecret": "hidden-2",
        "scope": "s",
    },
    "certificate": {
        "enabled": False,
        "useCustomKeyStore": True,
        "keyStoreLocation": "client.p12",
        "keyStorePassword": "hidden-3",
        "keyAlias": "a",
        "keyPassword": "hidden-4",
        "useCustomTrustStore": True,
        "trustStoreLocation": "trust.p12",
        "trustStorePassword": "hidden-5",
    },
}
PUBLIC = {
    "httpBasic": {"enabled": True, "username": "u", "passwordSet": True},
    "oauth2": {
        "enabled": True,
        "tokenUri": "https://id.example/token",
        "clientId": "c",
        "clientSecretSet": True,
        "scope": "s",
    },
    "certificate": {
        "enabled": False,
        "useCustomKeyStore": True,
        "keyStoreLocation": "client.p12",
        "keyStorePasswordSet": True,
        "keyAlias": "a",
        "keyPasswordSet": True,
        "useCustomTrustStore": True,
        "trustStoreLocation": "trust.p12",
        "trustStorePasswordSet": True,
    },
}
SWITCHED_OFF: dict[str, Any] = {
    "certificate": {
        "enabled": False,
        "useCustomKeyStore": False,
        "keyStoreLocation": None,
        "keyStorePasswordSet": False,
        "keyAlias": None,
        "keyPasswordSet": False,
        "useCustomTrustStore": False,
        "trustStoreLocation": None,
        "trustStorePasswordSet": False,
    },
    "httpBasic": {"enabled": False, "username": None, "passwordSet": False},
    "oauth2": {"enabled": False, "tokenUri": None, "clientId": None, "clientSecretSet": False, "scope": None},
}


Wanted = Callable[..., dict[str, Any]]


@pytest.fixture
def wanted(application: TestApplication) -> Wanted:
    """The fields of a callback to create."""

    def make(**changes: Any) -> dict[str, Any]:
        fields = {
            "applicationId": application.application_id,
            "name": "callback",
            "type": "ACTIVATION_STATUS_CHANGE",
            "callbackUrl": URL,
        }
        return fields | changes

    return make


async def stored(core: Core) -> CallbackUrl:
    async with core.database.read() as session:
        row: CallbackUrl = (await session.execute(select(CallbackUrl))).scalar_one()
        return row


async def test_defaults_fill_what_is_not_given(api: Api, wanted: Wanted) -> None:
    created = await api.ok("application/callback/create", **wanted())
    assert UUID(created.pop("id")).version == 4
    assert created == wanted() | {
        "attributes": [],
        "authentication": SWITCHED_OFF,
        "retentionPeriod": "PT720H",
        "initialBackoff": "PT2S",
        "maxAttempts": 1,
    }


async def test_answers_show_whether_a_secret_is_set_never_the_secret(api: Api, wanted: Wanted) -> None:
    created = await api.ok("application/callback/create", **wanted(authentication=AUTHENTICATION))
    assert created["authentication"] == PUBLIC
    listed = await api.ok("application/callback/list", applicationId=wanted()["applicationId"])
    assert listed["callbackUrlList"] == [created]
    assert "hidden" not in json.dumps(listed)


async def test_the_bean_name_of_oauth2_is_accepted_too(api: Api, wanted: Wanted) -> None:
    created = await api.ok(
        "application/callback/create", **wanted(authentication={"oAuth2": AUTHENTICATION["oauth2"]})
    )
    assert created["authentication"]["oauth2"] == PUBLIC["oauth2"]


async def test_secrets_are_encrypted_at_rest(api: Api, core: Core, wanted: Wanted) -> None:
    await api.ok("application/callback/create", **wanted(authentication=AUTHENTICATION))
    row = await stored(core)
    assert row.encryption_mode == "AES_HMAC"
    assert "hidden" not in str(row.authentication)


async def test_update_overwrites_everything_but_secrets_left_out(
    api: Api, core: Core, wanted: Wanted
) -> None:
    created = await api.ok(
        "application/callback/create",
        **wanted(authentication=AUTHENTICATION, attributes=["userId"], maxAttempts=4),
    )
    without = {
        "httpBasic": {"enabled": False, "username": "v"},
        "oauth2": {"enabled": True, "tokenUri": "https://id.example/token", "clientSecret": "hidden-new"},
    }
    updated = await api.ok(
        "application/callback/update",
        id=created["id"],
        **wanted(name="new", type="OPERATION_STATUS_CHANGE", authentication=without),
    )
    assert updated["id"] == created["id"]
    assert (updated["name"], updated["type"]) == ("new", "OPERATION_STATUS_CHANGE")
    assert (updated["attributes"], updated["maxAttempts"]) == ([], 1)
    assert updated["authentication"]["httpBasic"] == {"enabled": False, "username": "v", "passwordSet": True}
    assert updated["authentication"]["oauth2"]["clientSecretSet"] is True
    assert updated["authentication"]["certificate"] == SWITCHED_OFF["certificate"]
    row = await stored(core)
    assert row.authentication is not None
    plain = json.loads(
        core.cipher.decrypt_text(row.encryption_mode, [wanted()["applicationId"]], row.authentication)
    )
    assert plain["httpBasic"]["password"] == "hidden-1"
    assert plain["oauth2"]["clientSecret"] == "hidden-new"
    assert row.timestamp_last_updated is not None


@pytest.mark.parametrize("mask", [{}, {"password": "***"}])
async def test_a_stored_secret_does_not_follow_a_new_address(
    api: Api, core: Core, wanted: Wanted, mask: Any
) -> None:
    created = await api.ok("application/callback/create", **wanted(authentication=AUTHENTICATION))
    before = (await stored(core)).authentication
    update = {"id": created["id"]} | wanted(
        callbackUrl="https://evil.example/callback",
        authentication={"httpBasic": {"enabled": True, "username": "u", **mask}},
    )
    status, answer = await api.post("application/callback/update", **update)
    assert (status, answer["responseObject"]["code"]) == (400, "ERR0024")
    assert "requestObject.authentication.httpBasic.password - " in answer["responseObject"]["message"]
    row = await stored(core)
    assert (row.callback_url, row.authentication) == (URL, before)
    update["authentication"]["httpBasic"]["password"] = "given anew"
    assert (await api.ok("application/callback/update", **update))["callbackUrl"].startswith("https://evil")


async def test_update_without_authentication_wipes_it(api: Api, wanted: Wanted) -> None:
    created = await api.ok("application/callback/create", **wanted(authentication=AUTHENTICATION))
    updated = await api.ok("application/callback/update", id=created["id"], **wanted())
    assert updated["authentication"] == SWITCHED_OFF
    listed = await api.ok("application/callback/list", applicationId=wanted()["applicationId"])
    assert [item["authentication"] for item in listed["callbackUrlList"]] == [SWITCHED_OFF]


async def test_list_is_by_name_and_empty_for_an_unknown_application(api: Api, wanted: Wanted) -> None:
    for name in ("b", "a", "c"):
        await api.ok("application/callback/create", **wanted(name=name))
    listed = await api.ok("application/callback/list", applicationId=wanted()["applicationId"])
    assert [item["name"] for item in listed["callbackUrlList"]] == ["a", "b", "c"]
    assert await api.ok("application/callback/list", applicationId="unknown") == {"callbackUrlList": []}


KEY_STORE = {"enabled": True, "useCustomKeyStore": True, "keyStoreLocation": "a"}
UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"name": "x" * 256}, "ERR0024"),
    ({"type": "OTHER"}, "ERROR_HTTP_REQUEST"),
    ({"callbackUrl": "bank.example"}, "ERR0014"),
    ({"callbackUrl": "ftp://bank.example"}, "ERR0014"),
    ({"callbackUrl": "http://169.254.169.254/latest"}, "ERR0014"),
    ({"callbackUrl": "http://10.0.0.1/"}, "ERR0014"),
    ({"initialBackoff": "PT-1S"}, "ERR0024"),
    ({"retentionPeriod": -1}, "ERR0024"),
    ({"retentionPeriod": "1 day"}, "ERROR_HTTP_REQUEST"),
    ({"attributes": ["x" * 1025]}, "ERR0024"),
    ({"authentication": {"oauth2": {"enabled": True}}}, "ERR0024"),
    ({"authentication": {"oauth2": {"enabled": True, "tokenUri": "http://127.1.1.1:80:1"}}}, "ERR0024"),
    ({"authentication": {"certificate": KEY_STORE}}, "ERR0024"),
]


async def test_unusable_callbacks_are_refused(api: Api, wanted: Wanted) -> None:
    for changes, code in UNUSABLE:
        assert (changes, await api.error("application/callback/create", **wanted(**changes))) == (
            changes,
            code,
        )


async def test_stores_outside_the_configured_directory_are_refused(
    serve: Serve, wanted: Wanted, tmp_path: Path
) -> None:
    api = await serve(callbacks_certificate_directory=tmp_path)
    elsewhere = [
        "http://bank.example/a.p12",
        "classpath:a.p12",
        "../a.p12",
        "/etc/passwd",
        "file:/etc/passwd",
    ]
    for location in (*elsewhere, "", None):
        certificate = {"enabled": True, "useCustomTrustStore": True, "trustStoreLocation": location}
        request = wanted(authentication={"certificate": certificate})
        assert await api.error("application/callback/create", **request) == "ERR0024", location


async def test_secrets_do_not_reach_audit_or_outbox(api: Api, core: Core, wanted: Wanted) -> None:
    await core.relay.stop()
    await api.ok("application/callback/create", **wanted(authentication=AUTHENTICATION))
    async with core.database.read() as session:
        params = (await session.execute(text("SELECT param FROM audit_log"))).scalars().all()
        data = (await session.execute(text("SELECT data FROM outbox_event"))).scalars().all()
    assert params
    assert data
    assert not any("hidden" in value for value in [*params, *data])
    await core.relay.start()
