"""No bucket that a stranger can fill refuses an honest phone (D14, D15, D18).

The stranger has everything public: the application's keys, the ids of activations, any address, those of
honest phones among them. All limits are tiny here: each of his kinds of requests is over its limit for ever.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from powerauth_cli.all_in_one import AllInOne
from powerauth_cli.demo.bank import Bank
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.http_headers import EncryptionHeader, SignatureHeader
from powerauth_protocol.v3.temporary_key import TemporaryKeyRequest, build_request_jwt, request_signing_key
from powerauth_sdk import AppConfig, Device, MobileToken
from powerauth_sdk.transport import Answer, HttpTransport

pytestmark = pytest.mark.e2e
PIN = "1234"
LIMIT = 3
TIMES = LIMIT + 2
PHONES = 61
CARRIER, BRANCH, ELSEWHERE = "198.51.100.7", "2001:db8:1:2::7", "192.0.2.8"
LIMITS: dict[str, dict[str, Any]] = {
    "core": {"count_only_own_device": True, "dmz_attempts_per_activation_per_minute": LIMIT},
    "enrollment": {
        "limit_failures_per_address": LIMIT,
        "limit_keystore_per_activation": LIMIT,
        "limit_status_per_activation": LIMIT,
        "limit_loopback": True,
        "trusted_proxies": "127.0.0.1",
    },
}


@dataclass
class From:
    """A transport from an address, that remembers how often it was told to come later."""

    inner: HttpTransport
    address: str
    statuses: list[int] = field(default_factory=list)

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = {"Content-Type": "application/json", **headers, "X-Forwarded-For": self.address}
        answer = await self.inner.send(method, path, sent, body)
        self.statuses.append(answer.status)
        return answer


@dataclass
class World:
    """A bank with one application, its customers' phones, and whoever else is out there."""

    bank: Bank
    config: AppConfig
    http: HttpTransport

    def phone(self, address: str) -> Device:
        return Device(self.config, From(self.http, address))

    async def activated(self, address: str, user_id: str) -> Device:
        registration = await self.bank.call("POST", "/v2/registrations", {"userId": user_id, "appId": "app"})
        phone = self.phone(address)
        await phone.activate_with_code(registration["activationQrCodeData"], PIN)
        await self.bank.call("POST", f"/v2/registrations/{registration['registrationId']}/commit")
        return phone


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("honest")
    async with AllInOne(folder, port=0, settings=LIMITS) as stack:
        admin = Bank(stack.cloud_url, *stack.admin)
        application = await admin.call("POST", "/admin/applications", {"id": "app"})
        user = await admin.call("POST", "/admin/users", {"username": "bank"})
        await admin.call("POST", "/admin/users/bank/applications/app")
        template = {
            "templateName": "payment",
            "operationType": "payment",
            "dataTemplate": "A2",
            "signatureType": ["POSSESSION_KNOWLEDGE"],
            "maxFailureCount": 3,
            "expiration": 300,
        }
        await admin.call("POST", "/admin/operations/templates", template)
        text = {"title": "Payment", "message": "Pay"}
        await admin.call("PUT", "/admin/operations/texts/payment/en", text)
        bank = Bank(stack.cloud_url, user["username"], user["password"])
        http = HttpTransport(stack.enrollment_url)
        config = AppConfig.from_sdk_config(stack.enrollment_url, application["mobileSdkConfig"])
        yield World(bank, config, http)
        for each in (http, bank, admin):
            await each.close()


class Stranger:
    """Fills every limit there is, for an activation and from an address."""

    def __init__(self, world: World, victim: str) -> None:
        self._world, self._victim = world, victim
        self._key = world.config.application_key

    async def floods(self, address: str) -> list[int]:
        """Everything he can send, each more often than its limit; the statuses of the answers."""
        transport = From(self._world.http, address)
        for _ in range(TIMES):
            for path, headers, body in self._requests():
                await transport.send("POST", path, headers, body)
        return transport.statuses

    def _requests(self) -> list[tuple[str, dict[str, str], bytes]]:
        envelope = json.dumps(
            {
                "temporaryKeyId": "7e0ba60f-bf22-4ff5-b999-2733784e5eaa",
                "ephemeralPublicKey": b64encode(b"\2" + os.urandom(32)),
                "encryptedData": b64encode(os.urandom(32)),
                "mac": b64encode(os.urandom(32)),
                "nonce": b64encode(os.urandom(16)),
                "timestamp": 1,
            }
        ).encode()
        application = {"X-PowerAuth-Encryption": EncryptionHeader(self._key, None, "3.3").build()}
        activation = {"X-PowerAuth-Encryption": EncryptionHeader(self._key, self._victim, "3.3").build()}
        status = json.dumps({"requestObject": {"activationId": self._victim}}).encode()
        return [
            ("/pa/v3/keystore/create", {}, self._key_request(None)),
            ("/pa/v3/keystore/create", {}, self._key_request(self._victim)),
            ("/pa/v3/keystore/create", {}, b'{"requestObject":{"jwt":"a.b.c"}}'),
            ("/pa/v3/activation/status", {}, status),
            ("/pa/v3/activation/create", application, envelope),
            ("/api/config/oidc", application, envelope),
            ("/pa/v3/user/info", activation, envelope),
            *[
                (path, self._signature(kind, key), envelope)
                for key in (self._key, b64encode(os.urandom(16)))
                for path, kind in (
                    ("/pa/v3/signature/validate", "possession_knowledge"),
                    ("/pa/v3/signature/validate", "possession"),
                    ("/pa/v3/token/create", "possession"),
                    ("/pa/v3/vault/unlock", "possession_knowledge"),
                    ("/pa/v3/recovery/confirm", "possession_knowledge"),
                    ("/pa/v3/activation/rename", "possession_knowledge"),
                    ("/pa/v3/activation/remove", "possession_knowledge"),
                    ("/api/auth/token/app/operation/history", "possession_knowledge"),
                    ("/api/auth/token/app/operation/authorize", "possession_knowledge"),
                    ("/api/auth/token/app/operation/cancel", "possession"),
                )
            ],
        ]

    def _key_request(self, activation_id: str | None) -> bytes:
        """In application scope a right one: he has the application. In the victim's name he has to guess."""
        mac_key = os.urandom(16)
        if activation_id is None:
            secret = b64decode(self._world.config.application_secret)
            mac_key = request_signing_key(Scope.APPLICATION, secret)
        jwt = build_request_jwt(TemporaryKeyRequest(self._key, activation_id), mac_key)
        return json.dumps({"requestObject": {"jwt": jwt}}).encode()

    def _signature(self, kind: str, key: str) -> dict[str, str]:
        code = b64encode(os.urandom(16 * (kind.count("_") + 1)))
        nonce = b64encode(os.urandom(16))
        return {
            "X-PowerAuth-Authorization": SignatureHeader(self._victim, key, nonce, kind, code, "3.3").build()
        }


async def main_job(world: World, phone: Device, user_id: str) -> None:
    """Sign in, see a payment, approve it; keys and status asked for anew, as after a restart."""
    phone.encryption.forget_activation()
    assert (await phone.status()).state == "ACTIVE"
    await phone.validate_signature(pin=PIN)
    await phone.user_info()
    await world.bank.create_operation(user_id, "payment")
    operations = MobileToken(phone)
    (pending,) = await operations.pending()
    await operations.approve(pending, PIN)
    assert (await world.bank.operation(pending.id))["status"] == "APPROVED"


async def test_a_phone_does_its_main_job_whatever_a_stranger_filled(world: World) -> None:
    """He is at other addresses, and at the phone's own, behind the same carrier."""
    phone = await world.activated(CARRIER, "alice")
    stranger = Stranger(world, phone.state.activation_id)
    for address in (ELSEWHERE, *[f"203.0.113.{number}" for number in range(3)], CARRIER):
        assert 429 not in await stranger.floods(address)
    await main_job(world, phone, "alice")
    newcomer = await world.activated(CARRIER, "bob")
    await main_job(world, newcomer, "bob")
    for honest in (phone, newcomer):
        assert isinstance(honest.transport, From)
        assert set(honest.transport.statuses) == {200}


async def test_a_branch_office_activates_its_phones_while_a_stranger_sits_in_it(world: World) -> None:
    victim = await world.activated(BRANCH, "carol")
    stranger = asyncio.create_task(Stranger(world, victim.state.activation_id).floods(BRANCH))
    phones = [await world.activated(BRANCH, f"customer-{number}") for number in range(PHONES)]
    for phone in phones:
        await phone.validate_signature(pin=PIN)
    await stranger
    for phone in (victim, *phones):
        assert isinstance(phone.transport, From)
        assert set(phone.transport.statuses) == {200}
