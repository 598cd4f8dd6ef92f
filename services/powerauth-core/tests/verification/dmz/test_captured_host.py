"""What a captured DMZ host can do with its credentials and with everything that passed through it: nothing
(D1).

The host has valid credentials of the door, sees every header and body that phones sent, and may send them,
or parts of them, wherever it likes. Each test is one of its attempts at something that no phone asked for.
Its attempts at spawned, custom and OIDC activations stand in the files of those (`test_captured_host_…`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from powerauth_core.activations.models import Activation
from powerauth_core.enums import ActivationStatus, OperationStatus
from powerauth_core.tokens.models import Token
from powerauth_protocol.ecies import SharedInfo1
from powerauth_protocol.encoding import b64encode
from powerauth_protocol.scope import Scope
from powerauth_protocol.signature import SignatureType

PK = SignatureType.POSSESSION_KNOWLEDGE
ACTIONS = (
    "operation/approve",
    "operation/reject",
    "operation/history",
    "token/create",
    "token/remove",
    "vault/unlock",
    "activation/remove",
    "activation/rename",
    "recovery/confirm",
    "upgrade/commit",
)


class CapturedHost:
    """The host: what it sends, and whether anything came of it."""

    def __init__(self, door: Any) -> None:
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
def host(door: Any) -> CapturedHost:
    return CapturedHost(door)


@pytest_asyncio.fixture
async def target(operation: Callable[..., Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """A pending payment of ``alice`` that her phone has not signed."""
    return await operation()


def verify_request(phone: Any, body: bytes = b"login", uri_id: str = "/login") -> dict[str, Any]:
    """A harmless signed request of the phone, as it passes by."""
    signed = phone.sign(body, uri_id=uri_id)
    return {
        "header": signed.header,
        "method": "POST",
        "uriId": uri_id,
        "allowedSignatureTypes": ["possession_knowledge"],
        "body": b64encode(body),
    }


async def test_signature_of_a_login_does_not_approve_a_payment(
    host, phone, target, approval_of, operation_row
) -> None:
    login = verify_request(phone)
    forged = {"header": login["header"], "body": b64encode(approval_of(target))}
    assert not await host.gains("signed/operation/approve", forged)
    assert (await operation_row(target)).status is OperationStatus.PENDING


@pytest.mark.parametrize("spent", [False, True])
@pytest.mark.parametrize("action", ACTIONS)
async def test_signature_of_one_purpose_is_good_for_no_action(
    host, phone, target, approval_of, action, spent, stored
) -> None:
    login = verify_request(phone, approval_of(target))
    if spent:
        assert await host.gains("signed/verify", login)
    assert not await host.gains(f"signed/{action}", {"header": login["header"], "body": login["body"]})
    assert (await stored(phone)).activation_status is ActivationStatus.ACTIVE


@pytest.mark.parametrize("signed_for", ACTIONS)
async def test_signature_of_one_action_is_good_for_no_other_action(
    host, door, phone, target, approval_of, signed_for, core
) -> None:
    body = approval_of(target)
    for action in ACTIONS:
        if action == signed_for:
            continue
        request = door.request(phone, signed_for, body)
        assert not await host.gains(f"signed/{action}", request), action
        request = door.request(phone, signed_for, body)
        request["header"]["pa_signature_type"] = "possession"
        assert not await host.gains(f"signed/{action}", request), action
        async with core.database.transaction() as session:
            row = await session.get_one(Activation, phone.activation_id)
            row.failed_attempts, row.activation_status = 0, ActivationStatus.ACTIVE


async def test_another_body_under_a_right_header_does_nothing(
    host, door, phone, operation, approval_of, operation_row
) -> None:
    wanted, other = await operation(), await operation()
    request = door.request(phone, "operation/approve", approval_of(wanted))
    forged = request | {"body": b64encode(approval_of(other))}
    assert not await host.gains("signed/operation/approve", forged)
    assert (await operation_row(other)).status is OperationStatus.PENDING
    assert await host.gains("signed/operation/approve", request)
    assert (await operation_row(wanted)).status is OperationStatus.APPROVED


@pytest.mark.parametrize("action", ["operation/history", "activation/rename", "operation/approve"])
async def test_header_is_good_for_one_call(host, door, phone, operation, approval_of, action) -> None:
    body = approval_of(await operation()) if action == "operation/approve" else b'{"activationName":"N"}'
    request = door.request(phone, action, body)
    assert await host.gains(f"signed/{action}", request)
    assert not await host.gains(f"signed/{action}", request)


async def test_header_that_failed_once_is_not_good_again(host, door, phone) -> None:
    request = door.request(phone, "operation/approve", b'{"requestObject":{"id":"none","data":"x"}}')
    assert await host.api.error("signed/operation/approve", **request) == "ERR0034"
    assert not await host.gains("signed/operation/approve", request)


async def test_stronger_factors_cannot_be_claimed(
    host, door, phone, target, approval_of, operation_row
) -> None:
    request = door.request(phone, "operation/approve", approval_of(target), SignatureType.POSSESSION)
    for claimed in ("possession_knowledge", "possession_biometry"):
        forged = request | {"header": request["header"] | {"pa_signature_type": claimed}}
        assert not await host.gains("signed/operation/approve", forged)
    assert (await operation_row(target)).status is OperationStatus.PENDING


async def test_another_users_signature_does_not_approve(
    host, door, make_phone, target, approval_of, operation_row
) -> None:
    mallory = await make_phone("mallory")
    request = door.request(mallory, "operation/approve", approval_of(target))
    assert not await host.gains("signed/operation/approve", request)
    row = await operation_row(target)
    assert (row.status, row.failure_count) == (OperationStatus.PENDING, 0)


async def test_phone_of_another_application_does_not_approve(
    host, door, make_phone, new_application, target, approval_of, operation_row
) -> None:
    foreign = await make_phone("alice", of=await new_application("other"))
    request = door.request(foreign, "operation/approve", approval_of(target))
    assert not await host.gains("signed/operation/approve", request)
    request["header"]["pa_application_key"] = (await new_application("third")).application_key
    assert not await host.gains("signed/operation/approve", request)
    assert (await operation_row(target)).status is OperationStatus.PENDING


async def test_host_cannot_add_what_decides(host, door, phone, target, approval_of, operation_row) -> None:
    request = door.request(phone, "operation/approve", approval_of(target, data="A1*A1CZK"))
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
    assert (await operation_row(target)).additional_data.get("proximity_otp") is None


async def test_no_token_without_a_signature_for_it(host, door, phone, core) -> None:
    envelope, _ = await door.sealed(phone, SharedInfo1.CREATE_TOKEN)
    login = verify_request(phone, envelope)
    assert not await host.gains(
        "signed/token/create", {"header": login["header"], "body": b64encode(envelope)}
    )
    forged = {
        "activationId": phone.activation_id,
        "signatureType": "POSSESSION_KNOWLEDGE",
        "body": b64encode(envelope),
        "header": {},
    }
    assert not await host.gains("signed/token/create", forged)
    async with core.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Token)) == 0


async def test_token_answer_is_sealed_for_the_device_that_signed(host, door, phone, make_phone) -> None:
    other = await make_phone("mallory")
    own_body, _ = await door.sealed(other, SharedInfo1.CREATE_TOKEN)
    assert not await host.gains("signed/token/create", door.request(phone, "token/create", own_body))


async def test_envelope_of_another_purpose_gives_no_vault_key(host, door, phone) -> None:
    for purpose in (SharedInfo1.CREATE_TOKEN, SharedInfo1.ACTIVATION_GENERIC):
        body, _ = await door.sealed(phone, purpose, b'{"reason":"ADD_BIOMETRY"}')
        assert not await host.gains("signed/vault/unlock", door.request(phone, "vault/unlock", body))
    body, _ = await door.sealed(phone, SharedInfo1.VAULT_UNLOCK)
    assert not await host.gains("signed/vault/unlock", {"header": {}, "body": b64encode(body)})


async def test_one_factor_gives_no_vault_key(host, door, phone) -> None:
    body, _ = await door.sealed(phone, SharedInfo1.VAULT_UNLOCK)
    request = door.request(phone, "vault/unlock", body, SignatureType.POSSESSION)
    assert await host.api.error("signed/vault/unlock", **request) == "ERR0012"
    request["header"]["pa_signature_type"] = "possession_knowledge"
    assert not await host.gains("signed/vault/unlock", request)


@pytest.mark.parametrize(
    "sh1",
    [
        SharedInfo1.ACTIVATION_LAYER_2,
        SharedInfo1.VAULT_UNLOCK,
        SharedInfo1.CREATE_TOKEN,
        SharedInfo1.UPGRADE,
        SharedInfo1.CONFIRM_RECOVERY_CODE,
    ],
)
async def test_keys_of_an_inner_layer_are_never_handed_out(host, door, phone, sh1) -> None:
    inner = sh1 is SharedInfo1.ACTIVATION_LAYER_2
    scope = Scope.APPLICATION if inner else Scope.ACTIVATION
    await phone.prepare_scope(door.call, scope)
    sealed = phone.seal(sh1, b"{}", scope)
    request = {
        "scope": scope.name,
        "applicationKey": phone.app.key,
        "activationId": None if inner else phone.activation_id,
        **phone.env(sealed),
        "sharedInfo1": sh1.value,
        "sh1": sh1.value,
    }
    assert await host.api.error("envelope/keys", **request) == "ERR0018"


async def test_envelope_keys_are_handed_out_once_and_only_with_the_right_mac(host, door, phone) -> None:
    await phone.prepare_scope(door.call, Scope.ACTIVATION)
    sealed = phone.seal(SharedInfo1.ACTIVATION_GENERIC, b"{}")
    request = {
        "scope": "ACTIVATION",
        "applicationKey": phone.app.key,
        "activationId": phone.activation_id,
        **phone.env(sealed),
    }
    for changes in (
        {"mac": b64encode(bytes(32))},
        {"encryptedData": b64encode(bytes(16))},
        {"timestamp": request["timestamp"] + 1},
        {"scope": "APPLICATION", "activationId": None},
    ):
        assert await host.api.error("envelope/keys", **(request | changes)) in {"ERR0018", "ERR0045"}
    keys = await host.api.ok("envelope/keys", **request)
    assert keys["sharedInfo2"] is None
    assert await host.api.error("envelope/keys", **request) == "ERR0024"


async def test_status_tells_no_activation_code(api, host, application) -> None:
    started = await api.ok("activation/init", userId="bob", applicationId=application.application_id)
    answer = await host.api.ok("activation/status", activationId=started["activationId"])
    assert set(answer) == {
        "activationId",
        "encryptedStatusBlob",
        "encryptedStatusBlobNonce",
        "customObject",
    }
    assert started["activationCode"] not in json.dumps(answer)


@pytest.mark.parametrize(
    "path",
    [
        "signature/verify",
        "operation/approve",
        "activation/init",
        "activation/commit",
        "activation/flags/create",
        "activation/status",
        "token/create",
        "vault/unlock",
        "ecies/decryptor",
        "application/detail",
        "integration/list",
        "statement/keys",
    ],
)
async def test_credentials_of_this_door_open_no_other(host, api, path) -> None:
    response = await host.api.send(f"/rest/v3/{path}", b'{"requestObject":{}}')
    assert response.status_code == 401
    crossed = await api.send("/dmz/v1/texts", b'{"requestObject":{"operationType":"login"}}')
    assert crossed.status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "activation/init",
        "activation/prepare",
        "activation/commit",
        "activation/flags/create",
        "activation/remove",
        "operation/approve",
        "operation/approve/fail",
        "operation/list",
        "token/validate",
        "token/create",
        "vault/unlock",
        "ecies/decryptor",
        "signature/verify",
        "application/detail",
    ],
)
async def test_door_has_no_call_that_takes_the_hosts_word(host, path) -> None:
    response = await host.api.send(path, b'{"requestObject":{}}')
    assert response.status_code == 404


async def test_activation_cannot_be_created_for_a_user_the_host_names(host, door, phone, core) -> None:
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


async def test_code_that_passed_by_needs_its_commit(api, host, door, make_phone, application) -> None:
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


async def test_token_header_is_good_for_one_call_of_any_kind(host, door, phone, header_of, target) -> None:
    token = await door.token(phone, PK)
    for first, more in (
        ("operation/list", {}),
        ("operation/detail", {"id": target["id"]}),
        ("operation/claim", {"id": target["id"]}),
        ("activation/detail", {}),
        ("who-am-i", {"audience": "push"}),
    ):
        header = header_of(token)
        assert await host.gains(f"token/{first}", {"header": header, **more})
        for second, again in (("operation/list", {}), ("who-am-i", {"audience": "push"})):
            assert not await host.gains(f"token/{second}", {"header": header, **again})


async def test_token_header_cannot_probe_for_operations(host, door, phone, header_of, target) -> None:
    token = await door.token(phone)
    header = header_of(token)
    assert await host.api.error("token/operation/detail", header=header, id="unknown") == "ERR0034"
    assert not await host.gains("token/operation/detail", {"header": header, "id": target["id"]})


async def test_token_opens_only_what_concerns_its_activation(
    host, door, make_phone, header_of, operation, operation_row
) -> None:
    mallory = await make_phone("mallory")
    token = await door.token(mallory)
    for made in (await operation(), await operation(activationId=(await make_phone()).activation_id)):
        for action in ("operation/detail", "operation/claim"):
            request = {"header": header_of(token), "id": made["id"]}
            assert await host.api.error(f"token/{action}", **request) == "ERR0034"
        assert (await operation_row(made)).user_id == "alice"


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
async def test_changed_token_header_opens_nothing(host, door, phone, header_of, changes) -> None:
    token = await door.token(phone)
    assert not await host.gains("token/operation/list", {"header": header_of(token) | changes})


async def test_token_does_not_sign(host, door, phone, header_of, target, approval_of) -> None:
    token = await door.token(phone, PK)
    forged = {"header": header_of(token), "body": b64encode(approval_of(target))}
    assert not await host.gains("signed/operation/approve", forged)


async def test_key_store_needs_the_scopes_secret(host, door, phone) -> None:
    good = phone.temporary_key_request(Scope.ACTIVATION)
    head, payload, mac = good.split(".")
    for forged in (f"{head}.{payload}.{mac[:-4]}AAAA", f"{head}.{payload}.", "x", ""):
        assert await host.api.error("keystore/create", jwt=forged) == "ERR0024"
