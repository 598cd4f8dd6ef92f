"""Online verification over HTTP: answers, counters, audit (spec/core-api.md §9; D12, D15)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from core_test_api import Api, NewApplication, TestApplication
from core_test_phones import Audited, Change, MakePhone, Stored
from core_test_rows import found
from sqlalchemy import select, text

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.v3.counter import advance
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BODY = b'{"hello":"world"}'
SHORT_INVALID: dict[str, Any] = {
    "signatureValid": False,
    "blockedReason": None,
    "userId": None,
    "applicationId": None,
    "signatureType": None,
    "remainingAttempts": None,
    "applicationRoles": [],
    "activationFlags": [],
}


async def verify(api: Api, signed: Any, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await api.ok("signature/verify", **(signed.request | more))
    return answer


@pytest.mark.parametrize("version", list(ProtocolVersion))
@pytest.mark.parametrize("kind", [SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY])
async def test_valid_signature_of_every_version_is_answered_in_full(
    api: Api, make_phone: MakePhone, stored: Stored, version: ProtocolVersion, kind: SignatureType
) -> None:
    phone = await make_phone(version=version)
    await api.ok("activation/flags/create", activationId=phone.activation_id, activationFlags=["VIP"])
    await api.ok("application/roles/create", applicationId="test-application", applicationRoles=["MOBILE"])
    answer = await verify(api, phone.sign(BODY, kind=kind))
    assert answer == {
        "signatureValid": True,
        "activationStatus": "ACTIVE",
        "blockedReason": None,
        "activationId": phone.activation_id,
        "userId": "alice",
        "applicationId": "test-application",
        "signatureType": kind.enum_name,
        "remainingAttempts": 5,
        "applicationRoles": ["MOBILE"],
        "activationFlags": ["VIP"],
    }
    row = await stored(phone)
    assert (row.counter, b64decode(row.ctr_data or "")) == (1, phone.ctr_data)


async def test_counter_catches_up_within_the_lookahead(api: Api, phone: Phone, stored: Stored) -> None:
    for _ in range(5):
        phone.sign(BODY)
    assert (await verify(api, phone.sign(BODY)))["signatureValid"]
    row = await stored(phone)
    assert (row.counter, b64decode(row.ctr_data or "")) == (6, phone.ctr_data)


async def test_failures_block_at_the_maximum_with_history_event_and_full_answers(
    api: Api, phone: Phone, core: Core
) -> None:
    await core.relay.stop()
    wrong = phone.sign(BODY)
    answers = [await verify(api, wrong, data="POST&&&") for _ in range(6)]
    assert [answer["remainingAttempts"] for answer in answers] == [4, 3, 2, 1, 0, None]
    assert answers[4] | {"activationStatus": "BLOCKED", "blockedReason": "MAX_FAILED_ATTEMPTS"} == answers[4]
    assert answers[5] == SHORT_INVALID | {"activationStatus": "BLOCKED", "activationId": phone.activation_id}
    history = await api.ok("activation/history", activationId=phone.activation_id)
    assert history["items"][0]["eventReason"] == "MAX_FAILED_ATTEMPTS"
    async with core.database.read() as session:
        found = await session.scalars(
            text("SELECT data FROM outbox_event WHERE type = 'activation.status_changed' ORDER BY seq")
        )
        last = json.loads(list(found)[-1])
    assert (last["activationStatus"], last["previousStatus"]) == ("BLOCKED", "ACTIVE")
    assert last["blockedReason"] == "MAX_FAILED_ATTEMPTS"


async def test_valid_signature_resets_failures_but_possession_does_not(
    api: Api, phone: Phone, change: Change, stored: Stored
) -> None:
    await change(phone, failed_attempts=3)
    assert (await verify(api, phone.sign(BODY, kind=SignatureType.POSSESSION)))["remainingAttempts"] == 5
    assert (await stored(phone)).failed_attempts == 3
    assert (await verify(api, phone.sign(BODY)))["signatureValid"]
    assert (await stored(phone)).failed_attempts == 0


async def test_activation_outside_the_callers_scope_is_answered_as_unknown(
    api: Api, phone: Phone, stored: Stored
) -> None:
    signed = phone.sign(BODY)
    hidden = await verify(api, signed, applicationIds=["another"])
    assert hidden["activationStatus"] == "REMOVED"
    assert (await stored(phone)).counter == 0
    assert (await verify(api, signed, applicationIds=["test-application"]))["signatureValid"]


@pytest.mark.parametrize("status", [s for s in ActivationStatus if s is not ActivationStatus.ACTIVE])
async def test_inactive_activation_is_refused_by_a_right_signature_too(
    api: Api, phone: Phone, change: Change, stored: Stored, audited: Audited, status: ActivationStatus
) -> None:
    await change(phone, activation_status=status)
    answer = await verify(api, phone.sign(BODY))
    assert answer == SHORT_INVALID | {"activationStatus": status.value, "activationId": phone.activation_id}
    row = await stored(phone)
    assert (row.activation_status, row.failed_attempts, row.counter) == (status, 0, 0)
    assert [entry.note for entry in await audited(phone)] == ["activation_invalid_state"]


async def test_activation_before_its_key_exchange_is_refused_without_audit(
    api: Api, application: TestApplication, phone: Phone, audited: Audited
) -> None:
    started = await api.ok("activation/init", userId="bob", applicationId=application.application_id)
    answer = await verify(api, phone.sign(BODY), activationId=started["activationId"])
    assert (answer["signatureValid"], answer["activationStatus"]) == (False, "CREATED")
    phone.activation_id = started["activationId"]
    assert await audited(phone) == []


async def test_unknown_application_key_is_audited_and_never_counts(
    api: Api, phone: Phone, stored: Stored, audited: Audited
) -> None:
    unknown = b64encode(b"?" * 16)
    for _ in range(6):
        answer = await verify(api, phone.sign(BODY), applicationKey=unknown)
    assert answer == SHORT_INVALID | {"activationStatus": "ACTIVE", "activationId": phone.activation_id}
    assert (await stored(phone)).failed_attempts == 0
    last = (await audited(phone))[-1]
    assert last.note == "activation_invalid_application"
    assert b64decode(last.data_base64 or "").decode().endswith(f"&{unknown}")


async def test_known_key_of_another_application_counts_and_blocks(
    api: Api, phone: Phone, new_application: NewApplication, stored: Stored
) -> None:
    other = await new_application("other")
    answers = [await verify(api, phone.sign(BODY), applicationKey=other.application_key) for _ in range(5)]
    assert answers[4]["activationStatus"] == "BLOCKED"
    assert (await stored(phone)).failed_attempts == 5


async def test_unsupported_version_counts(api: Api, phone: Phone, stored: Stored) -> None:
    await api.ok(
        "application/version/unsupport", applicationId="test-application", applicationVersionId="default"
    )
    assert not (await verify(api, phone.sign(BODY)))["signatureValid"]
    assert (await stored(phone)).failed_attempts == 1


@pytest.mark.parametrize("version", ["2.1", "3.4", "4.0", "", "3"])
async def test_unknown_signature_version_is_an_error_and_counts_nothing(
    api: Api, phone: Phone, stored: Stored, version: str
) -> None:
    signed = phone.sign(BODY)
    assert (
        await api.error("signature/verify", **(signed.request | {"signatureVersion": version})) == "ERR0013"
    )
    assert (await stored(phone)).failed_attempts == 0


async def test_activation_of_version_2_needs_the_forced_version(
    api: Api, phone: Phone, change: Change
) -> None:
    await change(phone, version=2)
    signed = phone.sign(BODY)
    assert await api.error("signature/verify", **signed.request) == "ERR0008"
    assert (await verify(api, signed, forcedSignatureVersion=3))["signatureValid"]


async def test_lower_case_type_is_refused(api: Api, phone: Phone) -> None:
    request = phone.sign(BODY).request | {"signatureType": "possession_knowledge"}
    status, body = await api.post("signature/verify", **request)
    assert (status, body["responseObject"]["code"]) == (400, "ERROR_HTTP_REQUEST")


async def test_version_below_the_applications_minimum_is_like_an_unknown_one(
    api: Api, make_phone: MakePhone
) -> None:
    phone = await make_phone(version=ProtocolVersion.V3_1)
    await api.ok(
        "application/config/create",
        applicationId="test-application",
        key="minimumProtocolVersion",
        values=["3.2"],
    )
    assert await api.error("signature/verify", **phone.sign(BODY).request) == "ERR0013"


@pytest.mark.parametrize("signature", ["", "x" * 1000, "\u20ac" * 44, "=" * 44, "12345678-12345678"])
async def test_signature_of_any_form_is_only_wrong(api: Api, phone: Phone, signature: str) -> None:
    answer = await verify(api, phone.sign(BODY), signature=signature)
    assert (answer["signatureValid"], answer["remainingAttempts"]) == (False, 4)


async def test_audit_holds_what_was_signed_without_the_secret(
    api: Api, phone: Phone, audited: Audited, core: Core
) -> None:
    ctr_data = phone.ctr_data
    signed = phone.sign(BODY, uri_id="/login")
    await verify(api, signed)
    await verify(api, signed)
    valid, invalid = await audited(phone)
    assert (valid.note, valid.valid, valid.activation_counter) == ("signature_ok", True, 0)
    assert b64decode(valid.activation_ctr_data or "") == ctr_data
    assert (invalid.note, invalid.valid, invalid.activation_counter) == ("signature_does_not_match", False, 1)
    assert b64decode(invalid.activation_ctr_data or "") == advance(ctr_data, 1)
    assert valid.activation_status is ActivationStatus.ACTIVE
    assert (valid.version, valid.signature_version) == (3, "3.3")
    assert (valid.signature_type, valid.signature) == ("POSSESSION_KNOWLEDGE", signed.code)
    assert valid.signature_data_body == BODY.decode()
    assert json.loads(valid.signature_metadata or "") == {
        "type": "POWERAUTH",
        "signatureDataMethod": "POST",
        "signatureDataUriId": "/login",
    }
    assert b64decode(valid.data_base64 or "").decode() == signed.data
    assert await _holds_secret(core, phone.app.secret) is False


async def test_general_audit_holds_neither_secret_nor_counter_data(
    api: Api, phone: Phone, core: Core
) -> None:
    ctr_data = phone.ctr_data
    await verify(api, phone.sign(BODY))
    rows = await found(core, select(AuditLog).where(AuditLog.audit_type == "signature"))
    assert len(rows) == 1
    parameters = json.loads(rows[0].param or "")
    assert rows[0].subject_id == "alice"
    assert (parameters["activationId"], parameters["applicationId"]) == (
        phone.activation_id,
        "test-application",
    )
    assert (parameters["valid"], parameters["note"]) == (True, "signature_ok")
    assert b64encode(ctr_data) not in str(rows[0].param)


async def test_list_shows_the_data_with_the_secret_newest_first(api: Api, phone: Phone) -> None:
    signed = phone.sign(BODY)
    await verify(api, signed)
    await verify(api, signed)
    window = {"timestampFrom": "2020-01-01T00:00:00Z", "timestampTo": "2100-01-01T00:00:00Z"}
    items = (await api.ok("signature/list", userId="alice", **window))["items"]
    assert [item["note"] for item in items] == ["signature_does_not_match", "signature_ok"]
    whole = f"{signed.data}&{phone.app.secret}".encode()
    assert [base64.b64decode(item["dataBase64"]) for item in items] == [whole, whole]
    assert items[1]["applicationId"] == "test-application"
    assert items[1]["activationCtrData"] is not None
    for hidden in ({"applicationId": "another"}, {"applicationIds": ["another"]}, {"userId": "bob"}):
        request = {"userId": "alice", **window} | hidden
        assert (await api.ok("signature/list", **request))["items"] == []


async def _holds_secret(core: Core, secret: str) -> bool:
    """Whether the secret, plain or inside Base64 at any alignment, is anywhere in the audits."""
    inside = [base64.b64encode(b" " * shift + secret.encode())[4:-4].decode() for shift in range(3)]
    needles = [secret, *inside]
    async with core.database.read() as session:
        found = []
        for table in ("pa_signature_audit", "audit_log"):
            for row in await session.execute(text(f"SELECT * FROM {table}")):
                found += [needle for needle in needles if needle in " ".join(map(str, row))]
    return bool(found)
