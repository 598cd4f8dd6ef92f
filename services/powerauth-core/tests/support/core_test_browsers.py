"""Browsers at the dmz door, as the enrollment service sees them: a page, and an authenticator behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core_test_api import Api
from core_test_passkeys import ORIGIN, RP_ID

from powerauth_core.applications import repository
from powerauth_core.container import Core
from powerauth_core.passkey_policies import service
from powerauth_core.passkey_policies.rules import StoredPolicy
from powerauth_core.passkeys import policy as policies
from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_decode
from powerauth_sdk.authenticator import AssertionResponse, Authenticator, RegistrationResponse
from servicekit import clock

POLICY = {"rpId": RP_ID, "rpWebOrigins": [ORIGIN]}
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.7"
MODEL = Authenticator().aaguid


async def set_policy(core: Core, application_id: str, **members: Any) -> None:
    """Store the application's policy, past the look at what it does to users."""
    policy = policies.read(POLICY | members, root_names=policies.DEFAULT_ROOTS)
    stored = StoredPolicy(policy=policy, version=1, changed_by="admin", changed_at=clock.now())
    async with core.database.transaction() as session:
        row = await repository.lock_by_name(session, application_id)
        assert row is not None
        await service.store(core.cipher, core.application_cache, session, row, stored)


@dataclass
class Browser:
    """A browser with an authenticator.

    :ivar address: where it is, as enrollment tells
    :ivar client: further members of client data
    """

    dmz: Api
    application_id: str
    authenticator: Authenticator = field(default_factory=Authenticator)
    address: str = HERE
    origin: str = ORIGIN
    client: dict[str, Any] = field(default_factory=dict)

    async def begin_registration(self, ticket: str | None = None, **members: Any) -> dict[str, Any]:
        """What the browser is told: `registrationId`, `publicKey`."""
        content = {"requestObject": {"bindingTicket": ticket, "displayName": "Alice"}}
        found: dict[str, Any] = await self.dmz.ok(
            "passkey/registration/options",
            body=b64encode(json.dumps(content).encode()),
            clientAddress=self.address,
            **members,
        )
        return found

    def make(self, options: Mapping[str, Any]) -> RegistrationResponse:
        """What the authenticator makes."""
        asked = options["publicKey"]
        challenge, handle = b64decode(asked["challenge"]), b64decode(asked["user"]["id"])
        return self.authenticator.register(asked["rp"]["id"], self.origin, challenge, handle, **self.client)

    def registration(self, options: Mapping[str, Any], made: RegistrationResponse) -> dict[str, Any]:
        """The request that answers."""
        credential = _credential(made.json(), "clientDataJSON", "attestationObject")
        credential["response"]["transports"] = list(made.transports)
        answered = {"registrationId": options["registrationId"], "name": "Laptop"}
        return {**answered, "credential": credential, "clientAddress": self.address}

    async def register(self, ticket: str) -> dict[str, Any]:
        """Register a passkey."""
        options = await self.begin_registration(ticket)
        request = self.registration(options, self.make(options))
        found: dict[str, Any] = await self.dmz.ok("passkey/registration", **request)
        return found

    async def begin_sign_in(self, **members: Any) -> dict[str, Any]:
        """What the browser is told: `sessionId`, `publicKey`."""
        found: dict[str, Any] = await self.dmz.ok(
            "passkey/assertion/options",
            applicationId=self.application_id,
            clientAddress=self.address,
            **members,
        )
        return found

    def sign(self, options: Mapping[str, Any]) -> AssertionResponse:
        """What the authenticator signs, with a passkey that is offered if some are."""
        asked = options["publicKey"]
        offered = {b64decode(one["id"]) for one in asked["allowCredentials"]}
        mine = [one.id for one in self.authenticator.passkeys if one.id in offered]
        challenge = b64decode(asked["challenge"])
        chosen = mine[0] if mine else None
        return self.authenticator.sign_in(asked["rpId"], self.origin, challenge, chosen, **self.client)

    def assertion(self, options: Mapping[str, Any], signed: AssertionResponse) -> dict[str, Any]:
        """The request that answers."""
        credential = _credential(
            signed.json(), "clientDataJSON", "authenticatorData", "signature", "userHandle"
        )
        return {
            "sessionId": options["sessionId"],
            "credential": credential,
            "clientAddress": self.address,
        }

    async def sign_in(self, **members: Any) -> dict[str, Any]:
        """Sign in."""
        options = await self.begin_sign_in(**members)
        request = self.assertion(options, self.sign(options))
        found: dict[str, Any] = await self.dmz.ok("passkey/assertion", **request)
        return found

    async def refused_sign_in(self, **members: Any) -> str:
        """Try to; the code, with the reason if there is one."""
        options = await self.begin_sign_in(**members)
        status, body = await self.dmz.post("passkey/assertion", **self.assertion(options, self.sign(options)))
        assert status == 400, body
        error = body["responseObject"]
        return str(error.get("reason", error["code"]))


def _credential(json_: dict[str, Any], *binary: str) -> dict[str, Any]:
    response = json_["response"]
    return {
        "credentialId": _recoded(json_["id"]),
        "type": json_["type"],
        "authenticatorAttachment": json_["authenticatorAttachment"],
        "response": {name: _recoded(response[name]) for name in binary if name in response},
    }


def _recoded(text: str) -> str:
    return b64encode(b64url_decode(text))
