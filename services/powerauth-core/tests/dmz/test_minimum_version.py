"""Every door asks the one place that knows an application's minimum protocol version (D17)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import Api
from core_test_phones import MakePhone
from fastapi import FastAPI

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

if TYPE_CHECKING:
    from dmz.conftest import Door


pytestmark = pytest.mark.dialects("sqlite")
VERSIONS = list(ProtocolVersion)
REFUSED_ANYWAY = "ERR0008"
"""What an upgrade answers where the version is accepted."""
SPAWN_SINCE = ProtocolVersion.V3_2
VERSIONED = {"protocolVersion", "signatureVersion", "header", "authorization", "encryption"}
"""Members of request models that carry a version."""

Request = dict[str, Any]


class Doors:
    """A request of every kind that carries a version, each by a phone of its own."""

    def __init__(self, api: Api, door: Door, make_phone: MakePhone) -> None:
        self.api = api
        self.door = door
        self.make_phone = make_phone
        self.version = ProtocolVersion.V3_3

    async def phone(self) -> Phone:
        made: Phone = await self.make_phone(version=self.version)
        return made

    async def rest_exchange(self) -> Request:
        phone = await self.phone()
        sealed = await phone.layer2(self.api.call)
        return {"applicationKey": phone.app.key, **phone.env(sealed)}

    async def prepare(self) -> Request:
        started = await self.api.ok("activation/init", userId="bob", applicationId="test-application")
        return {"activationCode": started["activationCode"], **await self.rest_exchange()}

    async def create(self) -> Request:
        return {"userId": "bob", **await self.rest_exchange()}

    async def recover(self) -> Request:
        started = await self.api.ok("activation/init", userId="carol", applicationId="test-application")
        lost = Phone((await self.phone()).app, self.version)
        await lost.join(self.api.call, started["activationCode"], generateRecoveryCodes=True)
        await self.api.ok("activation/commit", activationId=lost.activation_id)
        assert lost.recovery is not None
        return {"recoveryCode": lost.recovery[0], "puk": lost.recovery[1], **await self.rest_exchange()}

    async def personal(self, sh1: SharedInfo1, plaintext: bytes = b"{}") -> Request:
        phone = await self.phone()
        await phone.prepare_scope(self.api.call, Scope.ACTIVATION)
        ids = {"activationId": phone.activation_id, "applicationKey": phone.app.key}
        return ids | phone.env(phone.seal(sh1, plaintext))

    async def rest_token(self) -> Request:
        return {"signatureType": "POSSESSION", **await self.personal(SharedInfo1.CREATE_TOKEN)}

    async def confirm(self) -> Request:
        phone = await self.recoverable()
        await phone.prepare_scope(self.api.call, Scope.ACTIVATION)
        plaintext = json.dumps({"recoveryCode": phone.open_recovery[0]}).encode()
        ids = {"activationId": phone.activation_id, "applicationKey": phone.app.key}
        return ids | phone.env(phone.seal(SharedInfo1.CONFIRM_RECOVERY_CODE, plaintext))

    async def recoverable(self) -> Phone:
        started = await self.api.ok(
            "activation/init", userId="dave", applicationId="test-application", commitPhase="ON_KEY_EXCHANGE"
        )
        phone = Phone((await self.phone()).app, self.version)
        await phone.join(self.api.call, started["activationCode"], generateRecoveryCodes=True)
        return phone

    async def vault(self) -> Request:
        phone = await self.phone()
        await phone.prepare_scope(self.api.call, Scope.ACTIVATION)
        sealed = phone.seal(SharedInfo1.VAULT_UNLOCK, b"{}")
        signed = phone.sign(b"{}").request
        data = signed.pop("data")
        return signed | {"signedData": data} | sealed.fields

    async def rest_keys(self, scope: Scope) -> Request:
        phone = await self.phone()
        await phone.prepare_scope(self.api.call, scope)
        sealed = phone.env(phone.seal(SharedInfo1.generic(scope), b"{}", scope))
        fields = {name: value for name, value in sealed.items() if name not in ("encryptedData", "mac")}
        scoped = {"activationId": phone.activation_id} if scope is Scope.ACTIVATION else {}
        return {"applicationKey": phone.app.key} | fields | scoped

    async def envelope_keys(self) -> Request:
        phone = await self.phone()
        await phone.prepare_scope(self.api.call, Scope.APPLICATION)
        sealed = phone.seal(SharedInfo1.APPLICATION_GENERIC, b"{}", Scope.APPLICATION)
        return {"applicationKey": phone.app.key, **phone.env(sealed)}

    async def door_create(self) -> Request:
        prepared = await self.prepare()
        data = {name: prepared.pop(name) for name in list(prepared) if name in _ENVELOPE}
        code = {"code": prepared.pop("activationCode")}
        return prepared | {"type": "CODE", "identityAttributes": code, "activationData": data}

    async def door_create_sealed(self) -> Request:
        made = await self.door_create()
        request, _ = await self.door.in_both_layers(
            await self.phone(), made["activationData"], made["identityAttributes"]
        )
        return request

    async def verify(self) -> Request:
        header = (await self.phone()).sign(b"x", uri_id="/login").header
        allowed = ["possession_knowledge"]
        request = {"header": header, "method": "POST", "uriId": "/login", "body": b64encode(b"x")}
        return request | {"allowedSignatureTypes": allowed}

    async def passkey(self) -> Request:
        await self.api.ok(
            "passkey/policy/update",
            applicationId="test-application",
            policy={"rpId": "bank.example", "rpWebOrigins": ["https://bank.example"]},
        )
        body = json.dumps({"requestObject": {"applicationId": "test-application"}}).encode()
        signed = (await self.phone()).sign(body, uri_id="/api/passkey/registration/options")
        return {"authorization": signed.header, "body": b64encode(body)}

    async def signed(self, action: str, body: bytes = b"{}") -> Request:
        request: Request = self.door.request(await self.phone(), action, body)
        return request

    async def decide(self, action: str) -> Request:
        made = await self.door.operation()
        return await self.signed(
            action, json.dumps({"requestObject": {"id": made["id"], "data": made["data"]}}).encode()
        )

    async def over_body(self, action: str, sh1: SharedInfo1) -> Request:
        phone = await self.recoverable()
        code = json.dumps({"recoveryCode": phone.open_recovery[0]}).encode()
        confirms = sh1 is SharedInfo1.CONFIRM_RECOVERY_CODE
        body, _ = await self.door.sealed(phone, sh1, code if confirms else b"{}")
        request: Request = self.door.request(phone, action, body)
        return request

    async def inside(self, action: str, plaintext: bytes) -> Request:
        request, _ = await self.door.inside(await self.phone(), action, plaintext)
        return dict(request)

    async def unsigned(self) -> Request:
        request, _ = await self.door.unsigned(await self.phone())
        return dict(request)

    async def detail(self) -> Request:
        phone = await self.phone()
        token = await self.door.token(phone, SignatureType.POSSESSION_KNOWLEDGE)
        request, _ = await self.door.unsigned(phone, token=token)
        return dict(request)

    async def upgrade(self) -> Request:
        phone = await self.phone()
        body, _ = await self.door.sealed(phone, SharedInfo1.UPGRADE)
        return {"encryption": self.door.encryption(phone), "body": b64encode(body)}

    async def token(self, **more: Any) -> Request:
        phone = await self.phone()
        header = self.door.header(await self.door.token(phone), phone.version)
        return {"header": header} | more

    async def with_operation(self) -> Request:
        return await self.token(id=(await self.door.operation())["id"])

    async def validate(self) -> Request:
        header = (await self.token())["header"]
        names = {"token_id": "tokenId", "token_digest": "tokenDigest", "version": "protocolVersion"}
        request = {names.get(name, name): value for name, value in header.items()}
        return request | {"timestamp": int(header["timestamp"])}

    async def rest_verify(self) -> Request:
        request: Request = (await self.phone()).sign(b"x").request
        return request

    async def serves(self, path: str, request: Request) -> bool:
        """Whether a call takes the request for one of the phone."""
        api = self.api if path.startswith("/rest/") else self.door.api
        content = json.dumps({"requestObject": request}).encode()
        response = await api.send(path, content)
        answer = response.json()["responseObject"]
        if response.status_code == 400:
            return "upgrade" in path and answer["code"] == REFUSED_ANYWAY
        assert response.status_code == 200, answer
        told = [answer[name] for name in ("authenticated", "tokenValid", "signatureValid") if name in answer]
        return all(told)

    def table(self) -> dict[str, Callable[[], Awaitable[Request]]]:
        """A maker of requests for every call."""
        named = b'{"activationName":"N","data":"x","requestObject":{}}'
        spawn = {"requestObject": {"applicationId": "test-application", "otp": "x" * 16}}
        return {
            "/rest/v3/activation/prepare": self.prepare,
            "/rest/v3/activation/create": self.create,
            "/rest/v3/activation/recovery/create": self.recover,
            "/rest/v3/signature/verify": self.rest_verify,
            "/rest/v3/vault/unlock": self.vault,
            "/rest/v3/token/create": self.rest_token,
            "/rest/v3/token/validate": self.validate,
            "/rest/v3/recovery/confirm": self.confirm,
            "/rest/v3/ecies/decryptor": lambda: self.rest_keys(Scope.ACTIVATION),
            "/rest/v3/upgrade/start": lambda: self.personal(SharedInfo1.UPGRADE),
            "/dmz/v1/envelope/keys": self.envelope_keys,
            "/dmz/v1/activation/create": self.door_create,
            "/dmz/v1/sealed/activation/create": self.door_create_sealed,
            "/dmz/v1/signed/verify": self.verify,
            "/dmz/v1/signed/operation/approve": lambda: self.decide("operation/approve"),
            "/dmz/v1/signed/operation/reject": lambda: self.decide("operation/reject"),
            "/dmz/v1/signed/operation/history": lambda: self.signed("operation/history"),
            "/dmz/v1/signed/token/remove": lambda: self.signed("token/remove"),
            "/dmz/v1/signed/activation/remove": lambda: self.signed("activation/remove"),
            "/dmz/v1/signed/upgrade/commit": lambda: self.signed("upgrade/commit"),
            "/dmz/v1/sealed/token/create": lambda: self.over_body("token/create", SharedInfo1.CREATE_TOKEN),
            "/dmz/v1/sealed/vault/unlock": lambda: self.over_body("vault/unlock", SharedInfo1.VAULT_UNLOCK),
            "/dmz/v1/sealed/recovery/confirm": lambda: self.over_body(
                "recovery/confirm", SharedInfo1.CONFIRM_RECOVERY_CODE
            ),
            "/dmz/v1/sealed/upgrade/start": self.upgrade,
            "/dmz/v1/sealed/user-info": self.unsigned,
            "/dmz/v1/sealed/activation/detail": self.detail,
            "/dmz/v1/sealed/activation/rename": lambda: self.inside("activation/rename", named),
            "/dmz/v1/sealed/spawn": lambda: self.inside("spawn", json.dumps(spawn).encode()),
            "/dmz/v1/sealed/exchange/activation": self.unsigned,
            "/dmz/v1/sealed/exchange/signed": lambda: self.inside("exchange/signed", named),
            "/dmz/v1/sealed/exchange/string": lambda: self.inside("exchange/string", b'"x"'),
            "/dmz/v1/sealed/exchange/raw": lambda: self.inside("exchange/raw", named),
            "/dmz/v1/sealed/exchange/generics": lambda: self.inside("exchange/generics", named),
            "/dmz/v1/token/operation/list": self.token,
            "/dmz/v1/token/operation/detail": self.with_operation,
            "/dmz/v1/token/operation/claim": self.with_operation,
            "/dmz/v1/passkey/registration/options": self.passkey,
            "/dmz/v1/token/who-am-i": lambda: self.token(audience="inbox/count"),
        }


_ENVELOPE = ("temporaryKeyId", "ephemeralPublicKey", "encryptedData", "mac", "nonce", "timestamp")


@pytest.fixture
def doors(api: Api, door: Door, make_phone: MakePhone) -> Doors:
    return Doors(api, door, make_phone)


def test_table_has_every_call_that_carries_a_version(doors: Doors, shared_app: FastAPI) -> None:
    document = shared_app.openapi()

    def members(schema: dict[str, Any]) -> dict[str, Any]:
        name = schema["$ref"].rsplit("/", 1)[-1]
        found: dict[str, Any] = document["components"]["schemas"][name]["properties"]
        return found

    def carries_version(request: dict[str, Any]) -> bool:
        kinds = [kind.get("type") for kind in request.get("authorization", {}).get("anyOf", ())]
        # Clients of signed tokens show a header's text.
        return bool(VERSIONED & (request.keys() - {"authorization" if "string" in kinds else ""}))

    found = set()
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if content and carries_version(members(members(_schema(content))["requestObject"])):
            found.add(path)
    assert found == doors.table().keys()


def _schema(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["application/json"]["schema"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_door_serves_a_version_below_the_minimum(
    api: Api, doors: Doors, version: ProtocolVersion
) -> None:
    doors.version = version
    await api.ok(
        "recovery/config/update",
        applicationId="test-application",
        activationRecoveryEnabled=True,
        recoveryPostcardEnabled=False,
        allowMultipleRecoveryCodes=False,
    )
    table = doors.table()
    below = {path: await make() for path, make in table.items()}
    # A token's header is spent by a refusal too.
    again = {path: await make() for path, make in table.items() if "token/" in path or "detail" in path}
    if version is not VERSIONS[-1]:
        await _require(api, VERSIONS[VERSIONS.index(version) + 1])
        served = {path for path, request in below.items() if await doors.serves(path, request)}
        assert served == set()
    await _require(api, version)
    refused = {path for path, request in (below | again).items() if not await doors.serves(path, request)}
    assert refused == ({"/dmz/v1/sealed/spawn"} if version < SPAWN_SINCE else set())


async def _require(api: Api, version: ProtocolVersion) -> None:
    await api.ok(
        "application/config/create",
        applicationId="test-application",
        key="minimumProtocolVersion",
        values=[version.value],
    )
