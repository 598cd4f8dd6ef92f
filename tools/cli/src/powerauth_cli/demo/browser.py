"""The part of passkeys in the demo: a browser of the customer, and what the bank's policy makes of it."""

from __future__ import annotations

from typing import Any, Final

from powerauth_cli.demo.bank import Bank
from powerauth_cli.demo.transcript import Transcript, expect
from powerauth_sdk import Device, ServerRefused

ORIGIN: Final = "https://bank.example"
POLICY: Final = {"rpId": "bank.example", "rpWebOrigins": [ORIGIN]}


async def passkeys(
    tell: Transcript, admin: Bank, phone: Device, *, application_id: str, user_id: str, pin: str
) -> None:
    """The phone signs for a passkey, which signs in until the policy refuses its model.

    :raises Unexpected: a step ended otherwise than it must
    """
    # CBOR and certificates: nothing else of the demo needs them.
    from powerauth_sdk.authenticator import Authenticator  # noqa: PLC0415
    from powerauth_sdk.passkeys import PasskeyBrowser  # noqa: PLC0415

    tell.chapter("The customer signs in with a passkey")
    place = f"/loginPreferences/{application_id}"
    await admin.call("PUT", f"{place}/authMethods", _methods())
    tell.step("cloud", "the bank allows passkeys on its own pages", **POLICY)
    browser = PasskeyBrowser(phone.transport, application_id, ORIGIN, Authenticator())
    made = await browser.register("Laptop", device=phone, pin=pin)
    tell.step(
        "enrollment",
        "the browser makes a passkey; the phone signs that it is the customer's",
        type=made["passkeyType"],
        model=made["aaguid"],
    )
    signed_in = await browser.sign_in()
    expect(signed_in["operationStatus"] == "APPROVED", "the passkey signs in")
    tell.step("enrollment", "it signs in, and tells whose it is", status=signed_in["operationStatus"])
    stricter = _methods(aaguidBlockList=[made["aaguid"]])
    impact = await admin.call("POST", f"{place}/impact", stricter)
    expect(impact["usersAffected"] == 1, "the impact names the customer")
    tell.step(
        "cloud",
        "before it refuses the model, the bank is told whom that takes passkeys from",
        users=impact["usersAffected"],
        reasons=impact["byReason"],
    )
    await admin.call("PUT", f"{place}/authMethods", stricter, confirmation=impact["confirmation"])
    code = await _refused(browser, user_id)
    expect(code == "PASSKEY_AAGUID_BLOCKED", "the policy refuses the passkey")
    tell.step("enrollment", "it confirms, and the passkey is refused", code=code)
    await admin.call("PUT", f"{place}/authMethods", _methods())
    again = await browser.sign_in(user_id)
    expect(again["operationStatus"] == "APPROVED", "a policy that is taken back leaves nothing behind")
    tell.step("enrollment", "the bank takes it back, and the passkey works", status=again["operationStatus"])


def _methods(**members: object) -> dict[str, Any]:
    return {"webauthn_api": POLICY | members}


async def _refused(browser: Any, user_id: str) -> str:
    try:
        await browser.sign_in(user_id)
    except ServerRefused as refused:
        return refused.code
    return "OK"
