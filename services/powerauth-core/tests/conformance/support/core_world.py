"""What a case needs to exist, made when the case names it.

A case writes requests as data with references in it: ``{"activationId": BLOCKED}``. A reference is a function
of the world; the world makes an application of its own for every case, so that cases do not meet.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
from core_test_rows import rewrite
from sqlalchemy import text

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import export_public_key, generate_key_pair
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.config import App
from powerauth_sdk.phone import Phone, token_request
from servicekit import clock

Ref = Callable[["World"], Awaitable[Any]]
"""A value that the world has to make: an id, a key, or with the name ``**`` several members."""

_numbers = count(1)


@dataclass
class World:
    """One case's surroundings.

    :ivar request: members of the call, once they are made
    :ivar answer: its response object
    """

    core: Core
    http: httpx2.AsyncClient
    app: App
    device: Phone | None = None
    printer: Any = None
    request: dict[str, Any] = field(default_factory=dict)
    answer: Any = None

    @classmethod
    async def create(cls, core: Core, http: httpx2.AsyncClient) -> World:
        """A world with a new application."""
        world = cls(core, http, None)  # type: ignore[arg-type]
        name = f"app-{next(_numbers)}"
        await world.ok("application/create", applicationId=name)
        detail = await world.ok("application/detail", applicationId=name)
        version = detail["versions"][0]
        world.app = App.of(
            name, version["applicationKey"], version["applicationSecret"], detail["masterPublicKey"]
        )
        return world

    async def post(self, path: str, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Call; status and body."""
        response = await self.http.post(path, content=json.dumps({"requestObject": request}))
        return response.status_code, response.json()

    async def ok(self, path: str, /, **request: Any) -> Any:
        """Call, expect success; the response object."""
        status, body = await self.post(path, request)
        assert status == 200, body
        return body.get("responseObject")

    async def call(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The core as devices see it."""
        answer: dict[str, Any] = await self.ok(path, **request)
        return answer

    async def made(self, value: Any) -> Any:
        """The value with its references resolved, members in their order."""
        if callable(value):
            return await value(self)
        if isinstance(value, list):
            return [await self.made(item) for item in value]
        if isinstance(value, dict):
            result: dict[str, Any] = {}
            for name, member in value.items():
                made = await self.made(member)
                result |= made if name.startswith("**") else {name: made}
            return result
        return value

    async def change(self, **values: Any) -> None:
        """Write columns of the device's activation."""
        assert self.device is not None
        await rewrite(self.core, Activation.activation_id == self.device.activation_id, **values)

    async def sql(self, statement: str, **values: Any) -> None:
        """Execute a statement; ``:app`` is the application's name."""
        async with self.core.database.transaction() as session:
            await session.execute(text(statement), {"app": self.app.application_id} | values)
        self.core.application_cache.clear()

    async def activation(self, status: str, **init: Any) -> Phone:
        """A device of the application with an activation in a state."""
        started = await self.ok(
            "activation/init", userId="user-1", applicationId=self.app.application_id, **init
        )
        device = self.device = Phone(self.app, ProtocolVersion.V3_3)
        device.activation_id = started["activationId"]
        if status == "CREATED":
            return device
        await device.join(self.call, started["activationCode"])
        if status != "PENDING_COMMIT":
            await self.ok("activation/commit", activationId=device.activation_id)
        if status in ("BLOCKED", "REMOVED"):
            ending = "activation/block" if status == "BLOCKED" else "activation/remove"
            await self.ok(ending, activationId=device.activation_id)
        return device

    async def active(self) -> Phone:
        """The case's device, with an ACTIVE activation if it has none yet."""
        return self.device or await self.activation("ACTIVE")


# -- names ---------------------------------------------------------------------------------------------------


async def APP(world: World) -> str:
    """The application's id."""
    return world.app.application_id


async def APP_KEY(world: World) -> str:
    """The application key of its version."""
    return world.app.key


async def OTHER_APP_KEY(world: World) -> str:
    """An application key of another application."""
    return (await World.create(world.core, world.http)).app.key


async def NEW_NAME(world: World) -> str:
    """A name that nothing has yet."""
    return f"name-{next(_numbers)}"


async def FUTURE(world: World) -> int:
    """A moment in an hour, in ms."""
    return clock.now_ms() + 3_600_000


async def USER(world: World) -> str:
    """A user who has nothing in the application yet."""
    return f"user-{world.app.application_id}"


def activation(status: str, **init: Any) -> Ref:
    """The id of a new activation in a state."""

    async def make(world: World) -> str:
        return (await world.activation(status, **init)).activation_id or ""

    return make


CREATED, PENDING = activation("CREATED"), activation("PENDING_COMMIT")
ACTIVE, BLOCKED, REMOVED = activation("ACTIVE"), activation("BLOCKED"), activation("REMOVED")


def fido2(status: str = "ACTIVE") -> Ref:
    """The id of an activation that a passkey stands behind."""

    async def make(world: World) -> str:
        device = await world.activation(status)
        await world.change(protocol="fido2")
        return device.activation_id or ""

    return make


def init(**members: Any) -> Ref:
    """The code of an activation that waits for its key exchange."""

    async def make(world: World) -> str:
        started = await world.ok(
            "activation/init", userId="user-1", applicationId=world.app.application_id, **members
        )
        return str(started["activationCode"])

    return make


# -- envelopes -----------------------------------------------------------------------------------------------


def layer2(
    otp: str | None = None,
    plaintext: bytes | None = None,
    version: ProtocolVersion = ProtocolVersion.V3_3,
) -> Ref:
    """Envelope members of a key exchange by a new device."""

    async def make(world: World) -> dict[str, Any]:
        device = world.device = Phone(world.app, version)
        return device.env(await device.layer2(world.call, otp=otp, plaintext=plaintext))

    return make


def sealed(sh1: SharedInfo1, plaintext: bytes = b"{}") -> Ref:
    """Envelope members of a request of the case's device."""

    async def make(world: World) -> dict[str, Any]:
        device = await world.active()
        await device.prepare_scope(world.call, Scope.ACTIVATION)
        return device.env(device.seal(sh1, plaintext))

    return make


def generic(scope: Scope, version: ProtocolVersion = ProtocolVersion.V3_3) -> Ref:
    """What an edge asks a key for."""

    async def make(world: World) -> dict[str, Any]:
        device = Phone(world.app) if scope is Scope.APPLICATION else await world.active()
        device.version = version
        await device.prepare_scope(world.call, scope)
        fields = device.env(device.seal(SharedInfo1.generic(scope), b"{}", scope))
        if scope is Scope.ACTIVATION:
            fields["activationId"] = device.activation_id
        return {name: value for name, value in fields.items() if name not in ("encryptedData", "mac")}

    return make


def temporary_key_request(scope: Scope) -> Ref:
    """The signed request for a temporary key."""

    async def make(world: World) -> str:
        device = Phone(world.app) if scope is Scope.APPLICATION else await world.active()
        return device.temporary_key_request(scope)

    return make


# -- verification --------------------------------------------------------------------------------------------


def signed(kind: SignatureType = SignatureType.POSSESSION_KNOWLEDGE) -> Ref:
    """The members of ``signature/verify`` of the case's device."""

    async def make(world: World) -> dict[str, Any]:
        return (await world.active()).sign(b"body", kind=kind).request

    return make


def vault(plaintext: bytes = b'{"reason":"ADD_BIOMETRY"}') -> Ref:
    """The members of ``vault/unlock`` of the case's device."""

    async def make(world: World) -> dict[str, Any]:
        device = await world.active()
        await device.prepare_scope(world.call, Scope.ACTIVATION)
        envelope = device.seal(SharedInfo1.VAULT_UNLOCK, plaintext).fields
        members = device.sign(json.dumps(envelope).encode(), uri_id="/pa/vault/unlock").request
        return {"signedData": members.pop("data"), **members, **envelope}

    return make


async def OFFLINE(world: World) -> dict[str, Any]:
    """The members of ``signature/offline/verify`` of the case's device."""
    device = await world.active()
    data = f"POST&{b64encode(b'/op')}&{b64encode(bytes(16))}&{b64encode(b'A2')}"
    code = device.code(data, SignatureType.POSSESSION_KNOWLEDGE, offline=True)
    return {"activationId": device.activation_id, "data": data, "signature": code}


async def TOKEN(world: World) -> str:
    """The id of a new token of the case's device."""
    return (await _token(world))[0]


async def _token(world: World) -> tuple[str, bytes]:
    return await (await world.active()).create_token(world.call)


async def TOKEN_HEADER(world: World) -> dict[str, Any]:
    """The members of ``token/validate`` with a new token."""
    return token_request(await _token(world), clock.now_ms())


# -- recovery ------------------------------------------------------------------------------------------------


async def recovery_on(world: World) -> None:
    """Switch recovery and postcards on."""
    world.printer = generate_key_pair()
    await world.ok(
        "recovery/config/update",
        applicationId=world.app.application_id,
        activationRecoveryEnabled=True,
        recoveryPostcardEnabled=True,
        allowMultipleRecoveryCodes=False,
        remotePostcardPublicKey=b64encode(export_public_key(world.printer.public)),
    )


async def RECOVERY(world: World) -> dict[str, Any]:
    """Recovery code and PUK of an activation of the application."""
    owner = Phone(world.app, ProtocolVersion.V3_3)
    await owner.create(world.call, "user-1")
    await world.ok("activation/commit", activationId=owner.activation_id)
    assert owner.recovery is not None
    return dict(zip(("recoveryCode", "puk"), owner.recovery, strict=True))


async def RECOVERY_ID(world: World) -> int:
    """The id of a new postcard code of the case's user."""
    created = await world.ok(
        "recovery/create", applicationId=world.app.application_id, userId="user-1", pukCount=1
    )
    number: int = created["recoveryCodeId"]
    return number


# -- operations ----------------------------------------------------------------------------------------------


async def template(world: World, **members: Any) -> dict[str, Any]:
    """A new operation template."""
    content = {
        "templateName": f"template-{next(_numbers)}",
        "operationType": "login",
        "dataTemplate": "A2",
        "signatureType": ["POSSESSION_KNOWLEDGE"],
        "maxFailureCount": 2,
        "expiration": 300,
    }
    created: dict[str, Any] = await world.ok("operation/template/create", **(content | members))
    return created


async def TEMPLATE_ID(world: World) -> int:
    """The id of a new template."""
    number: int = (await template(world))["id"]
    return number


async def TEMPLATE_NAME(world: World) -> str:
    """The name of a new template."""
    return str((await template(world))["templateName"])


def operation(ending: str | None = None, **members: Any) -> Ref:
    """The id of a new operation of user ``user-1``, ended by a call if one is named."""

    async def make(world: World) -> str:
        made = await template(world)
        created = await world.ok(
            "operation/create",
            **{
                "userId": "user-1",
                "applications": [world.app.application_id],
                "templateName": made["templateName"],
            }
            | members,
        )
        if ending is not None:
            await world.ok(ending, operationId=created["id"])
        return str(created["id"])

    return make


OPERATION, CANCELED = operation(), operation("operation/cancel")


async def CALLBACK(world: World) -> str:
    """The id of a new callback of the application."""
    created = await world.ok(
        "application/callback/create",
        applicationId=world.app.application_id,
        name="all",
        type="ACTIVATION_STATUS_CHANGE",
        callbackUrl="http://127.0.0.1:9/",
    )
    return str(created["id"])


async def INTEGRATION(world: World) -> str:
    """The id of a new integration."""
    return str((await world.ok("integration/create", name="bank"))["id"])
