"""A scripted core, a scripted push service and a phone for the tests of this package.

The core hands out envelope keys as the real one does (with real keys, after verifying the MAC); every other
path of its door answers what a test told it to.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from powerauth_contracts.dmz import table
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies import EciesContext, EciesRequest, Scope, SharedInfo1
from powerauth_protocol.v3.http_headers import EncryptionHeader
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    BiometryKey,
    KnowledgeKey,
    PossessionKey,
    TransportKey,
    VaultKey,
    generate_key_pair,
)
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import phone
from powerauth_sdk.config import App
from powerauth_sdk.phone import Sealed
from powerauth_sdk.signing import sign_token
from servicekit.calls.client import RawAnswer, ServiceClient

DOOR = "/powerauth-java-server/dmz/v1/"
PUSH = "/powerauth-push-server"
BASE_URL = "http://enrollment.test/enrollment-server"

ACTIVATION_ID = "3f2c1b6a-9a5e-4c1d-8b77-0123456789ab"
TOKEN_ID = "7a1e4a5e-2b8f-4f7e-9a51-aaaaaaaaaaaa"
TEMPORARY_KEY_ID = "2b0c1111-2222-4333-8444-bbbbbbbbbbbb"
USER_ID = "alice"
APPLICATION_ID = "mobile-bank"


DOOR_PATHS = frozenset(path.removeprefix(f"{table.DOOR}/") for path in table.DOOR_PATHS)
"""Every path that may be called, below the door."""


@dataclass
class Refusal:
    """An error of the core, with one of its codes."""

    code: str
    status: int = 400
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Raw:
    """Any answer at all."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Script = Mapping[str, Any] | Refusal | Raw | Callable[[dict[str, Any]], Any]


@dataclass
class Call:
    """One request that a service received."""

    method: str
    path: str
    request: dict[str, Any]
    headers: dict[str, str]
    query: str = ""
    networks: list[str] = field(init=False)
    """Where the signatures of the request came from, which is no field of their headers."""

    def __post_init__(self) -> None:
        signed = [self.request[name] for name in ("header", "authorization") if self.request.get(name)]
        self.networks = [header.pop("client_network") for header in signed if "client_network" in header]


class ScriptedService:
    """An ASGI application that records every request and answers from a script by path."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.script: dict[str, Script] = {}
        self.gate: asyncio.Event | None = None
        """While it is closed, requests wait behind it."""
        self.waiting = 0

    def close_gate(self) -> asyncio.Event:
        """Let requests wait from now on; how many did is counted."""
        self.gate, self.waiting = asyncio.Event(), 0
        return self.gate

    @property
    def paths(self) -> list[str]:
        """The paths called so far, in order."""
        return [call.path for call in self.calls]

    def last(self, path: str) -> dict[str, Any]:
        """The request object of the last call of a path."""
        return next(call.request for call in reversed(self.calls) if call.path == path)

    def short_path(self, path: str) -> str:
        """The path as tests name it."""
        return path

    def answer(self, call: Call) -> Raw:
        """The answer to a recorded call."""
        script = self.script.get(call.path, Raw(404))
        outcome = script(call.request) if callable(script) else script
        if isinstance(outcome, Raw):
            return outcome
        if isinstance(outcome, Refusal):
            error = {"code": outcome.code, "message": "internal words", **outcome.extra}
            return Raw(outcome.status, json.dumps({"status": "ERROR", "responseObject": error}).encode())
        return Raw(200, json.dumps({"status": "OK", "responseObject": outcome}).encode())

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = bool(message.get("more_body"))
        call = Call(
            scope["method"],
            self.short_path(scope["path"]),
            (json.loads(body) if body else {}).get("requestObject", {}),
            {name.decode(): value.decode() for name, value in scope["headers"]},
            scope["query_string"].decode(),
        )
        self.calls.append(call)
        if self.gate is not None:
            self.waiting += 1
            await self.gate.wait()
        answer = self.answer(call)
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


class FakeCore(ScriptedService):
    """The core's door, holding the keys of one application and one activation."""

    def __init__(self) -> None:
        super().__init__()
        self.application_key = b64encode(os.urandom(16))
        self.application_secret = b64encode(os.urandom(16))
        self.transport_key = TransportKey(os.urandom(16))
        self.master_keys = generate_key_pair()
        self.server_keys = generate_key_pair()
        self.temporary_keys = {scope: generate_key_pair() for scope in Scope}
        self.script["envelope/keys"] = self.envelope_keys
        self.layer1: Any = None
        """The outer layer that `sealed_creation` opened last."""
        self.creation: Any = None
        """What `sealed_creation` answers in it, or a `Refusal`."""

    def short_path(self, path: str) -> str:
        assert path.startswith(DOOR), f"outside the door: {path}"
        return path.removeprefix(DOOR)

    def shared_info2_base(self, scope: Scope) -> bytes:
        """The base of the scope, as core and phone know it."""
        transport = self.transport_key if scope is Scope.ACTIVATION else None
        return ecies.shared_info2_base(scope, self.application_secret, transport)

    def key_pair(self, scope: Scope, version: ProtocolVersion) -> Any:
        """The encryption key pair of spec/protocol-v3.md §5.2."""
        if version.facts.temporary_keys:
            return self.temporary_keys[scope]
        return self.master_keys if scope is Scope.APPLICATION else self.server_keys

    def envelope_keys(self, request: dict[str, Any]) -> Any:
        """The real thing: verify the MAC, then hand out what D1 says."""
        version = ProtocolVersion.parse(request["protocolVersion"])
        names = ("temporaryKeyId", "ephemeralPublicKey", "encryptedData", "mac", "nonce", "timestamp")
        context = EciesContext(
            version=version,
            scope=Scope.APPLICATION,
            sh1=SharedInfo1.APPLICATION_GENERIC,
            application_key=request["applicationKey"],
            temporary_key_id=request.get("temporaryKeyId"),
        )
        try:
            envelope = EciesRequest.from_json_dict({name: request.get(name) for name in names}, version)
            key = ecies.derive_envelope_key(
                self.key_pair(Scope.APPLICATION, version).private,
                envelope.ephemeral_public_key,
                context.sh1,
                version,
            )
            base = self.shared_info2_base(Scope.APPLICATION)
            info = ecies.request_shared_info2(context, base, envelope)
        except ProtocolError:
            return Refusal("ERR0018")
        if not ecies.verify_request_mac(key, info, envelope):
            return Refusal("ERR0018")
        answer: dict[str, Any] = {"secretKey": b64encode(key)}
        if version.facts.response_nonce:
            nonce, timestamp = os.urandom(16), 1_735_689_600_456
            answer |= {
                "requestSharedInfo2": b64encode(info),
                "responseNonce": b64encode(nonce),
                "responseTimestamp": timestamp,
                "responseSharedInfo2": b64encode(
                    ecies.response_shared_info2(context, base, nonce, timestamp)
                ),
            }
        else:
            answer["sharedInfo2"] = b64encode(base)
        return answer

    def sealed_creation(self, request: dict[str, Any]) -> Any:
        """The real thing for the outer layer: open it, seal the answer."""
        version = ProtocolVersion.parse(request["protocolVersion"])
        context = EciesContext(
            version=version,
            scope=Scope.APPLICATION,
            sh1=SharedInfo1.APPLICATION_GENERIC,
            application_key=request["applicationKey"],
        )
        try:
            plaintext, envelope = ecies.open_envelope(
                context,
                self.key_pair(Scope.APPLICATION, version).private,
                self.shared_info2_base(Scope.APPLICATION),
                EciesRequest.from_json_dict(json.loads(b64decode(request["body"])), version),
            )
        except ProtocolError:
            return Refusal("ERR0018")
        self.layer1 = json.loads(plaintext)
        if isinstance(self.creation, Refusal):
            return self.creation
        return {"envelope": envelope.encrypt(json.dumps(self.creation).encode()).to_json_dict()}


class FakePush(ScriptedService):
    """The push service."""

    def short_path(self, path: str) -> str:
        return path.removeprefix(PUSH)

    def answer(self, call: Call) -> Raw:
        answer = super().answer(call)
        if answer.status == 200 and b'"responseObject": null' in answer.body:
            return Raw(200, b'{"status": "OK"}')
        return answer


class Phone(phone.Phone):
    """The device's side: headers as clients send them, and real envelopes."""

    def __init__(self, core: FakeCore, version: str = "3.3") -> None:
        secret = bytes(16)
        super().__init__(
            App(core.application_key, core.application_secret, core.master_keys.public),
            ProtocolVersion.parse(version),
            activation_id=ACTIVATION_ID,
            server_public_key=core.server_keys.public,
            keys=ActivationKeys(
                PossessionKey(secret),
                KnowledgeKey(secret),
                BiometryKey(secret),
                core.transport_key,
                VaultKey(secret),
            ),
            ctr_data=secret,
            temporary={scope: (TEMPORARY_KEY_ID, pair.public) for scope, pair in core.temporary_keys.items()},
        )

    def authorization(self, kind: str = "possession_knowledge", /, **changed: str) -> dict[str, str]:
        """The signature header of a signature type; `changed` replaces fields of it."""
        fields = self.sign(b"", kind=SignatureType(kind)).fields
        return {"X-PowerAuth-Authorization": replace(fields, **changed).build()}

    def token(self, **changed: str) -> dict[str, str]:
        """The token header."""
        fields = sign_token(TOKEN_ID, bytes(16), 1_735_689_600_000, self.version)
        return {"X-PowerAuth-Token": replace(fields, **changed).build()}

    def encryption(self, scope: Scope) -> dict[str, str]:
        """The encryption header of a scope."""
        activation_id = self.activation_id if scope is Scope.ACTIVATION else None
        header = EncryptionHeader(self.app.key, activation_id, self.version.value)
        return {"X-PowerAuth-Encryption": header.build()}

    def generic(self, plaintext: bytes, scope: Scope = Scope.APPLICATION) -> Sealed:
        """An envelope of the generic purpose of its scope."""
        return self.seal(SharedInfo1.generic(scope), plaintext, scope)

    def closed(self, sh1: str, plaintext: bytes = b"{}", scope: Scope = Scope.ACTIVATION) -> bytes:
        """An envelope that only the core can open, as JSON."""
        return json.dumps(self.seal(sh1, plaintext, scope).fields).encode()


@dataclass
class Answer:
    """What the service answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message of an error."""
        content = self.json
        assert content["status"] == "ERROR"
        return self.status, content["responseObject"]["code"], content["responseObject"]["message"]


class PublicClient:
    """Calls the service as a device does; the core is the one behind the service."""

    def __init__(self, client: ServiceClient, core: FakeCore | None = None) -> None:
        self._client, self.core = client, core or FakeCore()

    async def post(self, path: str, body: object = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """POST bytes as they are, or anything else as JSON, declared as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send("POST", path, content, {"Content-Type": "application/json", **(headers or {})})

    async def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request."""
        answer: RawAnswer = await self._client.request(method, path, body, headers)
        return Answer(answer.status, answer.body, answer.headers)


NO_HEADERS: dict[str, str] = {}

SIGNATURE_INVALID = (401, "ERR_AUTHENTICATION", "POWER_AUTH_SIGNATURE_INVALID")
REQUEST_INVALID = (401, "ERR_AUTHENTICATION", "POWER_AUTH_REQUEST_INVALID")
TOKEN_ERROR = (401, "ERR_AUTHENTICATION", "POWER_AUTH_TOKEN_ERROR")
ACTIVATION_INVALID = (400, "ERR_ACTIVATION", "POWER_AUTH_ACTIVATION_INVALID")
ENCRYPTION_FAILED = (400, "ERR_ENCRYPTION", "POWER_AUTH_ENCRYPTION_FAILED")
AUTH_FAIL = (401, "POWERAUTH_AUTH_FAIL", "Authentication failed")
REMOTE_FAILED = (409, "REMOTE_COMMUNICATION_ERROR", "Communication with remote system failed.")
INVALID_REQUEST = (400, "INVALID_REQUEST", "Invalid request object.")


class Clock:
    """A clock that moves when told to, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
