"""What the door gives its one caller no way to ask for (D1): a user, a commit, another's operation, another
door.

What an attacker makes of all that passed him is in `test_captured_host`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from core_test_api import Api, NewApplication, TestApplication
from core_test_phones import MakePhone
from sqlalchemy import func, select

from powerauth_contracts.enums import OperationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.phone import Phone

if TYPE_CHECKING:
    from dmz.conftest import Door


PK = SignatureType.POSSESSION_KNOWLEDGE


class CapturedHost:
    """The host: what it sends, and whether anything came of it."""

    def __init__(self, door: Door) -> None:
        self.api = door.api

    async def gains(self, path: str, request: dict[str, Any]) -> bool:
        """Whether the call was accepted as authenticated."""
        status, body = await self.api.post(path, **request)
        assert status in (200, 400), body
        answer = body["responseObject"]
        if status == 400:
            assert answer["code"].startswith("ERR"), body
            return False
        return bool(answer.get("authenticated"))


@pytest.fixture
def host(door: Door) -> CapturedHost:
    return CapturedHost(door)


@pytest_asyncio.fixture
async def target(door: Door) -> dict[str, Any]:
    """A pending payment of ``alice`` that her phone has not signed."""
    return await door.operation()


async def test_stronger_factors_cannot_be_claimed(
    host: CapturedHost, door: Door, phone: Phone, target: dict[str, Any]
) -> None:
    request = door.request(phone, "operation/approve", door.approval(target), SignatureType.POSSESSION)
    for claimed in ("possession_knowledge", "possession_biometry"):
        forged = request | {"header": request["header"] | {"pa_signature_type": claimed}}
        assert not await host.gains("signed/operation/approve", forged)
    assert (await door.stored_operation(target)).status is OperationStatus.PENDING


async def test_another_users_signature_does_not_approve(
    host: CapturedHost, door: Door, make_phone: MakePhone, target: dict[str, Any]
) -> None:
    mallory = await make_phone("mallory")
    request = door.request(mallory, "operation/approve", door.approval(target))
    assert not await host.gains("signed/operation/approve", request)
    row = await door.stored_operation(target)
    assert (row.status, row.failure_count) == (OperationStatus.PENDING, 0)


async def test_phone_of_another_application_does_not_approve(
    host: CapturedHost,
    door: Door,
    make_phone: MakePhone,
    new_application: NewApplication,
    target: dict[str, Any],
) -> None:
    foreign = await make_phone("alice", of=await new_application("other"))
    request = door.request(foreign, "operation/approve", door.approval(target))
    assert not await host.gains("signed/operation/approve", request)
    request["header"]["pa_application_key"] = (await new_application("third")).application_key
    assert not await host.gains("signed/operation/approve", request)
    assert (await door.stored_operation(target)).status is OperationStatus.PENDING


async def test_host_cannot_add_what_decides(
    host: CapturedHost, door: Door, phone: Phone, target: dict[str, Any]
) -> None:
    request = door.request(phone, "operation/approve", door.approval(target, data="A1*A1CZK"))
    forged = request | {
        "data": target["data"],
        "operationId": target["id"],
        "userId": "alice",
        "signatureType": "POSSESSION_KNOWLEDGE",
        "additionalData": {"proximity_otp": "12345678"},
        "uriId": "/operation/authorize",
    }
    answer = await host.api.ok("signed/operation/approve", **forged)
    assert answer["result"] == "APPROVAL_FAILED"
    assert ((await door.stored_operation(target)).additional_data or {}).get("proximity_otp") is None


async def test_header_that_failed_once_is_not_good_again(
    host: CapturedHost, door: Door, phone: Phone
) -> None:
    request = door.request(phone, "operation/approve", b'{"requestObject":{"id":"none","data":"x"}}')
    assert await host.api.error("signed/operation/approve", **request) == "ERR0034"
    assert not await host.gains("signed/operation/approve", request)


async def test_one_factor_gives_no_vault_key(host: CapturedHost, door: Door, phone: Phone) -> None:
    body, _ = await door.sealed(phone, SharedInfo1.VAULT_UNLOCK)
    request = door.request(phone, "vault/unlock", body, SignatureType.POSSESSION)
    assert await host.api.error("sealed/vault/unlock", **request) == "ERR0012"
    request["authorization"]["pa_signature_type"] = "possession_knowledge"
    assert not await host.gains("sealed/vault/unlock", request)


async def test_status_tells_no_activation_code(
    api: Api, host: CapturedHost, application: TestApplication
) -> None:
    started = await api.ok("activation/init", userId="bob", applicationId=application.application_id)
    answer = await host.api.ok("activation/status", activationId=started["activationId"])
    assert set(answer) == {"activationId", "encryptedStatusBlob", "encryptedStatusBlobNonce", "customObject"}
    assert started["activationCode"] not in json.dumps(answer)


NO_CALLS = (
    *("activation/init", "activation/prepare", "activation/commit", "activation/flags/create"),
    *("activation/remove", "operation/approve", "operation/approve/fail", "operation/list"),
    *("token/validate", "token/create", "vault/unlock", "ecies/decryptor", "signature/verify"),
    *("application/detail", "upgrade/start", "signed/spawn", "signed/token/create", "signed/vault/unlock"),
    *("signed/recovery/confirm", "signed/activation/rename", "token/activation/detail"),
    "sealed/activation/remove",
)


async def test_door_has_no_call_that_takes_the_hosts_word(host: CapturedHost) -> None:
    for path in NO_CALLS:
        assert (await host.api.send(path, b'{"requestObject":{}}')).status_code == 404, path


async def test_activation_cannot_be_created_for_a_user_the_host_names(
    host: CapturedHost, door: Door, phone: Phone, core: Core
) -> None:
    sealed = await phone.layer2(door.call)
    request = {
        "applicationKey": phone.app.key,
        "protocolVersion": phone.version.value,
        "identityAttributes": {"userId": "alice", "code": "AAAAA-AAAAA-AAAAA-AAAAA"},
        "customAttributes": {},
        "activationData": sealed.fields,
        "userId": "alice",
        "commit": True,
        "flags": ["ADMIN"],
    }
    for kind in ("CODE", "CUSTOM", "DIRECT", "RECOVERY"):
        status, body = await host.api.post("activation/create", type=kind, **request)
        assert (status, body["status"]) == (400, "ERROR"), kind
    async with core.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Activation)) == 1


async def test_code_that_passed_by_needs_its_commit(
    api: Api, host: CapturedHost, door: Door, make_phone: MakePhone, application: TestApplication
) -> None:
    """The host sees codes and can use them first: a commit by the bank, with the fingerprint, stops it."""
    started = await api.ok("activation/init", userId="bob", applicationId=application.application_id)
    attacker = await make_phone("mallory")
    sealed = await attacker.layer2(door.call)
    answer = await host.api.ok(
        "activation/create",
        applicationKey=attacker.app.key,
        protocolVersion=attacker.version.value,
        type="CODE",
        identityAttributes={"code": started["activationCode"]},
        customAttributes={},
        activationData=sealed.fields,
    )
    assert answer["activationStatus"] == "PENDING_COMMIT"


async def test_token_header_is_good_for_one_call_of_any_kind(
    host: CapturedHost, door: Door, phone: Phone, target: dict[str, Any]
) -> None:
    token = await door.token(phone, PK)
    for first, more in (
        ("operation/list", {}),
        ("operation/detail", {"id": target["id"]}),
        ("operation/claim", {"id": target["id"]}),
        ("who-am-i", {"audience": "inbox/count"}),
    ):
        header = door.header(token)
        assert await host.gains(f"token/{first}", {"header": header, **more})
        for second, again in (("operation/list", {}), ("who-am-i", {"audience": "inbox/count"})):
            assert not await host.gains(f"token/{second}", {"header": header, **again})


async def test_token_header_cannot_probe_for_operations(
    host: CapturedHost, door: Door, phone: Phone, target: dict[str, Any]
) -> None:
    token = await door.token(phone)
    header = door.header(token)
    assert await host.api.error("token/operation/detail", header=header, id="unknown") == "ERR0034"
    assert not await host.gains("token/operation/detail", {"header": header, "id": target["id"]})


async def test_token_opens_only_what_concerns_its_activation(
    host: CapturedHost, door: Door, make_phone: MakePhone
) -> None:
    mallory = await make_phone("mallory")
    token = await door.token(mallory)
    for made in (
        await door.operation(),
        await door.operation(activationId=(await make_phone()).activation_id),
    ):
        for action in ("operation/detail", "operation/claim"):
            request = {"header": door.header(token), "id": made["id"]}
            assert await host.api.error(f"token/{action}", **request) == "ERR0034"
        assert (await door.stored_operation(made)).user_id == "alice"


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": "1700000000000"},
        {"version": "3.2"},
        {"nonce": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"token_digest": b64encode(bytes(32))},
        {"token_id": "00000000-0000-4000-8000-000000000000"},
        {"token_id": "x"},
    ],
)
async def test_changed_token_header_opens_nothing(
    host: CapturedHost, door: Door, phone: Phone, changes: dict[str, Any]
) -> None:
    token = await door.token(phone)
    assert not await host.gains("token/operation/list", {"header": door.header(token) | changes})


async def test_key_store_needs_the_scopes_secret(host: CapturedHost, door: Door, phone: Phone) -> None:
    good = phone.temporary_key_request(Scope.ACTIVATION)
    head, payload, mac = good.split(".")
    for forged in (f"{head}.{payload}.{mac[:-4]}AAAA", f"{head}.{payload}.", "x", ""):
        assert await host.api.error("keystore/create", jwt=forged) == "ERR0024"
