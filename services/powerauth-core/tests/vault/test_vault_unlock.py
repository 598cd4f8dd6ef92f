"""Opening the vault (spec/core-api.md §10, protocol-v3 §11)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_test_api import Api, NewApplication, StartCore
from core_test_phones import Audited, Change, MakePhone, Stored

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.rest.vault import UnlockVaultRequest
from powerauth_core.vault.routes import unlock
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.vault import unwrap
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

PLAIN = b'{"reason":"ADD_BIOMETRY"}'
REFUSED = {"signatureValid": False, "encryptedData": None, "mac": None, "nonce": None, "timestamp": None}


async def request_of(
    api: Api,
    phone: Phone,
    plaintext: bytes = PLAIN,
    kind: SignatureType = SignatureType.POSSESSION_KNOWLEDGE,
    sh1: SharedInfo1 = SharedInfo1.VAULT_UNLOCK,
) -> tuple[dict[str, Any], Any]:
    await phone.prepare_scope(api.call, Scope.ACTIVATION)
    sealed = phone.seal(sh1, plaintext)
    signed = phone.sign(json.dumps(sealed.fields).encode(), uri_id="/pa/vault/unlock", kind=kind)
    request = {
        "activationId": phone.activation_id,
        "applicationKey": phone.app.key,
        "signedData": signed.data,
        "signature": signed.code,
        "signatureType": kind.enum_name,
        "signatureVersion": phone.version.value,
        **sealed.fields,
    }
    return request, sealed


@pytest.mark.parametrize("version", list(ProtocolVersion))
async def test_right_signature_hands_out_the_vault_key(
    api: Api, make_phone: MakePhone, audited: Audited, version: ProtocolVersion
) -> None:
    phone = await make_phone(version=version)
    request, sealed = await request_of(api, phone)
    answer = await api.ok("vault/unlock", **request)
    assert answer["signatureValid"] is True
    wrapped = b64decode(sealed.open_json(answer)["encryptedVaultEncryptionKey"])
    assert unwrap(phone.open_keys.transport, wrapped) == phone.open_keys.vault
    info = json.loads((await audited(phone))[0].additional_info or "")
    assert info == [{"key": "VAULT_UNLOCKED_REASON", "value": "ADD_BIOMETRY"}]


async def test_wrong_signature_is_counted_and_answered_without_a_key(
    api: Api, phone: Phone, stored: Stored
) -> None:
    request, sealed = await request_of(api, phone)
    answer = await api.ok("vault/unlock", **(request | {"signedData": "POST&&&"}))
    assert answer["signatureValid"] is False
    assert sealed.open_json(answer) == {"encryptedVaultEncryptionKey": None}
    assert (await stored(phone)).failed_attempts == 1


async def test_missing_reason_is_audited_as_not_specified(api: Api, phone: Phone, audited: Audited) -> None:
    request, _ = await request_of(api, phone, b"{}")
    assert (await api.ok("vault/unlock", **request))["signatureValid"]
    assert "NOT_SPECIFIED" in str((await audited(phone))[0].additional_info)


async def test_longest_reason_fits_the_audit_also_when_the_activation_is_blocked(
    api: Api, phone: Phone, change: Change, audited: Audited
) -> None:
    await change(phone, failed_attempts=4)
    request, _ = await request_of(api, phone, json.dumps({"reason": "R" * 255}).encode())
    answer = await api.ok("vault/unlock", **(request | {"signedData": "POST&&&"}))
    assert answer["signatureValid"] is False
    info = json.loads((await audited(phone))[0].additional_info or "")
    assert [entry["key"] for entry in info] == ["VAULT_UNLOCKED_REASON", "BLOCKED_REASON"]


@pytest.mark.parametrize("reason", ["", "ab", "x" * 256, "with space", "\u00e1bc", 7, ["x"]], ids=repr)
async def test_reason_of_another_form_is_refused_before_the_signature(
    api: Api, phone: Phone, stored: Stored, reason: int | list[str] | str
) -> None:
    request, _ = await request_of(api, phone, json.dumps({"reason": reason}).encode())
    assert await api.error("vault/unlock", **request) == "ERR0011"
    assert (await stored(phone)).counter == 0


async def test_unreadable_payload_is_an_invalid_signature_without_an_attempt(
    api: Api, phone: Phone, stored: Stored
) -> None:
    request, _ = await request_of(api, phone, b"not json")
    assert await api.ok("vault/unlock", **request) == REFUSED
    assert (await stored(phone)).failed_attempts == 0


@pytest.mark.parametrize("kind", [k for k in SignatureType if k is not SignatureType.POSSESSION_KNOWLEDGE])
async def test_other_types_do_not_open_the_vault(
    api: Api, phone: Phone, stored: Stored, kind: SignatureType
) -> None:
    request, _ = await request_of(api, phone, kind=kind)
    assert await api.error("vault/unlock", **request) == "ERR0012"
    assert (await stored(phone)).counter == 0


async def test_biometry_opens_the_vault_when_the_setting_allows(
    api: Api, phone: Phone, start_core: StartCore
) -> None:
    allowing = await start_core(secure_vault_enable_biometric_authentication=True)
    request, _ = await request_of(api, phone, kind=SignatureType.POSSESSION_BIOMETRY)
    assert (await unlock(allowing, UnlockVaultRequest.model_validate(request))).signature_valid


@pytest.mark.parametrize("status", [s for s in ActivationStatus if s is not ActivationStatus.ACTIVE])
async def test_inactive_activation_is_refused_without_attempt_or_audit(
    api: Api, phone: Phone, change: Change, audited: Audited, status: ActivationStatus
) -> None:
    request, _ = await request_of(api, phone)
    await change(phone, activation_status=status)
    assert await api.ok("vault/unlock", **request) == REFUSED
    assert await audited(phone) == []


async def test_unknown_activation_and_unknown_or_foreign_application_are_refused_alike(
    api: Api, phone: Phone, new_application: NewApplication, stored: Stored
) -> None:
    other = await new_application("other")
    request, _ = await request_of(api, phone)
    for changes in (
        {"activationId": "unknown"},
        {"applicationKey": b64encode(bytes(16))},
        {"applicationKey": other.application_key},
        {"applicationIds": ["other"]},
    ):
        assert await api.ok("vault/unlock", **(request | changes)) == REFUSED
    assert (await stored(phone)).failed_attempts == 0
    assert (await api.ok("vault/unlock", **request))["signatureValid"]


async def test_envelope_is_accepted_once_and_only_for_its_purpose(api: Api, phone: Phone) -> None:
    token, _ = await request_of(api, phone, sh1=SharedInfo1.CREATE_TOKEN)
    assert await api.error("vault/unlock", **token) == "ERR0018"
    request, _ = await request_of(api, phone)
    assert (await api.ok("vault/unlock", **request))["signatureValid"]
    assert await api.error("vault/unlock", **request) == "ERR0024"
