"""A host between a phone and the core, which keeps everything that passes and may hold it back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dmz_attacker import Envelope, Loot, opened

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import ClientEncryptor, EciesContext, SharedInfo1
from powerauth_sdk.phone import Phone

FILLER = json.dumps({"activationName": "Work phone", "data": "x" * 64, "reason": "ADD_BIOMETRY"}).encode()
"""A plaintext for every purpose, of several blocks."""
PURPOSES = {
    "sealed/token/create": SharedInfo1.CREATE_TOKEN,
    "sealed/vault/unlock": SharedInfo1.VAULT_UNLOCK,
    "sealed/recovery/confirm": SharedInfo1.CONFIRM_RECOVERY_CODE,
}


@dataclass
class Passing:
    """One request of the phone as the host sees it, and what only the phone has."""

    path: str
    request: dict[str, Any]
    sealed: Any = field(default=None, repr=False)
    answer: dict[str, Any] | None = None

    @property
    def body(self) -> bytes:
        return b64decode(self.request.get("body", ""))

    def envelopes(self) -> Iterator[dict[str, Any]]:
        """Its messages of activation scope."""
        if self.sealed is None:
            return
        yield self.sealed.fields
        if self.answer is not None and self.answer.get("envelope"):
            point = self.sealed.fields["ephemeralPublicKey"]
            yield self.answer["envelope"] | {"ephemeralPublicKey": point}


class Host:
    """The captured host between a phone and the core."""

    def __init__(self, door: Any, phone: Phone) -> None:
        self.door = door
        self.phone = phone
        self.loot = Loot()
        self.passed: list[Passing] = []

    async def forward(self, passing: Passing) -> dict[str, Any]:
        """Do what the host is for, and keep both sides of it."""
        status, content = await self.door.api.post(passing.path, **passing.request)
        assert status == 200, content
        answer: dict[str, Any] = content["responseObject"]
        passing.answer = answer
        self.keep(passing)
        self.loot.add(content)
        return answer

    def keep(self, passing: Passing) -> Passing:
        """Keep a request, and hold it back."""
        self.passed.append(passing)
        self.loot.add(passing.request)
        return passing

    async def call(self, path: str, request: Any) -> dict[str, Any]:
        """A call that phones make without a header."""
        return await self.forward(Passing(path, request))

    async def signed(self, action: str, body: bytes) -> Passing:
        return Passing(f"signed/{action}", self.door.request(self.phone, action, body))

    async def over_body(self, action: str, sh1: SharedInfo1, plaintext: bytes = FILLER) -> Passing:
        body, sealed = await self.door.sealed(self.phone, sh1, plaintext)
        return Passing(f"sealed/{action}", self.door.request(self.phone, action, body), sealed)

    async def inside(self, action: str, plaintext: bytes = FILLER) -> Passing:
        return Passing(f"sealed/{action}", *await self.door.inside(self.phone, action, plaintext))

    async def unsigned(self, action: str, token: Any = None) -> Passing:
        return Passing(f"sealed/{action}", *await self.door.unsigned(self.phone, FILLER, token))

    def envelope(self, members: dict[str, Any], path: str) -> Envelope:
        """A message as the attacker sees it."""
        point = members["ephemeralPublicKey"]
        _, public = self.phone.encryption_key(Scope.ACTIVATION)
        purpose = PURPOSES.get(path, SharedInfo1.ACTIVATION_GENERIC)
        text = b64decode(members["encryptedData"])
        return Envelope(text, b64decode(point), purpose, self.phone.version, (public,))

    def reads(self, *passed: Passing) -> list[bytes]:
        """What he can open of them."""
        messages = [
            self.envelope(members, passing.path) for passing in passed for members in passing.envelopes()
        ]
        assert messages
        return [plaintext for _, plaintext in opened(messages, self.loot)]

    def context(self, sh1: SharedInfo1 = SharedInfo1.ACTIVATION_GENERIC) -> EciesContext:
        """What everybody knows of the phone's envelopes."""
        key_id, _ = self.phone.encryption_key(Scope.ACTIVATION)
        return EciesContext(
            version=self.phone.version,
            scope=Scope.ACTIVATION,
            sh1=sh1,
            application_key=self.phone.app.key,
            activation_id=self.phone.activation_id,
            temporary_key_id=key_id,
        )

    async def forges(self, base: bytes) -> bool:
        """Ask for user info with an envelope of the host's own; True if the core takes it for the phone's."""
        _, public = self.phone.encryption_key(Scope.ACTIVATION)
        forged = ClientEncryptor(self.context(), public, base).encrypt(b"{}").to_json_dict()
        request = {
            "encryption": self.door.encryption(self.phone),
            "body": b64encode(json.dumps(forged).encode()),
        }
        status, _ = await self.door.api.post("sealed/user-info", **request)
        return bool(status == 200)
