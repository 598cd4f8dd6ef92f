"""Offline payloads and codes (spec/core-api.md §9.4, §9.5; protocol-v3 §8.7 to §8.9)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api
from core_test_phones import Audited, Stored

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.request_data import signature_base
from powerauth_protocol.common.totp import totp
from powerauth_protocol.v3 import offline
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.phone import Phone
from servicekit import clock

DATA = "op-1\nPayment\nConfirm\nA1*A100CZK\nB"
SEED = b64encode(b"0123456789abcdef")
NONCE = bytes(range(16))
KNOWLEDGE, BIOMETRY = SignatureType.POSSESSION_KNOWLEDGE, SignatureType.POSSESSION_BIOMETRY


def offline_data(otp: str | None = None) -> str:
    body = offline.offline_body("op-1", "A1*A100CZK", otp)
    return signature_base("POST", "/operation/authorize/offline", NONCE, body)


async def verify(api: Api, phone: Phone, code: str, **more: Any) -> dict[str, Any]:
    request = {
        "activationId": phone.activation_id,
        "data": offline_data(),
        "signature": code,
        "allowBiometry": False,
    }
    answer: dict[str, Any] = await api.ok("signature/offline/verify", **(request | more))
    return answer


def otp_at(moment: int) -> str:
    return totp(b64decode(SEED), moment, 30, 8)


async def test_personalised_payload_is_signed_by_the_activations_key(api: Api, phone: Phone) -> None:
    answer = await api.ok(
        "signature/offline/personalized/create", activationId=phone.activation_id, data=DATA
    )
    payload = offline.parse_offline_payload(answer["offlineData"])
    assert payload.key_indicator is offline.KeyIndicator.SERVER
    assert phone.server_public_key is not None
    assert payload.verify(phone.server_public_key)
    assert (payload.operation_id, payload.operation_data) == ("op-1", "A1*A100CZK")
    assert b64encode(payload.nonce) == answer["nonce"]


async def test_given_nonce_and_otp_are_in_the_payload(
    api: Api, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: 1_700_000_000_000)
    answer = await api.ok(
        "signature/offline/personalized/create",
        activationId=phone.activation_id,
        data=DATA,
        nonce=b64encode(NONCE),
        proximityCheck={"seed": SEED, "stepLength": 30},
    )
    payload = offline.parse_offline_payload(answer["offlineData"])
    assert (answer["nonce"], payload.nonce) == (b64encode(NONCE), NONCE)
    assert payload.totp == otp_at(1_700_000_000)


async def test_non_personalised_payload_is_signed_by_the_master_key(api: Api, phone: Phone) -> None:
    answer = await api.ok(
        "signature/offline/non-personalized/create", applicationId="test-application", data=DATA
    )
    payload = offline.parse_offline_payload(answer["offlineData"])
    assert payload.key_indicator is offline.KeyIndicator.MASTER
    assert payload.verify(phone.app.master_public_key)


@pytest.mark.parametrize("length", [4, 8])
async def test_code_is_accepted_once_and_moves_the_counter(
    api: Api, phone: Phone, stored: Stored, audited: Audited, length: int
) -> None:
    code = phone.code(offline_data(), KNOWLEDGE, offline=True, component_length=length)
    answer = await verify(api, phone, code, componentLength=length)
    assert (answer["signatureValid"], answer["signatureType"]) == (True, "POSSESSION_KNOWLEDGE")
    assert answer["remainingAttempts"] == 5
    assert b64decode((await stored(phone)).ctr_data or "") == phone.ctr_data
    assert not (await verify(api, phone, code, componentLength=length))["signatureValid"]
    rows = await audited(phone)
    assert [row.signature_version for row in rows] == [None, None]
    assert b64decode(rows[0].data_base64 or "").decode() == f"{offline_data()}&offline"


async def test_biometry_needs_to_be_allowed_and_is_reported_on_failure(
    api: Api, phone: Phone, audited: Audited
) -> None:
    code = phone.code(offline_data(), BIOMETRY, offline=True)
    refused = await verify(api, phone, code)
    assert (refused["signatureValid"], refused["signatureType"]) == (False, "POSSESSION_KNOWLEDGE")
    accepted = await verify(api, phone, code, allowBiometry=True)
    assert (accepted["signatureValid"], accepted["signatureType"]) == (True, "POSSESSION_BIOMETRY")
    await verify(api, phone, code, allowBiometry=True)
    info = [row.additional_info for row in await audited(phone)]
    assert info == ["[]", "[]", '[{"key":"BIOMETRY_ALLOWED","value":"TRUE"}]']


async def test_proximity_code_of_the_current_and_past_steps_is_accepted(
    api: Api, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000
    monkeypatch.setattr(clock, "now_ms", lambda: now * 1000)
    check = {"seed": SEED, "stepLength": 30, "stepCount": 1}
    for moment, valid in ((now, True), (now - 30, True), (now - 60, False), (now + 30, False)):
        code = phone.code(offline_data(otp_at(moment)), KNOWLEDGE, offline=True)
        assert (await verify(api, phone, code, proximityCheck=check))["signatureValid"] is valid, moment


async def test_proximity_check_that_fails_at_every_step_counts_once(
    api: Api, phone: Phone, stored: Stored
) -> None:
    check = {"seed": SEED, "stepLength": 30, "stepCount": 5}
    code = phone.code(offline_data(), KNOWLEDGE, offline=True)
    answer = await verify(api, phone, code, proximityCheck=check)
    assert (answer["signatureValid"], answer["remainingAttempts"]) == (False, 4)
    assert (await stored(phone)).failed_attempts == 1


async def test_offline_and_online_share_the_failed_attempts(api: Api, phone: Phone) -> None:
    wrong = phone.sign(b"").request | {"data": "POST&&&"}
    await api.ok("signature/verify", **wrong)
    assert (await verify(api, phone, "12345678-12345678"))["remainingAttempts"] == 3
