"""One application with phones and operations in every state, kept that way while bad input works on it."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from running_stack import PIN, Bank, RunningStack

from powerauth_protocol.v3.keys import compress_public_key, generate_key_pair
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk import Device, TokenRecord

CALLBACK = {
    "name": "callback",
    "type": "OPERATION_STATUS_CHANGE",
    "callbackUrl": "https://bank.example/callback",
    "attributes": ["userId"],
}


@dataclass
class World:
    """What exists.

    :ivar phone: an active one
    :ivar pending: a phone that waits for the bank's commit
    :ivar created: a registration that no phone has used
    :ivar operation: a pending one of the phone's user
    :ivar unclaimed: a pending one without a user
    """

    bank: Bank
    phone: Device = field(init=False)
    blocked: Device = field(init=False)
    pending: Device = field(init=False)
    created: dict[str, str] = field(init=False)
    token: TokenRecord = field(init=False)
    operation: dict[str, Any] = field(init=False)
    unclaimed: dict[str, Any] = field(init=False)
    callback_id: str = ""
    template_id: int = 0
    username: str = ""

    @classmethod
    async def create(cls, stack: RunningStack) -> World:
        """A world with an application of its own."""
        world = cls(await Bank.create(stack))
        await world._new_phone()
        await world._new_blocked()
        world.pending = await world.bank.phone(commit=False)
        world.created = await world.bank.registration()
        world.operation = await world.bank.operation()
        world.unclaimed = await world.bank.operation(None)
        await world._new_callback()
        await world._new_user()
        return world

    async def refresh(self) -> None:
        """Replace whatever is no longer in the state that it stands for."""
        bank = self.bank
        await self._support_versions()
        if await self._status(self.phone.state.activation_id) != "ACTIVE":
            await self._new_phone()
        if await self._status(self.blocked.state.activation_id) != "BLOCKED":
            await self._new_blocked()
        if await self._status(self.pending.state.activation_id) != "PENDING_COMMIT":
            self.pending = await bank.phone(commit=False)
        if await self._status(self.created["registrationId"]) != "CREATED":
            self.created = await bank.registration()
        if await self._operation_status(self.operation) != ("PENDING", "alice"):
            self.operation = await bank.operation()
        if await self._operation_status(self.unclaimed) != ("PENDING", None):
            self.unclaimed = await bank.operation(None)
        callbacks = await bank.stack.core("application/callback/list", applicationId=bank.application_id)
        if all(item["id"] != self.callback_id for item in callbacks["callbackUrlList"]):
            await self._new_callback()
        users = await bank.stack.cloud("GET", "/admin/users")
        if all(item["username"] != self.username for item in users["users"]):
            await self._new_user()
        templates = await bank.stack.core("operation/template/list")
        known = {item["templateName"]: item["id"] for item in templates}
        if bank.template not in known:
            await bank.save_template()
        self.template_id = known.get(bank.template, 0)

    async def _support_versions(self) -> None:
        stack, application_id = self.bank.stack, self.bank.application_id
        detail = await stack.core("application/detail", applicationId=application_id)
        for version in detail["versions"]:
            if not version["supported"]:
                await stack.core(
                    "application/version/support",
                    applicationId=application_id,
                    applicationVersionId=version["applicationVersionId"],
                )

    async def _new_phone(self) -> None:
        self.phone = await self.bank.phone()
        self.token = await self.phone.token("any", SignatureType.POSSESSION, PIN)

    async def _new_blocked(self) -> None:
        self.blocked = await self.bank.phone()
        await self.bank.stack.core("activation/block", activationId=self.blocked.state.activation_id)

    async def _new_callback(self) -> None:
        bank = self.bank
        path = f"/v2/admin/applications/{bank.application_id}/callbacks"
        self.callback_id = (await bank.call("POST", path, CALLBACK))["id"]

    async def _new_user(self) -> None:
        self.username = f"user-{uuid4().hex[:8]}"
        await self.bank.stack.cloud("POST", "/admin/users", {"username": self.username})

    async def _status(self, activation_id: str) -> str:
        status = await self.bank.stack.core("activation/status", activationId=activation_id)
        return str(status["activationStatus"])

    async def _operation_status(self, operation: dict[str, Any]) -> tuple[str, str | None]:
        detail = await self.bank.stack.core("operation/detail", operationId=operation["operationId"])
        return detail["status"], detail["userId"]

    def values(self) -> dict[str, list[object]]:
        """What exists, or has at least the right form, by the names that all APIs share."""
        bank = self.bank
        key = b64encode(compress_public_key(generate_key_pair().public)).decode()
        versions = ["3.3", "3.0", "3.2", "4.0"]
        registrations = [self.phone.state.activation_id] * 3 + [
            self.blocked.state.activation_id,
            self.pending.state.activation_id,
            self.created["registrationId"],
        ]
        operations = [self.operation["operationId"], self.unclaimed["operationId"]]
        return {
            "activationId": list(registrations),
            "registrationId": list(registrations),
            "applicationId": [bank.application_id],
            "applicationIds": [bank.application_id],
            "applications": [bank.application_id],
            "appId": [bank.application_id],
            "appIds": [bank.application_id],
            "applicationKey": [bank.config.application_key],
            "applicationVersionId": ["default"],
            "userId": ["alice"],
            "userIds": ["alice"],
            "activationCode": [self.created["activationCode"]],
            "operationId": list(operations),
            "tokenId": [self.token.token_id],
            "template": [bank.template],
            "templateName": [bank.template],
            "operationType": [bank.operation_type],
            "callbackId": [self.callback_id],
            "callbackUrl": [CALLBACK["callbackUrl"]],
            "id": [self.callback_id, *operations, self.template_id],
            "dataTemplate": ["A1*A${amount}${currency}"],
            "temporaryKeyId": [str(uuid4())],
            "ephemeralPublicKey": [key],
            "devicePublicKey": [key],
            "encryptedData": [_random(32)],
            "mac": [_random(32)],
            "nonce": [_random(16)],
            "challenge": [_random(16)],
            "tokenDigest": [_random(32)],
            "signature": ["12345678-12345678", _random(32)],
            "protocolVersion": list(versions),
            "signatureVersion": list(versions),
            "language": ["en"],
            "providerId": ["idp"],
            "roleName": ["role"],
            "key": ["oauth2_providers", "fido2_attestation_fmt_allowed"],
        }


def _random(length: int) -> str:
    return b64encode(os.urandom(length)).decode()
