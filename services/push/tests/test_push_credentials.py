"""Credentials at providers: refused with the reason, encrypted, bound (spec/push-api.md §17, D5, D32)."""

from __future__ import annotations

from typing import Any

import pytest
from push_client import Client, Service
from push_keys import KEY_ID, TEAM_ID, account, apns, certificate, fcm, hms, p8
from push_phones import application, phone, sending
from sqlalchemy import select, text

from powerauth_push.applications import service as applications
from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.secrets import credentials_of
from powerauth_push.couriers import Couriers
from powerauth_push.dispatch.senders import UNUSABLE, Senders
from powerauth_push.providers.credentials import ApnsCredentials
from servicekit.testing import DIALECTS

APNS, FCM, HMS = "/admin/app/apns", "/admin/app/fcm", "/admin/app/hms"
KEY = "requestObject.privateKeyBase64"


async def row_of(service: Service) -> AppCredentials:
    async with service.push.database.read() as session:
        return (await session.scalars(select(AppCredentials))).one()


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_secrets_are_encrypted_and_read_again(service: Service, cloud: Client) -> None:
    await application(cloud)
    row = await row_of(service)
    secret = (row.hms_client_secret or "").encode()
    stored = b"".join((row.apns_private_key or b"", row.fcm_private_key or b"", secret))
    assert not [word for word in (b"PRIVATE", b"service_account", b"s3cret-of-hms") if word in stored]
    assert row.row_mac is not None
    for provider in ("apns", "fcm", "hms"):
        credentials_of(service.push.cipher, row, provider)


async def test_a_certificate_shows_who_we_are_too(service: Service, cloud: Client) -> None:
    await cloud.ok("POST", "/admin/app/create", {"appId": "app-1"})
    await cloud.ok("POST", APNS, apns(certificate(), environment=None))
    found = credentials_of(service.push.cipher, await row_of(service), "apns")
    assert isinstance(found, ApnsCredentials)
    assert found.environment is None


@pytest.mark.parametrize(
    ("path", "asked", "field", "reason"),
    [
        (APNS, apns(privateKeyBase64="%"), KEY, "is no Base64"),
        (APNS, apns(b"-----BEGIN PRIVATE KEY-----\nnone"), KEY, "PEM form"),
        (APNS, apns(p8("secp384r1")), KEY, "P-256"),
        (APNS, apns(bundle="not a bundle"), KEY, "bundle"),
        (APNS, apns(keyId="short"), KEY, "key id"),
        (APNS, apns(teamId="short"), KEY, "team id"),
        (APNS, apns(certificate(days=-1)), KEY, "expired"),
        (APNS, apns(certificate(bundle="com.other")), KEY, "another bundle"),
        (APNS, apns(certificate(team="OTHER67890")), KEY, "another team"),
        (APNS, apns(b"garbage"), KEY, "neither PEM nor PKCS#12"),
        (FCM, fcm(b"{}"), KEY, "service account"),
        (FCM, fcm(account("other")), KEY, "another project"),
        (FCM, fcm(b"[]"), KEY, "no JSON object"),
        (HMS, hms(projectId="with space"), "requestObject.clientSecret", "project id"),
    ],
)
async def test_what_can_never_work_is_refused_with_the_reason(
    cloud: Client, path: str, asked: dict[str, Any], field: str, reason: str
) -> None:
    await cloud.ok("POST", "/admin/app/create", {"appId": "app-1"})
    response = await cloud.send("PUT", path, {"requestObject": asked})
    (violation,) = response.json()["responseObject"]["violations"]
    assert (response.status_code, violation["fieldName"]) == (400, field)
    assert reason in violation["hint"]
    assert "invalidValue" not in violation
    assert (await cloud.ok("GET", "/admin/app/list"))["applicationList"][0] == {
        "appId": "app-1",
        "apns": False,
        "fcm": False,
        "hms": False,
    }


async def test_a_row_that_others_have_written_sends_nothing(service: Service, cloud: Client) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    async with service.push.database.transaction() as session:
        await session.execute(text("UPDATE push_app_credentials SET apns_bundle = 'com.attacker'"))
    counted = await cloud.ok("POST", "/push/message/send", sending())
    assert (counted["apns"]["failed"], service.providers.sent) == (1, [])
    assert await cloud.refused("PUT", APNS, apns()) == (400, "ERROR_GENERIC")


@pytest.mark.parametrize("address", ["https://evil.example/token", "http://oauth2.googleapis.com/token"])
async def test_a_stored_token_endpoint_is_looked_at_again_before_it_is_asked(
    service: Service, cloud: Client, address: str
) -> None:
    push = service.push
    object.__setattr__(push.settings, "fcm_token_url", "https://own.example/token")
    await application(cloud)
    await cloud.ok("PUT", FCM, fcm(account(token_uri=address)))
    number = (await row_of(service)).id
    for token_url, usable in ((push.settings.fcm_token_url, True), ("", False)):
        object.__setattr__(push.settings, "fcm_token_url", token_url)
        senders = Senders(push.database, push.cipher, Couriers(push.settings), 60.0)
        assert (await senders.of(number, "fcm") is not UNUSABLE) is usable
        await senders.close()


async def test_new_credentials_are_used_at_once_and_old_senders_close(
    service: Service, cloud: Client
) -> None:
    await application(cloud)
    await phone(service, cloud, "a")
    for _ in range(2):
        await cloud.ok("POST", "/push/message/send", sending())
    assert service.providers.made == [("app-1", "apns")]
    await cloud.ok("PUT", APNS, apns(keyId="OTHER67890"))
    await cloud.ok("POST", "/push/message/send", sending())
    assert service.providers.made == [("app-1", "apns")] * 2
    await cloud.ok("DELETE", APNS, appId="app-1")
    counted = await cloud.ok("POST", "/push/message/send", sending())
    assert counted["apns"] == {"sent": 0, "failed": 1, "pending": 0, "total": 1}
    assert service.providers.closed == 2


async def test_an_adopted_row_is_encrypted_and_bound_by_a_command(service: Service, cloud: Client) -> None:
    await cloud.ok("POST", "/admin/app/create", {"appId": "other"})
    async with service.push.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO push_app_credentials (id, app_id, apns_private_key, apns_team_id, apns_key_id,"
                " apns_bundle, timestamp_created)"
                " VALUES (99, 'app-1', :key, :team, :id, 'com.bank.app', '2025-01-01 00:00:00')"
            ),
            {"key": p8(), "team": TEAM_ID, "id": KEY_ID},
        )
    await phone(service, cloud, "a")
    assert (await cloud.ok("POST", "/push/message/send", sending()))["apns"]["failed"] == 1
    assert await applications.protect_all(service.push.database, service.push.cipher) == 1
    service.push.senders.forget(99)
    assert (await cloud.ok("POST", "/push/message/send", sending()))["apns"]["sent"] == 1
