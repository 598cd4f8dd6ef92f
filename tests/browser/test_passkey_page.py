"""A real browser with virtual authenticators on the demonstration page, which gets ``default-src 'self'``:
registration, sign-in, approval, and clients that ignore what was asked (spec/device-trust.md §4.9, §4.12,
§4.14).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser_chromium import MODEL, Page
from browser_site import Bank, Visitor

from powerauth_contracts.enums import OperationStatus
from powerauth_core.operations import reads as operations

BY_HAND = """
    delete PublicKeyCredential.parseCreationOptionsFromJSON;
    delete PublicKeyCredential.parseRequestOptionsFromJSON;
"""
SECURITY_KEY = {"transport": "usb", "hasResidentKey": False}
U2F = {**SECURITY_KEY, "protocol": "u2f", "hasUserVerification": False}
OTHER_MODEL = "ee882879-721c-4913-9775-3dfcce97072a"
LISTED: dict[str, Any] = {"aaguidAllowList": [MODEL]}

# Of each policy what it says to a registration, and to the passkey that was registered before.
DEVICE_BOUND: list[tuple[dict[str, Any], str, str]] = [
    ({"allowSyncedPasskeys": False}, "OK", "OK"),
    ({"aaguidBlockList": [MODEL]}, "PASSKEY_AAGUID_BLOCKED", "PASSKEY_AAGUID_BLOCKED"),
    ({"aaguidAllowList": [OTHER_MODEL]}, "PASSKEY_AAGUID_NOT_ALLOWED", "PASSKEY_AAGUID_NOT_ALLOWED"),
    (LISTED, "PASSKEY_MDS_UNAVAILABLE", "PASSKEY_AAGUID_UNVERIFIED"),
    ({**LISTED, "aaguidAllowListBinding": False}, "OK", "OK"),
    ({"attestationFormats": ["tpm"]}, "PASSKEY_FORMAT_NOT_ALLOWED", "OK"),
    ({"enforceAttestation": True}, "PASSKEY_MDS_UNAVAILABLE", "OK"),
    ({"mdsMode": "monitor"}, "OK", "OK"),
]
SYNCED: list[tuple[dict[str, Any], str, str]] = [
    ({"allowSyncedPasskeys": False}, "PASSKEY_SYNCED_NOT_ALLOWED", "PASSKEY_SYNCED_NOT_ALLOWED"),
    ({"enforceAttestation": True}, "OK", "OK"),
]


@pytest.mark.parametrize("prepared", ["", BY_HAND], ids=["native JSON", "older browser"])
async def test_a_user_registers_signs_in_and_approves_an_operation(
    bank: Bank, page: Page, prepared: str
) -> None:
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=prepared)
    await page.authenticator(ctap2Version="ctap2_1")
    visitor = await Visitor.at(bank, page)
    code, text = await visitor.register()
    assert (code, json.loads(text)["passkeyType"]) == ("OK", "DEVICE_BOUND")
    assert json.loads(text)["aaguid"] == MODEL
    for named in (True, False):
        code, text = await visitor.sign_in(named=named)
        assert (code, json.loads(text)["token_type"]) == ("OK", "Bearer")
    operation_id = await bank.operation(visitor.user_id)
    code, text = await visitor.submit("#approve", operationId=operation_id)
    assert (code, json.loads(text)) == ("OK", {"operationId": operation_id, "operationStatus": "APPROVED"})
    stored = await operations.find(bank.core.database.fetch, operation_id)
    assert stored is not None
    assert (stored.row.status, stored.row.user_id) == (OperationStatus.APPROVED, visitor.user_id)
    assert "knows passkeys" in await page.run("return document.body.innerText")


@pytest.mark.parametrize(
    ("authenticator", "policy", "fmt", "kind"),
    [
        ({}, {"attestationType": "direct"}, "packed", "BASIC"),
        (SECURITY_KEY, {"attestationType": "direct"}, "packed", "BASIC"),
        (U2F, {"attestationType": "direct", "userVerification": "discouraged"}, "fido-u2f", "BASIC"),
        ({"ctap2Version": "ctap2_1"}, {"residentKey": "required"}, "none", "NONE"),
        ({"hasUserVerification": False}, {"userVerification": "discouraged"}, "none", "NONE"),
    ],
    ids=["platform", "security key", "u2f", "resident", "no UV"],
)
async def test_authenticators_of_every_kind(
    bank: Bank, page: Page, authenticator: dict[str, Any], policy: dict[str, Any], fmt: str, kind: str
) -> None:
    await bank.set_policy(**policy)
    await page.authenticator(**authenticator)
    visitor = await Visitor.at(bank, page)
    code, text = await visitor.register()
    assert code == "OK", text
    assert json.loads(text)["attestation"]["format"] == fmt
    assert json.loads(text)["attestation"]["type"] == kind
    assert (await visitor.sign_in())[0] == "OK"


@pytest.mark.parametrize("flags", [{}, {"defaultBackupEligibility": True, "defaultBackupState": True}])
async def test_fi23_the_policy_decides_at_registration_and_at_each_sign_in(
    bank: Bank, page: Page, flags: dict[str, bool]
) -> None:
    await page.authenticator(**flags)
    visitor = await Visitor.at(bank, page)
    code, text = await visitor.register()
    assert (code, json.loads(text)["passkeyType"]) == ("OK", "SYNCED" if flags else "DEVICE_BOUND")
    for policy, registration, sign_in in SYNCED if flags else DEVICE_BOUND:
        await bank.set_policy(**policy)
        assert (await visitor.sign_in())[0] == sign_in, policy
        assert (await visitor.another().register())[0] == registration, policy
    await bank.set_policy()
    assert (await visitor.sign_in())[0] == "OK", "a policy that is taken back leaves nothing behind"


async def test_fi23_a_client_that_ignores_what_was_asked_proves_nothing(bank: Bank, page: Page) -> None:
    authenticator = await page.authenticator()
    visitor = await Visitor.at(bank, page)
    assert (await visitor.register())[0] == "OK"
    for name in ("isBogusSignature", "isBadUV", "isBadUP"):
        for broken, code in ((True, "PASSKEY_FAILED"), (False, "OK")):
            bits = {"authenticatorId": authenticator, name: broken}
            await page.call("WebAuthn.setResponseOverrideBits", **bits)
            assert (await visitor.sign_in())[0] == code, name


async def test_fi23_a_page_of_its_own_that_asks_for_something_else_is_judged_by_what_came(
    bank: Bank, page: Page
) -> None:
    await page.authenticator()
    visitor = await Visitor.at(bank, page)
    script = """
        const create = navigator.credentials.create.bind(navigator.credentials);
        navigator.credentials.create = ({ publicKey, ...more }) =>
            create({ publicKey: { ...publicKey, ...values.shift() }, ...more });
    """
    other_key = {"pubKeyCredParams": [{"type": "public-key", "alg": -257}]}
    await page.run(script, {"attestation": "enterprise"}, other_key)
    code, text = await visitor.register()
    assert (code, json.loads(text)["attestation"]["format"]) == ("OK", "packed"), "what came is judged"
    assert (await visitor.another().register())[0] == "PASSKEY_FAILED", "a key of a kind nobody asked for"


async def test_a_user_whom_the_authenticator_does_not_recognise_makes_no_passkey(
    bank: Bank, page: Page
) -> None:
    await page.authenticator(isUserVerified=False)
    assert (await (await Visitor.at(bank, page)).register())[0] == "NotAllowedError"


async def test_a_second_passkey_on_one_authenticator_is_excluded(bank: Bank, page: Page) -> None:
    await page.authenticator()
    visitor = await Visitor.at(bank, page)
    assert (await visitor.register())[0] == "OK"
    assert (await visitor.register())[0] == "InvalidStateError"
    await bank.set_policy(rpWebOrigins=["https://other.localhost"])
    assert (await visitor.sign_in())[0] == "PASSKEY_FAILED", "the origin is the policy's to name"
