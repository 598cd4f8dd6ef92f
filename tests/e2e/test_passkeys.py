"""A bank's backend registers a passkey and has operations approved with it; its administrator changes what
passkeys the application takes (spec/cloud-api.md §8, device-trust.md §4.13).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from powerauth_cli.demo.bank import Bank, BankRefused
from powerauth_protocol.common.encoding import b64encode
from powerauth_sdk.authenticator import Authenticator
from powerauth_sdk.authenticator.device import SYNCED

pytestmark = pytest.mark.e2e

RP_ID, ORIGIN = "bank.example", "https://bank.example"
HELD_AGAINST = {"relyingPartyId": RP_ID, "allowedOrigins": [ORIGIN], "requiresUserVerification": True}
POLICY = {"rpId": RP_ID, "rpWebOrigins": [ORIGIN]}


@dataclass
class Customer:
    """Somebody with a passkey that is synchronised."""

    bank: Bank
    application_id: str
    user_id: str = field(default_factory=lambda: f"user-{uuid4().hex[:12]}")
    authenticator: Authenticator = field(default_factory=lambda: Authenticator(flags=SYNCED))

    async def register(self) -> dict[str, Any]:
        names = {"userId": self.user_id, "appId": self.application_id}
        asked = await self.bank.call("POST", "/v2/fido2/registrations/challenge", names)
        made = self.authenticator.register(RP_ID, ORIGIN, asked["challenge"].encode())
        parameters = {
            "credentialId": b64encode(made.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64encode(made.client_data_json),
                "attestationObject": b64encode(made.attestation_object),
            },
            **HELD_AGAINST,
        }
        content = {
            "appId": self.application_id,
            "registrationName": "Passkey",
            "expectedChallenge": asked["challenge"],
            "authenticatorParameters": parameters,
        }
        return await self.bank.call("POST", "/v2/fido2/registrations", content)

    async def approve(self) -> tuple[str, dict[str, Any] | str]:
        """Approve a new operation; its id, and the answer or the code of the refusal."""
        asked = {"templateName": "e2e-one-factor", "userId": self.user_id, "appId": self.application_id}
        waiting = await self.bank.call("POST", "/v2/fido2/assertions/challenge", asked)
        signed = self.authenticator.sign_in(RP_ID, ORIGIN, waiting["challenge"].encode())
        content = {
            "credentialId": waiting["allowCredentials"][0]["credentialId"],
            "type": "public-key",
            "response": {
                "clientDataJSON": b64encode(signed.client_data_json),
                "authenticatorData": b64encode(signed.authenticator_data),
                "signature": b64encode(signed.signature),
            },
            "applicationId": self.application_id,
            **HELD_AGAINST,
        }
        try:
            return waiting["operationId"], await self.bank.call("POST", "/v2/fido2/assertions", content)
        except BankRefused as refused:
            return waiting["operationId"], refused.code

    async def passkey(self) -> dict[str, Any]:
        (shown,) = (await self.bank.call("GET", "/v2/passkeys", userId=self.user_id))["passkeys"]
        found: dict[str, Any] = shown
        return found


async def test_fi_15_a_policy_stops_a_passkey_and_gives_it_back(
    backend: tuple[Bank, Bank, str, str],
) -> None:
    _, bank, application_id, _ = backend
    customer = Customer(bank, application_id)
    registered = await customer.register()
    operation_id, approved = await customer.approve()
    assert isinstance(approved, dict)
    assert (approved["assertionValid"], approved["registrationId"]) == (True, registered["registrationId"])
    assert (await bank.operation(operation_id))["status"] == "APPROVED"

    async def change(policy: dict[str, Any], **query: str) -> dict[str, Any]:
        path = f"/loginPreferences/{application_id}/authMethods"
        return await bank.call("PUT", path, {"webauthn_api": policy}, **query)

    await change(POLICY)
    strict = POLICY | {"allowSyncedPasskeys": False}
    with pytest.raises(BankRefused) as refused:
        await change(strict)
    assert (refused.value.status, refused.value.code) == (409, "PASSKEY_POLICY_IMPACT")
    impact = await change(strict, dryRun="true")
    assert (impact["usersLockedOut"], impact["sampleUserIds"]) == (1, [customer.user_id])
    await change(strict, confirmation=impact["confirmation"])

    operation_id, answer = await customer.approve()
    assert answer == "ERROR_FIDO2"
    assert (await bank.operation(operation_id))["status"] == "PENDING"
    shown = await customer.passkey()
    assert (shown["registrationStatus"], shown["blockedByPolicy"]) == ("ACTIVE", "PASSKEY_SYNCED_NOT_ALLOWED")
    with pytest.raises(BankRefused):
        await Customer(bank, application_id).register()

    await change(POLICY)
    operation_id, approved = await customer.approve()
    assert (await bank.operation(operation_id))["status"] == "APPROVED", approved
    assert "blockedByPolicy" not in await customer.passkey()
    await bank.call("DELETE", f"/v2/passkeys/{registered['registrationId']}")
    assert (await bank.call("GET", "/v2/passkeys", userId=customer.user_id)) == {"passkeys": []}
