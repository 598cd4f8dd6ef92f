"""Login preferences, passkeys of users (spec/device-trust.md §4.13)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_passkeys import FIGURES

PREFERENCES = "/loginPreferences/app-a"
METHODS, IMPACT = f"{PREFERENCES}/authMethods", f"{PREFERENCES}/impact"
POLICY = {"rpId": "bank.example"}
BODY = {"webauthn_api": POLICY}
TAKING = {"webauthn_api": POLICY | {"allowSyncedPasskeys": False}}


async def test_preferences_are_shown_with_what_holds_of_them(bank: Client) -> None:
    empty = await bank.ok("GET", PREFERENCES)
    assert (empty["result"], empty["version"]) == ({"auth_methods": {}}, 0)
    changed = await bank.send("PUT", METHODS, BODY)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"1"')
    shown = await bank.send("GET", PREFERENCES)
    assert (shown.headers["etag"], shown.json()) == ('"1"', changed.json())
    assert shown.json()["result"] == {"auth_methods": {"webauthn_api": POLICY}}
    assert shown.json()["effective"]["aaguidAllowList"] == "none"
    assert bank.core.last("passkey/policy/update")["externalUserId"] == "bank"


async def test_fi_18_who_would_lock_users_out_sees_them_first(bank: Client, admin: Client) -> None:
    seen = await bank.ok("POST", IMPACT, TAKING)
    assert seen == FIGURES == await bank.ok("PUT", METHODS, TAKING, dryRun="true")
    with bank.core.no_change():
        refused = await bank.refused("PUT", METHODS, TAKING, status=409, code="PASSKEY_POLICY_IMPACT")
        assert {name: refused[name] for name in FIGURES} == FIGURES
        assert (refused["warning"], "localizedMessage" in refused) == ("Confirm.", False)
        await bank.refused("PUT", METHODS, TAKING, status=409, code="PASSKEY_POLICY_IMPACT", confirmation="x")
        await bank.refused("PUT", METHODS, TAKING, status=403, code="HTTP_403", force="true")
    await bank.ok("PUT", METHODS, TAKING, confirmation=seen["confirmation"])
    await admin.ok("PUT", METHODS, TAKING, force="true")


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"1"', 200), ("1", 200), ("*", 200), ('"0"', 412), ('"2"', 412), ('W/"1"', 412), ('"x"', 412)],
)
async def test_a_change_is_one_of_the_version_that_was_seen(bank: Client, tag: str, status: int) -> None:
    await bank.ok("PUT", METHODS, BODY)
    response = await bank.http.put(METHODS, json=BODY, headers={"If-Match": tag})
    assert response.status_code == status
    if status == 412:
        assert response.json()["responseObject"]["code"] == "HTTP_412"


@pytest.mark.parametrize(
    ("code", "status", "shown"),
    [
        ("PASSKEY_LISTS_EXCLUSIVE", 400, "PASSKEY_LISTS_EXCLUSIVE"),
        ("PASSKEY_ATTESTATION_LOCKED", 400, "PASSKEY_ATTESTATION_LOCKED"),
        ("MDS_NOT_LOADED", 409, "MDS_NOT_LOADED"),
        ("ERR0015", 404, "ERROR_NOT_FOUND"),
        ("ERR0010", 500, "ERROR_INTERNAL_API"),
    ],
)
async def test_fi_13_what_the_core_says_of_a_policy(bank: Client, code: str, status: int, shown: str) -> None:
    bank.core.refuse("passkey/policy/update", code)
    await bank.refused("PUT", METHODS, BODY, status=status, code=shown)


async def test_what_is_no_policy_is_named(bank: Client) -> None:
    message = "requestObject.policy.rpId - not usable"
    refusal = {"status": "ERROR", "responseObject": {"code": "ERR0024", "message": message}}
    bank.core.raw("passkey/policy/update", 400, json.dumps(refusal).encode())
    assert await bank.violation("PUT", METHODS, BODY) == "webauthn_api.rpId"
    bodies: list[dict[str, Any]] = [{}, {"webauthn_api": None}, {"webauthn_api": []}]
    for body in bodies:
        assert await bank.violation("PUT", METHODS, body) == "webauthn_api"


async def test_a_change_is_recorded(service: Service, bank: Client) -> None:
    await bank.ok("PUT", METHODS, BODY)
    [record] = await service.audit()
    assert (record.message, record.subject_id) == ("Passkey policy changed", "bank")
    written = json.loads(record.param or "")
    assert (written["new"], written["version"], written["forced"]) == (POLICY, 1, False)


OF_THE_POLICY: list[tuple[str, str, Any]] = [
    ("GET", "/loginPreferences/{app}", None),
    ("PUT", "/loginPreferences/{app}/authMethods", BODY),
    ("POST", "/loginPreferences/{app}/impact", BODY),
]


@pytest.mark.parametrize("roles", [["ROLE_USER"], ["ROLE_ADMIN"], ["ROLE_USER", "ROLE_ADMIN"], []], ids=str)
@pytest.mark.parametrize(("method", "path", "body"), OF_THE_POLICY)
async def test_the_policy_is_for_its_application_and_administrators(
    service: Service, method: str, path: str, body: Any, roles: list[str]
) -> None:
    caller = await service.user("caller", ["app-a"], roles)
    service.core.application("app-b")
    for app, known in (("app-a", True), ("app-b", True), ("app-c", False)):
        url = path.replace("{app}", app)
        if "ROLE_ADMIN" not in roles and app != "app-a":
            await caller.refused(method, url, body, status=403, code="HTTP_403")
        elif known:
            await caller.ok(method, url, body)
        else:
            await caller.refused(method, url, body, status=404, code="ERROR_NOT_FOUND")


async def test_passkeys_of_a_user_are_shown_in_the_words_of_this_api(service: Service, bank: Client) -> None:
    own = service.core.activation("app-a", protocol="fido2")
    service.core.activation("app-b", protocol="fido2")
    [shown] = (await bank.ok("GET", "/v2/passkeys", userId="user-1"))["passkeys"]
    assert (shown["registrationId"], shown["appId"], shown["registrationStatus"]) == (own, "app-a", "ACTIVE")
    assert (shown["passkeyType"], shown["syncedBy"], shown["attTrust"]) == ("SYNCED", "be", "NONE")
    assert (shown["timestampCreated"], shown["timestampLastUsed"]) == (1000, 2000)
    assert "blockedByPolicy" not in shown
    assert await bank.violation("GET", "/v2/passkeys", userId="user-1", appId="app-b") == "listPasskeys.appId"
    nobody = await service.user("nobody")
    assert await nobody.ok("GET", "/v2/passkeys", userId="user-1") == {"passkeys": []}


async def test_a_passkey_is_removed_a_phone_is_not(service: Service, bank: Client) -> None:
    own = service.core.activation("app-a", protocol="fido2")
    phone = service.core.activation("app-a")
    foreign = service.core.activation("app-b", protocol="fido2")
    with service.core.no_change():
        for other in (phone, foreign, "no-such-id", "%00"):
            await bank.refused("DELETE", f"/v2/passkeys/{other}", code="ERROR_REGISTRATION_NOT_FOUND")
        nobody = await service.user("nobody")
        await nobody.refused("DELETE", f"/v2/passkeys/{own}", code="ERROR_REGISTRATION_NOT_FOUND")
    assert await bank.ok("DELETE", f"/v2/passkeys/{own}", externalUserId="clerk") == {"status": "OK"}
    assert bank.core.last("passkey/remove")["externalUserId"] == "clerk"
    assert service.core.activations[own]["activationStatus"] == "REMOVED"


async def test_numbers_of_an_application(service: Service, bank: Client) -> None:
    found = await bank.ok("GET", "/v2/passkeys/statistics")
    assert found["byType"] == [{"passkeyType": "SYNCED", "syncedBy": "be", "count": 1}]
    service.core.application("app-b")
    path = "/v2/passkeys/statistics"
    assert await bank.violation("GET", path, appId="app-b") == "getPasskeyStatistics.appId"
