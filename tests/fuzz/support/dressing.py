"""Gives a generated body the headers and envelopes of a phone: none, broken, foreign or right ones."""

from __future__ import annotations

import os
from base64 import b64encode
from random import Random
from uuid import UUID

from asgi_client import Request
from endpoints import Endpoint
from running_stack import PIN, Bank

from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_protocol.v3.http_headers import (
    AUTHORIZATION_HEADER,
    ENCRYPTION_HEADER,
    TOKEN_HEADER,
    EncryptionHeader,
    SignatureHeader,
    TokenHeader,
)
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import Device
from powerauth_sdk.factors import protect_knowledge_key, unlocked_keys

BROKEN_HEADERS = (
    "",
    "PowerAuth",
    "PowerAuth ",
    'powerauth pa_version="3.3"',
    "PowerAuth pa_version=3.3",
    'PowerAuth pa_version="", version=""',
    'PowerAuth version="4.0", pa_version="4.0"',
    "PowerAuth " + "a=b, " * 1500,
    'PowerAuth pa_activation_id="' + "\u00ff" * 40 + '"',
    "Basic YTpi",
)
_HEADERS = (AUTHORIZATION_HEADER, ENCRYPTION_HEADER, TOKEN_HEADER)


class Dressing:
    """The phones of one bank, one for each protocol version; a removed phone is replaced by a new one."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._phones: dict[ProtocolVersion, Device] = {}

    async def phone(self, version: ProtocolVersion) -> Device:
        """The phone of a version, active, with a token of each factor type."""
        device = self._phones.get(version)
        if device is None:
            device = await self._bank.phone(version=version)
            _quick_pin(device)
            for kind in (SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE):
                await device.token(kind.value, kind, PIN)
            self._phones[version] = device
        return device

    async def refresh(self) -> None:
        """Forget the phones that are not active any more."""
        for version, phone in list(self._phones.items()):
            status = await self._bank.stack.core("activation/status", activationId=phone.state.activation_id)
            if status["activationStatus"] != "ACTIVE":
                del self._phones[version]

    async def dress(self, endpoint: Endpoint, request: Request, random: Random) -> Request:
        """One of the ways; the right way half of the time."""
        choice = random.random()
        version = random.choice(list(ProtocolVersion))
        if choice < 0.1:
            return request
        if choice < 0.25:
            names = random.sample(_HEADERS, random.randint(1, 3))
            return request.with_headers({name: random.choice(BROKEN_HEADERS) for name in names})
        if choice < 0.4:
            return request.with_headers(foreign_headers(version, random))
        return await self.right(endpoint, request, await self.phone(version), random)

    async def right(self, endpoint: Endpoint, request: Request, device: Device, random: Random) -> Request:
        """Sealed, signed and with the token that the endpoint wants."""
        headers: dict[str, str] = {}
        body = request.body
        signed = body
        shared_info = endpoint.sealed if random.random() < 0.7 else None
        if endpoint.scope is not None:
            shared_info = SharedInfo1.generic(endpoint.scope)
        if shared_info is not None:
            scope = endpoint.scope or Scope.ACTIVATION
            encryptor = await device.encryption.encryptor(scope, shared_info, device.state)
            body = device.encryption.encrypt(encryptor, request.body)
            signed = request.body if endpoint.scope is not None else body
        if endpoint.scope is not None or endpoint.sealed is not None:
            headers |= device.encryption.header(endpoint.scope or Scope.ACTIVATION, device.state)
        if endpoint.token:
            tokens = device.state.tokens
            kind = SignatureType.POSSESSION_KNOWLEDGE if endpoint.scope else SignatureType.POSSESSION
            headers |= device.token_header(tokens[kind.value])
        if endpoint.uri_id is not None:
            if endpoint.method == "GET":
                signed = request.target.partition("?")[2].encode()
            headers |= await device.signed_header(
                method=endpoint.method,
                uri_id=endpoint.uri_id,
                body=signed,
                signature_type=endpoint.signature_type,
                pin=PIN,
            )
        return Request(request.method, request.target, request.headers, body).with_headers(headers)


def _quick_pin(device: Device) -> None:
    """Put the knowledge key under the PIN with one iteration: what a slow derivation protects is not here."""
    state = device.state
    key = unlocked_keys(state, SignatureType.POSSESSION_KNOWLEDGE, PIN).knowledge
    salt = os.urandom(16)
    state.encrypted_knowledge_key = protect_knowledge_key(key, PIN, salt, 1)
    state.pin_salt, state.pin_iterations = b64encode(salt).decode(), 1


def foreign_headers(version: ProtocolVersion, random: Random) -> dict[str, str]:
    """Well-formed headers of a phone that does not exist."""
    activation_id = str(UUID(int=random.getrandbits(128), version=4))
    key, nonce = b64encode(os.urandom(16)).decode(), b64encode(os.urandom(16)).decode()
    signature = "12345678-12345678" if version is ProtocolVersion.V3_0 else b64encode(os.urandom(32)).decode()
    headers = {
        AUTHORIZATION_HEADER: SignatureHeader(
            activation_id, key, nonce, "possession_knowledge", signature, version.value
        ).build(),
        ENCRYPTION_HEADER: EncryptionHeader(key, random.choice([activation_id, None]), version.value).build(),
        TOKEN_HEADER: TokenHeader(
            activation_id, b64encode(os.urandom(32)).decode(), nonce, "1735689600123", version.value
        ).build(),
    }
    return {name: headers[name] for name in random.sample(_HEADERS, random.randint(1, 3))}
