"""Signature and action in one call (D1, D9, D11, D14; enrollment-api §6, §10)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import Api
from core_test_phones import Audited, Change, MakePhone, Stored
from core_test_rows import found
from sqlalchemy import select, text

from powerauth_contracts.enums import ActivationStatus, OperationStatus
from powerauth_core.container import Core
from powerauth_core.tokens.models import Token
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.vault import unwrap
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

if TYPE_CHECKING:
    from dmz.conftest import Door


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

P, PK, PB, PKB = (
    SignatureType.POSSESSION,
    SignatureType.POSSESSION_KNOWLEDGE,
    SignatureType.POSSESSION_BIOMETRY,
    SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY,
)
UNAUTHENTICATED = {"authenticated": False}


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """The members that say something."""
    return {name: value for name, value in answer.items() if value is not None}


# -- plain verification ------------------------------------------------------------------------------------


def verification(phone: Phone, **changes: Any) -> dict[str, Any]:
    signed = phone.sign(b"body", uri_id="/login", method="PUT")
    return {
        "header": signed.header,
        "method": "put",
        "uriId": "/login",
        "allowedSignatureTypes": ["possession_knowledge"],
        "body": b64encode(b"body"),
    } | changes


async def test_plain_verification_tells_who_signed(api: Api, dmz: Api, phone: Phone) -> None:
    await api.ok("activation/flags/create", activationId=phone.activation_id, activationFlags=["VIP"])
    assert await dmz.ok("signed/verify", **verification(phone)) == {
        "authenticated": True,
        "activationId": phone.activation_id,
        "userId": "alice",
        "applicationId": "test-application",
        "signatureType": "possession_knowledge",
        "activationFlags": ["VIP"],
        "applicationRoles": [],
        "remainingAttempts": 5,
    }


async def test_wrong_signature_is_counted(dmz: Api, phone: Phone, stored: Stored) -> None:
    answer = await dmz.ok("signed/verify", **verification(phone, body=b64encode(b"other")))
    assert told(answer) == UNAUTHENTICATED
    assert (await stored(phone)).failed_attempts == 1


async def test_malformed_header_or_disallowed_type_counts_nothing(
    dmz: Api, phone: Phone, stored: Stored
) -> None:
    for changes in (
        {"pa_signature_type": "unknown"},
        {"pa_signature_type": "possession"},
        {"pa_version": "3.4"},
        {"pa_version": None},
        {"pa_nonce": "AAAA"},
        {"pa_signature": "x"},
        {"pa_activation_id": "x"},
        {"pa_application_key": "=" * 24},
        {"pa_nonce": 'AAAAAAAAAAAAAAAAAAAAAA=="'},
    ):
        request = verification(phone)
        request["header"] |= changes
        assert told(await dmz.ok("signed/verify", **request)) == UNAUTHENTICATED, changes
    row = await stored(phone)
    assert (row.failed_attempts, row.counter) == (0, 0)


async def test_version_below_the_minimum_is_like_a_malformed_header(
    api: Api, dmz: Api, make_phone: MakePhone, stored: Stored
) -> None:
    phone = await make_phone(version=ProtocolVersion.V3_0)
    await api.ok(
        "application/config/create",
        applicationId="test-application",
        key="minimumProtocolVersion",
        values=["3.1"],
    )
    assert told(await dmz.ok("signed/verify", **verification(phone))) == UNAUTHENTICATED
    assert (await stored(phone)).failed_attempts == 0


async def test_plain_verification_is_not_for_actions(dmz: Api, phone: Phone) -> None:
    unfit: list[dict[str, Any]] = [{"allowedSignatureTypes": ["POSSESSION"]}, {"body": "%"}]
    unfit += [{"uriId": action} for action in ("/operation/authorize", "/pa/token/create", "")]
    for changes in (*unfit, {"uriId": "/api/activation/code"}):
        assert await dmz.error("signed/verify", **verification(phone, **changes)) == "ERR0024", changes


# -- operations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [P, PK, PB])
async def test_approval_does_what_the_phone_signed(door: Door, phone: Phone, kind: SignatureType) -> None:
    made = await door.operation()
    answer = await door.signed(
        phone,
        "operation/approve",
        door.approval(made, mobileTokenData={"risk": [1, 2]}),
        kind,
        clientAddress="10.0.0.7",
        userAgent="PowerAuthNetworking/1.2.0",
    )
    assert told(answer) == {"authenticated": True, "result": "APPROVED", "operationStatus": "APPROVED"}
    row = await door.stored_operation(made)
    assert row.status is OperationStatus.APPROVED
    assert row.additional_data == {
        "activationId": phone.activation_id,
        "applicationId": "test-application",
        "ipAddress": "10.0.0.7",
        "userAgent": "PowerAuthNetworking/1.2.0",
        "authFactor": kind.value.lower(),
        "mobileTokenData": {"risk": [1, 2]},
    }


async def test_wrong_data_counts_on_the_operation_and_the_counter_stays_moved(
    door: Door, phone: Phone, stored: Stored
) -> None:
    made = await door.operation()
    for expected in ("APPROVAL_FAILED", "APPROVAL_FAILED", "OPERATION_FAILED"):
        answer = await door.signed(phone, "operation/approve", door.approval(made, data="A1*A1CZK"))
        assert answer["result"] == expected
    assert answer["operationStatus"] == "FAILED"
    assert (await door.stored_operation(made)).failure_count == 3
    row = await stored(phone)
    assert (row.counter, row.failed_attempts) == (3, 0)


async def test_wrong_signature_counts_on_activation_and_operation(
    door: Door, phone: Phone, stored: Stored
) -> None:
    made = await door.operation()
    request = door.request(phone, "operation/approve", b"something else")
    request["body"] = b64encode(door.approval(made))
    answers = [await door.api.ok("signed/operation/approve", **request) for _ in range(3)]
    assert [told(answer) for answer in answers] == [
        {"authenticated": False, "operationStatus": "PENDING"},
        {"authenticated": False, "operationStatus": "PENDING"},
        {"authenticated": False, "operationStatus": "FAILED"},
    ]
    assert (await stored(phone)).failed_attempts == 3


@pytest.mark.parametrize(
    "case", ["unassigned", "other user", "other activation", "inactive", "unknown key", "type"]
)
async def test_wrong_signature_counts_only_on_an_operation_that_fits(
    door: Door, phone: Phone, make_phone: MakePhone, change: Change, case: str
) -> None:
    members: dict[str, Any] = {}
    if case == "unassigned":
        members = {"userId": None}
    if case == "other user":
        members = {"userId": "bob"}
    if case == "other activation":
        members = {"activationId": (await make_phone()).activation_id}
    made = await door.operation(**members)
    request = door.request(phone, "operation/approve", b"something else")
    request["body"] = b64encode(door.approval(made))
    if case == "inactive":
        await change(phone, activation_status=ActivationStatus.BLOCKED)
    if case == "unknown key":
        request["header"]["pa_application_key"] = b64encode(b"?" * 16)
    if case == "type":
        request["header"]["pa_signature_type"] = "knowledge"
    answer = await door.api.ok("signed/operation/approve", **request)
    assert told(answer) == UNAUTHENTICATED
    assert (await door.stored_operation(made)).failure_count == 0


async def test_operation_of_somebody_else_is_like_an_unknown_one(
    door: Door, make_phone: MakePhone, phone: Phone, stored: Stored
) -> None:
    made = await door.operation(userId="bob")
    bound = await door.operation(activationId=(await make_phone()).activation_id)
    for target in (made, bound, {"id": "unknown", "data": "x"}):
        request = door.request(phone, "operation/approve", door.approval(target))
        assert await door.api.error("signed/operation/approve", **request) == "ERR0034"
    assert (await door.stored_operation(made)).failure_count == 0
    assert (await door.stored_operation(bound)).failure_count == 0
    row = await stored(phone)
    assert (row.counter, row.failed_attempts) == (3, 0)


async def test_failing_action_keeps_counter_step_and_audit(
    door: Door, phone: Phone, stored: Stored, audited: Audited
) -> None:
    body = json.dumps({"requestObject": {"id": "unknown", "data": "x"}}).encode()
    request = door.request(phone, "operation/approve", body)
    assert await door.api.error("signed/operation/approve", **request) == "ERR0034"
    assert b64decode((await stored(phone)).ctr_data or "") == phone.ctr_data
    assert [row.note for row in await audited(phone)] == ["signature_ok"]
    assert told(await door.api.ok("signed/operation/approve", **request)) == UNAUTHENTICATED


async def test_flags_of_the_activation_forbid_an_approval(api: Api, door: Door, phone: Phone) -> None:
    made = await door.operation(activationFlag="LIMITED")
    missing = await door.signed(phone, "operation/approve", door.approval(made))
    assert told(missing) == {
        "authenticated": True,
        "operationStatus": "PENDING",
        "refusal": "ACTIVATION_FLAG_MISSING",
        "requiredActivationFlag": "LIMITED",
    }
    await api.ok(
        "activation/flags/create", activationId=phone.activation_id, activationFlags=["VERIFICATION_PENDING"]
    )
    verifying = await door.signed(phone, "operation/approve", door.approval(await door.operation()))
    assert told(verifying) == {"authenticated": True, "refusal": "VERIFICATION_PENDING"}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"requestObject":{"id":"x"}}', b'{"requestObject":{"id":7,"data":"x"}}', b"\xff"],
)
async def test_unusable_signed_body_is_refused_after_authentication(
    door: Door, phone: Phone, stored: Stored, body: bytes
) -> None:
    for action, number in (("operation/approve", 1), ("operation/reject", 2)):
        answer = await door.signed(phone, action, body if action.endswith("approve") else b"[]")
        assert told(answer) == {"authenticated": True, "refusal": "REQUEST_INVALID"}
        assert (await stored(phone)).counter == number


async def test_rejection_and_history(door: Door, phone: Phone) -> None:
    made = await door.operation()
    body = json.dumps({"requestObject": {"id": made["id"], "reason": "UNEXPECTED_OPERATION"}}).encode()
    answer = await door.signed(phone, "operation/reject", body)
    assert told(answer) == {"authenticated": True, "result": "REJECTED", "operationStatus": "REJECTED"}
    again = await door.signed(phone, "operation/reject", body)
    assert told(again) == {"authenticated": True, "operationStatus": "REJECTED"}
    history = await door.signed(phone, "operation/history", b"{}")
    assert [(entry["id"], entry["status"]) for entry in history["operations"]] == [(made["id"], "REJECTED")]
    assert "proximityOtp" not in json.dumps(history)


async def test_proximity_code_comes_from_the_signed_body(door: Door, phone: Phone) -> None:
    made = await door.operation(proximityCheckEnabled=True)
    without = await door.signed(phone, "operation/approve", door.approval(made))
    assert without["result"] == "APPROVAL_FAILED"
    check = {"otp": made["proximityOtp"], "type": "QR_CODE", "timestampReceived": "2025-01-01T00:00:00Z"}
    right = await door.signed(phone, "operation/approve", door.approval(made, proximityCheck=check))
    assert right["result"] == "APPROVED"


async def test_one_operation_is_approved_once_by_many_phones_at_the_same_time(
    door: Door, make_phone: MakePhone
) -> None:
    made = await door.operation()
    phones = [await make_phone() for _ in range(6)]
    answers = await asyncio.gather(
        *[door.signed(phone, "operation/approve", door.approval(made)) for phone in phones]
    )
    assert [answer["result"] for answer in answers].count("APPROVED") == 1
    assert all(answer["operationStatus"] == "APPROVED" for answer in answers)


async def test_two_phones_approving_two_operations_crosswise_do_not_wait_in_a_ring(
    door: Door, make_phone: MakePhone
) -> None:
    phones = [await make_phone() for _ in range(8)]
    made = [await door.operation() for _ in range(8)]
    calls = []
    for number, phone in enumerate(phones):
        target = made[(-number) % 8]
        calls.append(door.signed(phone, "operation/approve", door.approval(target)))
    answers = await asyncio.gather(*calls)
    assert [answer["result"] for answer in answers] == ["APPROVED"] * 8


# -- tokens, vault, activation -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", list(ProtocolVersion))
async def test_token_is_created_for_the_type_that_signed(
    door: Door, make_phone: MakePhone, core: Core, version: ProtocolVersion
) -> None:
    phone = await make_phone(version=version)
    body, sealed = await door.sealed(phone, SharedInfo1.CREATE_TOKEN)
    answer = await door.signed(phone, "token/create", body, PB)
    opened = sealed.open_json(answer["envelope"])
    [token] = await found(core, select(Token))
    assert (token.token_id, token.signature_type) == (opened["tokenId"], "POSSESSION_BIOMETRY")
    assert token.activation_id == phone.activation_id


async def test_three_factors_do_not_create_a_token(door: Door, phone: Phone, stored: Stored) -> None:
    body, _ = await door.sealed(phone, SharedInfo1.CREATE_TOKEN)
    assert told(await door.signed(phone, "token/create", body, PKB)) == UNAUTHENTICATED
    assert (await stored(phone)).counter == 0


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"encryptedData":"AA==","mac":"AA==","x":1}'])
async def test_token_creation_needs_an_envelope(
    door: Door, phone: Phone, stored: Stored, body: bytes
) -> None:
    request = door.request(phone, "token/create", body)
    assert await door.api.error("sealed/token/create", **request) == "ERR0024"
    assert (await stored(phone)).counter == 1


async def test_own_token_is_removed_and_another_activations_is_not(
    door: Door, phone: Phone, make_phone: MakePhone, core: Core
) -> None:
    own, foreign = await door.token(phone), await door.token(await make_phone("bob"))
    for token, removed in ((own, True), (own, False), (foreign, False)):
        body = json.dumps({"requestObject": {"tokenId": token[0]}}).encode()
        answer = await door.signed(phone, "token/remove", body)
        assert told(answer) == {"authenticated": True, "tokenId": token[0], "removed": removed}
    unusable = await door.signed(phone, "token/remove", b"{}")
    assert told(unusable) == {"authenticated": True, "refusal": "REQUEST_INVALID"}
    async with core.database.read() as session:
        assert [token.token_id for token in await session.scalars(select(Token))] == [foreign[0]]


async def test_vault_is_opened_for_the_device(door: Door, phone: Phone, audited: Audited) -> None:
    body, sealed = await door.sealed(phone, SharedInfo1.VAULT_UNLOCK, b'{"reason":"ADD_BIOMETRY"}')
    answer = await door.signed(phone, "vault/unlock", body)
    wrapped = b64decode(sealed.open_json(answer["envelope"])["encryptedVaultEncryptionKey"])
    assert unwrap(phone.open_keys.transport, wrapped) == phone.open_keys.vault
    assert "ADD_BIOMETRY" in str((await audited(phone))[0].additional_info)


async def test_vault_keeps_its_own_order_and_errors(door: Door, phone: Phone, stored: Stored) -> None:
    body, _ = await door.sealed(phone, SharedInfo1.VAULT_UNLOCK)
    for kind in (P, PB):
        request = door.request(phone, "vault/unlock", body, kind)
        assert await door.api.error("sealed/vault/unlock", **request) == "ERR0012"
    request = door.request(phone, "vault/unlock", b"{}")
    assert await door.api.error("sealed/vault/unlock", **request) == "ERR0024"
    assert (await stored(phone)).counter == 0
    swapped = door.request(phone, "vault/unlock", b"another") | {"body": b64encode(body)}
    assert told(await door.api.ok("sealed/vault/unlock", **swapped)) == UNAUTHENTICATED
    assert (await stored(phone)).failed_attempts == 1


async def test_removal_and_what_follows(door: Door, phone: Phone, stored: Stored) -> None:
    answer = await door.signed(phone, "activation/remove", b"{}")
    assert told(answer) == {"authenticated": True, "activationId": phone.activation_id}
    row = await stored(phone)
    assert (row.activation_status, row.counter) == (ActivationStatus.REMOVED, 1)
    assert told(await door.signed(phone, "activation/remove", b"{}")) == UNAUTHENTICATED


@pytest.mark.parametrize("version", [2, 3])
async def test_no_activation_can_be_upgraded(
    door: Door, phone: Phone, change: Change, stored: Stored, version: int
) -> None:
    await change(phone, version=version)
    request = door.request(phone, "upgrade/commit", b"{}")
    assert await door.api.error("signed/upgrade/commit", **request) == "ERR0008"
    assert (await stored(phone)).version == version


async def test_actions_of_many_phones_share_batches_and_all_succeed(
    door: Door, make_phone: MakePhone, core: Core, stored: Stored
) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(10)]
    calls = []
    for number, phone in enumerate(phones):
        if number % 3 == 0:
            calls.append(door.sign_inside(phone, "activation/rename", b'{"activationName":"N"}'))
        elif number % 3 == 1:
            calls.append(door.signed(phone, "activation/remove", b"{}"))
        else:
            calls.append(door.api.ok("signed/verify", **verification(phone)))
    answers = await asyncio.gather(*calls)
    assert all(answer["authenticated"] for answer in answers)
    assert [(await stored(phone)).counter for phone in phones] == [1] * 10
    async with core.database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM pa_signature_audit")) == 10
