"""Registration and sign-in in the browser, before the core's second door (spec/device-trust.md §4.9)."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api, NewApplication, TestApplication
from core_test_browsers import ELSEWHERE, MODEL, Browser, set_policy
from core_test_passkeys import RP_ID
from core_test_tokens import EVERY_SCOPE, ISSUER, make_client, make_ticket

from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_decode
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.authenticator import Authenticator, Flags, corrupt
from powerauth_sdk.authenticator.device import SYNCED
from powerauth_sdk.phone import Phone
from servicekit import clock

SCOPES = (*EVERY_SCOPE, "passkey:register", "passkey:manage")


@pytest_asyncio.fixture
async def browser(core: Core, dmz: Api, application: TestApplication) -> Browser:
    """A browser; the application has a policy and a client that signs in."""
    core.settings.jwt_issuer = ISSUER
    await set_policy(core, application.application_id)
    await make_client(core, application.application_id, "web", scopes=SCOPES)
    return Browser(dmz, application.application_id)


async def registered(core: Core, browser: Browser, user_id: str = "alice") -> dict[str, Any]:
    """A passkey of a user for whom the bank vouches."""
    return await browser.register(await make_ticket(core, browser.application_id, user_id))


def claims_of(token: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(b64url_decode(token.split(".")[1]))
    return content


async def test_a_passkey_is_registered_by_ticket_and_signs_in(core: Core, browser: Browser) -> None:
    passkey = await registered(core, browser)
    assert passkey == {
        "activationId": passkey["activationId"],
        "credentialId": b64encode(browser.authenticator.passkeys[0].id),
        "passkeyType": "DEVICE_BOUND",
        "aaguid": str(MODEL),
        "description": "Unknown FIDO2 Authenticator",
        "attestation": {"format": "none", "type": "NONE", "trust": "NONE"},
        "activationStatus": "ACTIVE",
    }
    for members in ({"userId": "alice"}, {}):
        outcome = await browser.sign_in(nonce="n-1", scope=" ".join(SCOPES), **members)
        assert (outcome["isSignIn"], outcome["operationStatus"]) == (True, "APPROVED")
        claims = claims_of(outcome["tokens"]["id_token"])
        assert (claims["sub"], claims["nonce"], claims["acr"]) == ("alice", "n-1", "urn:pa:2fa")
        assert claims["webauthn"]["activationId"] == passkey["activationId"]
        handle = browser.authenticator.passkeys[0].user_handle
        assert claims["webauthn_username"] == str(uuid.UUID(bytes=handle)), "never the bank's id"


@pytest.mark.parametrize(
    ("kind", "signed", "authenticated"),
    [
        (SignatureType.POSSESSION_KNOWLEDGE, "same", True),
        (SignatureType.POSSESSION_BIOMETRY, "same", True),
        (SignatureType.POSSESSION, "same", False),
        (SignatureType.POSSESSION_KNOWLEDGE, "other", False),
    ],
)
async def test_a_phone_of_the_user_signs_for_a_passkey(
    core: Core,
    browser: Browser,
    dmz: Api,
    phone: Phone,
    kind: SignatureType,
    signed: str,
    authenticated: bool,
) -> None:
    body = json.dumps({"requestObject": {"applicationId": browser.application_id}}).encode()
    covered = body if signed == "same" else b"{}"
    header = phone.sign(covered, uri_id="/api/passkey/registration/options", kind=kind).header
    options = await dmz.ok("passkey/registration/options", authorization=header, body=b64encode(body))
    assert options["authenticated"] is authenticated
    if authenticated:
        made = browser.registration(options, browser.make(options))
        await dmz.ok("passkey/registration", **made)
        assert (await browser.sign_in(userId="alice"))["operationStatus"] == "APPROVED"


async def test_options_say_what_the_policy_wants(core: Core, browser: Browser) -> None:
    await set_policy(
        core, browser.application_id, rpName="Bank", attestationType="direct", residentKey="required"
    )
    await registered(core, browser)
    ticket = await make_ticket(core, browser.application_id)
    asked = (await browser.begin_registration(ticket))["publicKey"]
    assert asked["rp"] == {"id": RP_ID, "name": "Bank"}
    assert asked["user"]["displayName"] == "Alice"
    assert len(b64decode(asked["user"]["id"])) == 16
    assert [one["id"] for one in asked["excludeCredentials"]] == [
        b64encode(browser.authenticator.passkeys[0].id)
    ]
    assert asked["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
        "authenticatorAttachment": None,
    }
    assert (asked["attestation"], asked["pubKeyCredParams"]) == (
        "direct",
        [{"type": "public-key", "alg": -7}],
    )


async def test_a_token_of_the_sign_in_registers_lists_renames_and_removes(
    core: Core, browser: Browser, dmz: Api
) -> None:
    first = await registered(core, browser)
    token = (await browser.sign_in(scope=" ".join(SCOPES)))["tokens"]["access_token"]
    other = Browser(dmz, browser.application_id)
    options = await other.begin_registration(accessToken=token)
    second = await dmz.ok("passkey/registration", **other.registration(options, other.make(options)))
    await dmz.ok("passkey/rename", accessToken=token, activationId=second["activationId"], name="Phone")
    await set_policy(core, browser.application_id, aaguidBlockList=[str(MODEL)])
    listed = (await dmz.ok("passkey/list", accessToken=token))["passkeys"]
    assert {(one["activationId"], one["name"]) for one in listed} == {
        (first["activationId"], "Laptop"),
        (second["activationId"], "Phone"),
    }
    assert {one["blockedByPolicy"] for one in listed} == {"PASSKEY_AAGUID_BLOCKED"}
    await dmz.ok("passkey/remove", accessToken=token, activationId=second["activationId"])
    [left] = (await dmz.ok("passkey/list", accessToken=token))["passkeys"]
    assert left["activationId"] == first["activationId"]


async def test_nobody_touches_the_passkeys_of_others(core: Core, browser: Browser, dmz: Api) -> None:
    foreign = await registered(core, Browser(dmz, browser.application_id), "bob")
    await registered(core, browser)
    token = (await browser.sign_in(scope=" ".join(SCOPES)))["tokens"]["access_token"]
    named = {"accessToken": token, "activationId": foreign["activationId"]}
    assert await dmz.error("passkey/rename", **named, name="Mine") == "ERR_PASSKEY_NOT_FOUND"
    assert await dmz.error("passkey/remove", **named) == "ERR_PASSKEY_NOT_FOUND"
    plain = (await browser.sign_in(scope="openid"))["tokens"]["access_token"]
    assert await dmz.error("passkey/list", accessToken=plain) == "ERR_ACCESS_TOKEN"


async def test_an_operation_is_approved_by_its_own_user_alone(
    core: Core, browser: Browser, dmz: Api, api: Api
) -> None:
    await api.ok(
        "operation/template/create",
        templateName="payment",
        operationType="payment",
        dataTemplate="A1*A100CZK",
        signatureType=["POSSESSION"],
        maxFailureCount=3,
        expiration=300,
    )
    await registered(core, browser)
    token = (await browser.sign_in())["tokens"]["access_token"]
    wanted = {"applications": [browser.application_id], "templateName": "payment"}
    own = await api.ok("operation/create", **wanted, userId="alice")
    foreign = await api.ok("operation/create", **wanted, userId="bob")
    begin = {"applicationId": browser.application_id, "accessToken": token}
    path = "passkey/assertion/options"
    assert await dmz.error(path, **begin, operationId=foreign["id"]) == "ERR0034"
    assert await dmz.error(path, **begin, operationId=str(uuid.uuid4())) == "ERR0034"
    outcome = await browser.sign_in(accessToken=token, operationId=own["id"])
    assert outcome == {
        "isSignIn": False,
        "operationId": own["id"],
        "operationStatus": "APPROVED",
        "tokens": None,
    }
    assert await dmz.error(path, **begin, operationId=own["id"]) == "ERR0034", "approved once"


async def test_fi4_a_challenge_is_good_for_its_own_session_and_once(
    core: Core, browser: Browser, dmz: Api, new_application: NewApplication
) -> None:
    other = await new_application("other")
    await set_policy(core, other.application_id)
    tickets = [await make_ticket(core, browser.application_id) for _ in range(3)]
    one, two = [await browser.begin_registration(ticket) for ticket in tickets[:2]]
    mixed = browser.registration(one, browser.make(two))
    assert await dmz.error("passkey/registration", **mixed) == "ERR_PASSKEY_FAILED"
    again = browser.registration(one, browser.make(one))
    assert await dmz.error("passkey/registration", **again) == "ERR_PASSKEY_SESSION"
    options = await browser.begin_registration(tickets[2])
    lower = {**options["publicKey"], "challenge": b64encode(_lower(options["publicKey"]["challenge"]))}
    made = browser.make({**options, "publicKey": lower})
    assert await dmz.error("passkey/registration", **browser.registration(options, made)) == (
        "ERR_PASSKEY_FAILED"
    )
    await registered(core, browser)
    signed = [await browser.begin_sign_in() for _ in range(2)]
    crossed = browser.assertion(signed[0], browser.sign(signed[1]))
    assert await dmz.error("passkey/assertion", **crossed) == "ERR_PASSKEY_FAILED"
    foreign = await Browser(dmz, other.application_id).begin_sign_in()
    elsewhere = browser.assertion(foreign, browser.sign(foreign))
    assert await dmz.error("passkey/assertion", **elsewhere) == "ERR_PASSKEY_FAILED"
    with_registration = {**browser.assertion(signed[1], browser.sign(signed[1]))}
    with_registration["sessionId"] = options["registrationId"]
    assert await dmz.error("passkey/assertion", **with_registration) == "ERR_PASSKEY_SESSION"


def _lower(challenge: str) -> bytes:
    return b64decode(challenge).decode().lower().encode()


async def test_fi4_a_session_ends(
    core: Core, browser: Browser, dmz: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(core, browser)
    options = await browser.begin_sign_in(timeout=30)
    begun = await browser.begin_registration(await make_ticket(core, browser.application_id))
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=31))
    request = browser.assertion(options, browser.sign(options))
    assert await dmz.error("passkey/assertion", **request) == "ERR_PASSKEY_SESSION"
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=301))
    late = browser.registration(begun, browser.make(begun))
    assert await dmz.error("passkey/registration", **late) == "ERR_PASSKEY_SESSION"


async def test_fi22_of_two_answers_to_one_session_one_succeeds(
    core: Core, browser: Browser, dmz: Api
) -> None:
    options = await browser.begin_registration(await make_ticket(core, browser.application_id))
    request = browser.registration(options, browser.make(options))
    assert await _statuses(dmz, "passkey/registration", request) == [200, 400]
    signing = await browser.begin_sign_in()
    answered = browser.assertion(signing, browser.sign(signing))
    assert await _statuses(dmz, "passkey/assertion", answered) == [200, 400]


async def _statuses(dmz: Api, path: str, request: dict[str, Any]) -> list[int]:
    answers = await asyncio.gather(*(dmz.post(path, **request) for _ in range(2)))
    return sorted(status for status, _ in answers)


async def test_a_ticket_is_spent_with_the_registration(core: Core, browser: Browser, dmz: Api) -> None:
    ticket = await make_ticket(core, browser.application_id)
    one, two = [await browser.begin_registration(ticket) for _ in range(2)]
    await dmz.ok("passkey/registration", **browser.registration(one, browser.make(one)))
    late = browser.registration(two, browser.make(two))
    assert await dmz.error("passkey/registration", **late) == "ERR_TICKET_INVALID"


async def test_fi10_a_source_is_locked_out_and_the_owner_elsewhere_signs_in(
    core: Core, browser: Browser, dmz: Api, api: Api
) -> None:
    passkey = await registered(core, browser)
    for _ in range(5):
        options = await browser.begin_sign_in(userId="alice")
        forged = corrupt(browser.sign(options), "signature", -1)
        request = browser.assertion(options, forged)
        assert await dmz.error("passkey/assertion", **request) == "ERR_PASSKEY_FAILED"
    assert await browser.refused_sign_in(userId="alice") == "ERR_PASSKEY_LOCKED"
    browser.address = ELSEWHERE
    assert (await browser.sign_in(userId="alice"))["operationStatus"] == "APPROVED"
    detail = await api.ok("activation/status", activationId=passkey["activationId"])
    assert (detail["activationStatus"], detail["failedAttempts"]) == ("ACTIVE", 0)


async def test_a_made_up_passkey_is_locked_out_alike(browser: Browser, dmz: Api) -> None:
    """Otherwise the lock would tell which ids are real."""
    browser.authenticator.register(RP_ID, browser.origin, b"c", b"handle")
    for _ in range(5):
        assert await browser.refused_sign_in() == "ERR_PASSKEY_FAILED"
    assert await browser.refused_sign_in() == "ERR_PASSKEY_LOCKED"


@pytest.mark.parametrize("user_id", ["nobody", "bob"])
async def test_fi20_a_user_without_passkeys_is_answered_like_one_with_some(
    core: Core, browser: Browser, dmz: Api, user_id: str
) -> None:
    await registered(core, browser)
    known = await browser.begin_sign_in(userId="alice")
    for _ in range(2):
        unknown = await browser.begin_sign_in(userId=user_id)
        assert _shape(unknown) == _shape(known)
    again = await browser.begin_sign_in(userId=user_id)
    assert again["publicKey"]["allowCredentials"] == unknown["publicKey"]["allowCredentials"]
    offered = again["publicKey"]["allowCredentials"][0]["id"]
    stranger = Authenticator()
    stranger.register(RP_ID, browser.origin, b"c", b"handle")
    stranger.passkeys[0].id = b64decode(offered)
    claiming = Browser(dmz, browser.application_id, stranger)
    wrong = Browser(dmz, browser.application_id, browser.authenticator.clone())
    wrong.authenticator.passkeys[0].key = stranger.passkeys[0].key
    assert await claiming.refused_sign_in(userId=user_id) == "ERR_PASSKEY_FAILED"
    assert await wrong.refused_sign_in(userId="alice") == "ERR_PASSKEY_FAILED"


def _shape(value: Any) -> Any:
    """Names and kinds of what an answer holds; lists of any length but none."""
    if isinstance(value, dict):
        return {name: _shape(member) for name, member in value.items()}
    return [_shape(value[0])] if isinstance(value, list) and value else type(value)


@pytest.mark.parametrize(
    ("policy", "authenticator", "code"),
    [
        ({}, Authenticator(flags=Flags.UP), "ERR_PASSKEY_FAILED"),
        ({}, Authenticator(algorithm=-257), "ERR_PASSKEY_FAILED"),
        ({"allowSyncedPasskeys": False}, Authenticator(flags=SYNCED), "PASSKEY_SYNCED_NOT_ALLOWED"),
        ({"aaguidBlockList": [str(MODEL)]}, Authenticator(), "PASSKEY_AAGUID_BLOCKED"),
        ({"aaguidAllowList": [str(uuid.uuid4())]}, Authenticator(), "PASSKEY_AAGUID_NOT_ALLOWED"),
        (
            {"aaguidAllowList": [str(MODEL)], "attestationType": "direct"},
            Authenticator(),
            "PASSKEY_AAGUID_UNVERIFIED",
        ),
        ({"attestationFormats": ["packed"]}, Authenticator(), "PASSKEY_FORMAT_NOT_ALLOWED"),
    ],
)
async def test_fi23_a_registration_is_judged_by_what_came(
    core: Core,
    browser: Browser,
    dmz: Api,
    policy: dict[str, Any],
    authenticator: Authenticator,
    code: str,
) -> None:
    await set_policy(core, browser.application_id, **policy)
    browser.authenticator = authenticator.clone()
    options = await browser.begin_registration(await make_ticket(core, browser.application_id))
    status, body = await dmz.post(
        "passkey/registration", **browser.registration(options, browser.make(options))
    )
    error = body["responseObject"]
    assert (status, error.get("reason", error["code"])) == (400, code)


async def test_fi23_a_sign_in_is_judged_by_the_policy_of_today_and_works_again(
    core: Core, browser: Browser
) -> None:
    browser.authenticator.flags = SYNCED
    await registered(core, browser)
    await set_policy(core, browser.application_id, allowSyncedPasskeys=False)
    for _ in range(6):
        assert await browser.refused_sign_in(userId="alice") == "PASSKEY_SYNCED_NOT_ALLOWED"
    await set_policy(core, browser.application_id)
    assert (await browser.sign_in(userId="alice"))["operationStatus"] == "APPROVED"


async def test_fi23_a_credential_outside_those_offered_and_one_without_its_user_prove_nothing(
    core: Core, browser: Browser, dmz: Api
) -> None:
    other = Browser(dmz, browser.application_id)
    await registered(core, other, "bob")
    await registered(core, browser)
    options = await browser.begin_sign_in(userId="alice")
    foreign = other.assertion(options, other.sign(options))
    assert await dmz.error("passkey/assertion", **foreign) == "ERR_PASSKEY_FAILED"
    options = await browser.begin_sign_in()
    request = browser.assertion(options, browser.sign(options))
    request["credential"]["response"].pop("userHandle")
    assert await dmz.error("passkey/assertion", **request) == "ERR_PASSKEY_FAILED"


async def test_an_application_without_a_policy_has_no_passkeys_in_browsers(
    core: Core, dmz: Api, application: TestApplication
) -> None:
    core.settings.jwt_issuer = ISSUER
    named = {"applicationId": application.application_id}
    assert await dmz.error("passkey/assertion/options", **named) == "ERR_FEATURE_DISABLED"
    assert await dmz.error("passkey/assertion/options", applicationId="none") == "ERR0015"
    ticket = await make_ticket(core, application.application_id)
    body = b64encode(json.dumps({"requestObject": {"bindingTicket": ticket}}).encode())
    assert await dmz.error("passkey/registration/options", body=body) == "ERR_FEATURE_DISABLED"


async def test_ceremonies_of_a_network_have_a_rate(core: Core, browser: Browser, dmz: Api) -> None:
    core.settings.passkey_requests_per_minute = 2
    for _ in range(2):
        await browser.begin_sign_in()
    named = {"applicationId": browser.application_id, "clientAddress": browser.address}
    status, body = await dmz.post("passkey/assertion/options", **named)
    assert (status, body["responseObject"]["code"]) == (429, "ERROR_TOO_MANY_REQUESTS")
    browser.address = ELSEWHERE
    await browser.begin_sign_in()
