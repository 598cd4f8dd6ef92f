"""A phone behind the enrollment service: everything it does goes through the core's second door."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api, TestApplication
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from powerauth_core.container import Core
from powerauth_core.operations.models import Operation
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone
from powerauth_sdk.signing import sign_token
from servicekit import clock
from servicekit.serving import BackgroundServer

P, PK, PB = (SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE, SignatureType.POSSESSION_BIOMETRY)
SIGNED = {
    "operation/approve": ("/operation/authorize", PK),
    "operation/reject": ("/operation/cancel", P),
    "operation/history": ("/operation/history", PK),
    "token/remove": ("/pa/token/remove", PK),
    "activation/remove": ("/pa/activation/remove", PK),
    "upgrade/commit": ("/pa/upgrade/commit", P),
}
SEALED = {
    "token/create": ("/pa/token/create", PK),
    "vault/unlock": ("/pa/vault/unlock", PK),
    "recovery/confirm": ("/pa/recovery/confirm", PK),
    "activation/rename": ("/pa/activation/rename", PK),
    "spawn": ("/api/activation/code", PK),
    "exchange/signed": ("/exchange/v3/signed", PK),
    "exchange/string": ("/exchange/v3/signed/string", PK),
    "exchange/raw": ("/exchange/v3/signed/raw", PK),
    "exchange/generics": ("/exchange/v3/signed/generics", PK),
}
TEMPLATE = {
    "operationType": "authorize_payment",
    "dataTemplate": "A1*A${AMOUNT}",
    "signatureType": ["POSSESSION", "POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
    "maxFailureCount": 3,
    "expiration": 300,
}
PURPOSES = SIGNED | SEALED
"""Resource id and a signature type of every action at the door that a device signs."""


def path_of(action: str) -> str:
    """The call of an action."""
    return f"{'sealed' if action in SEALED else 'signed'}/{action}"


class Door:
    """The door as the enrollment service uses it, phones behind it, and what the bank asks them."""

    def __init__(self, dmz: Api, core: Core, bank: Api, application: TestApplication) -> None:
        self.api = dmz
        self._core, self._bank, self._application = core, bank, application
        self._template: str | None = None

    def at(self, dmz: Api, core: Core, bank: Api) -> Door:
        """The same door of another core on the database."""
        other = Door(dmz, core, bank, self._application)
        other._template = self._template
        return other

    async def operation(self, **members: Any) -> dict[str, Any]:
        """An operation of user ``alice`` that P, PK or PB approve, and three failures end."""
        if self._template is None:
            self._template = "payment"
            await self._bank.ok("operation/template/create", templateName=self._template, **TEMPLATE)
        request = {
            "userId": "alice",
            "applications": [self._application.application_id],
            "templateName": self._template,
            "parameters": {"AMOUNT": "100CZK"},
        }
        made: dict[str, Any] = await self._bank.ok("operation/create", **(request | members))
        return made

    async def stored_operation(self, made: dict[str, Any]) -> Operation:
        """The row of an operation."""
        async with self._core.database.read() as session:
            return await session.get_one(Operation, made["id"])

    @staticmethod
    def approval(made: dict[str, Any], **members: Any) -> bytes:
        """Signed body of an approval: ``door.approval(made, data="other")``."""
        return json.dumps({"requestObject": {"id": made["id"], "data": made["data"]} | members}).encode()

    @staticmethod
    def header(token: tuple[str, bytes], version: ProtocolVersion = ProtocolVersion.V3_3) -> dict[str, str]:
        """Members of a fresh token header."""
        return asdict(sign_token(*token, clock.now_ms(), version))

    def request(
        self, phone: Phone, action: str, body: bytes, kind: SignatureType | None = None
    ) -> dict[str, Any]:
        """The request object of an action: the phone signs the body as it sends it."""
        uri_id, usual = PURPOSES[action]
        signed = phone.sign(body, uri_id=uri_id, kind=kind or usual)
        name = "authorization" if action in SEALED else "header"
        return {name: signed.header, "body": b64encode(body)}

    async def signed(
        self, phone: Phone, action: str, body: bytes, kind: SignatureType | None = None, **more: Any
    ) -> dict[str, Any]:
        """Sign the body as it is sent, and act."""
        request = self.request(phone, action, body, kind) | more
        answer: dict[str, Any] = await self.api.ok(path_of(action), **request)
        return answer

    async def inside(
        self, phone: Phone, action: str, plaintext: bytes, kind: SignatureType | None = None
    ) -> tuple[dict[str, Any], Any]:
        """The request object of an action signed over what its envelope holds, and what opens the answer."""
        uri_id, usual = SEALED[action]
        header = phone.sign(plaintext, uri_id=uri_id, kind=kind or usual).header
        body, sealed = await self.sealed(phone, SharedInfo1.ACTIVATION_GENERIC, plaintext)
        return {"authorization": header, "body": b64encode(body)}, sealed

    async def sign_inside(
        self, phone: Phone, action: str, plaintext: bytes, kind: SignatureType | None = None
    ) -> dict[str, Any]:
        """Sign, encrypt, act; with what the phone reads as member ``opened``."""
        request, sealed = await self.inside(phone, action, plaintext, kind)
        answer: dict[str, Any] = await self.api.ok(path_of(action), **request)
        opened = None if answer["envelope"] is None else sealed.open(answer["envelope"])
        return answer | {"opened": opened}

    async def unsigned(
        self, phone: Phone, plaintext: bytes = b"{}", token: tuple[str, bytes] | None = None
    ) -> tuple[dict[str, Any], Any]:
        """The request object of a sealed action that nothing is signed for, and what opens the answer."""
        body, sealed = await self.sealed(phone, SharedInfo1.ACTIVATION_GENERIC, plaintext)
        proof = {} if token is None else {"token": self.header(token, phone.version)}
        return {"encryption": self.encryption(phone), "body": b64encode(body)} | proof, sealed

    async def in_both_layers(
        self, phone: Phone, inner: dict[str, Any], identity: dict[str, str], **more: Any
    ) -> tuple[dict[str, Any], Any]:
        """The request object of a key exchange that passes closed, and what opens its outer answer."""
        await phone.prepare_scope(self.call, Scope.APPLICATION)
        said = {"type": "CODE", "identityAttributes": identity, "activationData": inner} | more
        outer = phone.seal(SharedInfo1.APPLICATION_GENERIC, json.dumps(said).encode(), Scope.APPLICATION)
        body = b64encode(json.dumps(outer.fields).encode())
        return self.names(phone) | {"body": body}, outer

    @staticmethod
    def names(phone: Phone) -> dict[str, str]:
        """Application and version of a phone, as unsigned calls of application scope tell them."""
        return {"applicationKey": phone.app.key, "protocolVersion": phone.version.value}

    def encryption(self, phone: Phone) -> dict[str, str | None]:
        """Members of the encryption header of activation scope."""
        return {
            "application_key": phone.app.key,
            "activation_id": phone.activation_id,
            "version": phone.version.value,
        }

    async def sealed(self, phone: Phone, sh1: SharedInfo1, plaintext: bytes = b"{}") -> tuple[bytes, Any]:
        """An envelope of the phone as the raw body of its request, and what opens the answer."""
        await phone.prepare_scope(self.call, Scope.ACTIVATION)
        sealed = phone.seal(sh1, plaintext)
        return json.dumps(sealed.fields).encode(), sealed

    async def call(self, path: str, request: Any) -> dict[str, Any]:
        """The door as devices of the tests see the core."""
        answer: dict[str, Any] = await self.api.ok(path, **request)
        return answer

    async def token(self, phone: Phone, kind: SignatureType = P) -> tuple[str, bytes]:
        """Create a token."""
        body, sealed = await self.sealed(phone, SharedInfo1.CREATE_TOKEN)
        answer = await self.signed(phone, "token/create", body, kind)
        opened = sealed.open_json(answer["envelope"])
        return opened["tokenId"], b64decode(opened["tokenSecret"])

    async def with_token(self, token: tuple[str, bytes], action: str, **more: Any) -> dict[str, Any]:
        """Call ``token/<action>`` with a fresh header."""
        answer: dict[str, Any] = await self.api.ok(f"token/{action}", header=self.header(token), **more)
        return answer


@pytest.fixture
def door(core: Core, api: Api, application: TestApplication, dmz: Api) -> Door:
    """The door of the enrollment service, and the bank behind it."""
    return Door(dmz, core, api, application)


Handler = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
"""Answers a request: path with query, body -> status, JSON body."""


WebServer = Callable[[Handler], Awaitable[str]]


@pytest_asyncio.fixture
async def web_server() -> AsyncIterator[WebServer]:
    """A JSON server on this machine that the core may call: ``url = await web_server(handler)``."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> str:
            async def answer(request: Request) -> Response:
                path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                status, content = await handler(path, await request.body())
                return Response(content, status, media_type="application/json")

            app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
            server = await stack.enter_async_context(BackgroundServer(app))
            return server.url

        yield start
