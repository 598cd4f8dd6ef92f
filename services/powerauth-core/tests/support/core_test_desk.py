"""A bank's web desk: its users register passkeys at ``/fido2`` and approve operations with them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_passkeys import ORIGIN, RP_ID
from sqlalchemy import select

from powerauth_core.applications import repository as applications
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.passkey_policies import service as policies
from powerauth_core.passkey_policies.rules import StoredPolicy
from powerauth_core.passkeys import policy as policy_reader
from powerauth_protocol.common.encoding import b64encode
from powerauth_sdk.authenticator import AssertionResponse, Authenticator, RegistrationResponse

USER = "anna"
TEMPLATE = {
    "templateName": "payment",
    "operationType": "payment",
    "dataTemplate": "A1*A${AMOUNT}&CZK",
    "signatureType": ["POSSESSION", "POSSESSION_KNOWLEDGE"],
    "maxFailureCount": 5,
    "expiration": 300,
}
STRICT = {**TEMPLATE, "templateName": "strict", "signatureType": ["POSSESSION_KNOWLEDGE"]}

Answer = tuple[int, Any]
"""Status and response object."""


@dataclass
class Desk:
    """The bank's server, and what its users' browsers send.

    :ivar changed: members of every request that are not as usual
    """

    core: Core
    rest: Api
    fido2: Api
    application: TestApplication
    changed: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.application.application_id

    async def policy(self, **members: Any) -> None:
        """Set the policy of the application."""
        given = {"rpId": RP_ID, "rpWebOrigins": [ORIGIN], "aaguidAllowListBinding": True} | members
        names = self.core.fido_metadata.root_names
        policy = policy_reader.read(given, root_names=names, stored=True)
        async with self.core.database.transaction() as session:
            row = await applications.find_by_name(session, self.id)
            assert row is not None
            stored = StoredPolicy(policy=policy, version=1)
            await policies.store(self.core.cipher, self.core.application_cache, session, row, stored)

    async def waiting(self, user_id: str = USER) -> dict[str, Any]:
        """A challenge of a registration."""
        found: dict[str, Any] = await self.fido2.ok(
            "registrations/challenge", userId=user_id, applicationId=self.id
        )
        return found

    async def register(
        self,
        authenticator: Authenticator,
        user_id: str = USER,
        *,
        challenge: str | None = None,
        spoil: Callable[[RegistrationResponse], RegistrationResponse] = lambda response: response,
        client: dict[str, Any] | None = None,
        rp_id: str = RP_ID,
        **change: Any,
    ) -> Answer:
        """Make a passkey; `change` is of the parameters of the authenticator."""
        text = challenge or (await self.waiting(user_id))["challenge"]
        members = {"origin": ORIGIN} | (client or {})
        origin = members.pop("origin")
        response = spoil(authenticator.register(rp_id, origin, text.encode(), **members))
        return await self.send_registration(response, **change)

    async def send_registration(self, response: RegistrationResponse, /, **change: Any) -> Answer:
        parameters = {
            "credentialId": b64encode(response.credential_id),
            "type": "public-key",
            "authenticatorAttachment": response.attachment,
            "response": {
                "clientDataJSON": b64encode(response.client_data_json),
                "attestationObject": b64encode(response.attestation_object),
                "transports": list(response.transports),
            },
            "relyingPartyId": RP_ID,
            "allowedOrigins": [ORIGIN],
            "requiresUserVerification": False,
        }
        status, body = await self.fido2.post(
            "registrations",
            applicationId=self.id,
            activationName="Anna's phone",
            authenticatorParameters=parameters | change,
        )
        return status, body["responseObject"]

    async def passkey(self, authenticator: Authenticator, user_id: str = USER, **change: Any) -> str:
        """Register a passkey; id of its activation."""
        status, found = await self.register(authenticator, user_id, **change)
        assert status == 200, found
        activation_id: str = found["activationId"]
        return activation_id

    async def operation(self, user_id: str | None = USER, **members: Any) -> dict[str, Any]:
        """The challenge of a new operation."""
        asked = {
            "applicationIds": [self.id],
            "templateName": "payment",
            "userId": user_id,
            "parameters": {"AMOUNT": "100"},
        }
        found: dict[str, Any] = await self.fido2.ok("assertions/challenge", **(asked | members))
        return found

    async def sign(
        self,
        authenticator: Authenticator,
        challenge: str | None = None,
        *,
        spoil: Callable[[AssertionResponse], AssertionResponse] = lambda response: response,
        client: dict[str, Any] | None = None,
        rp_id: str = RP_ID,
        **change: Any,
    ) -> Answer:
        """Approve an operation, a new one of the user's by default."""
        text = challenge or (await self.operation())["challenge"]
        members = {"origin": ORIGIN} | (client or {})
        origin = members.pop("origin")
        response = spoil(authenticator.sign_in(rp_id, origin, text.encode(), **members))
        return await self.send_assertion(response, **change)

    async def send_assertion(self, response: AssertionResponse, /, **change: Any) -> Answer:
        request = {
            "credentialId": b64encode(response.credential_id),
            "type": "public-key",
            "authenticatorAttachment": response.attachment,
            "response": {
                "clientDataJSON": b64encode(response.client_data_json),
                "authenticatorData": b64encode(response.authenticator_data),
                "signature": b64encode(response.signature),
                "userHandle": None if response.user_handle is None else b64encode(response.user_handle),
            },
            "applicationId": self.id,
            "relyingPartyId": RP_ID,
            "allowedOrigins": [ORIGIN],
            "requiresUserVerification": False,
        }
        status, body = await self.fido2.post("assertions", **(request | change))
        return status, body["responseObject"]

    async def state(self, activation_id: str) -> tuple[str, int, str | None]:
        """Status, failed attempts and blocked reason of a passkey."""
        found = await self.rest.ok("activation/status", activationId=activation_id)
        return found["activationStatus"], found["failedAttempts"], found["blockedReason"]

    async def operation_state(self, challenge: dict[str, Any]) -> tuple[str, int]:
        """Status and failures of an operation."""
        found = await self.rest.ok("operation/detail", operationId=challenge["operationId"])
        return found["status"], found["failureCount"]

    async def audit(self, message: str | None = None) -> list[dict[str, Any]]:
        """Parameters of the records about passkeys, oldest first; each with its message."""
        statement = (
            select(AuditLog)
            .where(AuditLog.audit_type == "fido2")
            .order_by(AuditLog.timestamp_created, AuditLog.audit_log_id)
        )
        async with self.core.database.read() as session:
            rows = list(await session.scalars(statement))
        found = [{"message": row.message, **json.loads(row.param or "{}")} for row in rows]
        return [one for one in found if message in (None, one["message"])]


def with_id(response: AssertionResponse, credential_id: bytes) -> AssertionResponse:
    """An answer that names another credential."""
    return replace(response, credential_id=credential_id)


def made_with_id(authenticator: Authenticator, credential_id: bytes, challenge: str) -> RegistrationResponse:
    """A registration of a credential id of the authenticator's choice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_bytes", lambda _size: credential_id)
        return authenticator.register(RP_ID, ORIGIN, challenge.encode())
