"""Signatures with EC keys (spec/core-api.md §9.6)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api
from core_test_phones import Change

from powerauth_contracts.enums import ActivationStatus
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.v3 import ecdsa
from powerauth_sdk.phone import Phone

DATA = b64encode(b"contract")


def by_device(phone: Phone) -> bytes:
    return ecdsa.sign(phone.pair.private, b"contract")


async def test_device_signature_is_verified_in_both_formats(api: Api, phone: Phone) -> None:
    der = by_device(phone)
    for signature, form in ((der, None), (der, "DER"), (ecdsa.der_to_jose(der), "JOSE")):
        request = {"activationId": phone.activation_id, "data": DATA, "signature": b64encode(signature)}
        answer = await api.ok("signature/ecdsa/verify", **request, signatureFormat=form)
        assert answer == {"signatureValid": True}


@pytest.mark.parametrize("status", list(ActivationStatus))
async def test_any_state_of_the_activation_is_good_for_verifying(
    api: Api, phone: Phone, change: Change, status: ActivationStatus
) -> None:
    await change(phone, activation_status=status)
    request = {"activationId": phone.activation_id, "data": DATA, "signature": b64encode(by_device(phone))}
    assert await api.ok("signature/ecdsa/verify", **request) == {"signatureValid": True}


@pytest.mark.parametrize(
    "changes",
    [
        {"data": b64encode(b"another")},
        {"signature": b64encode(b"not DER")},
        {"signatureFormat": "JOSE"},
        {"activationId": "unknown"},
        {"applicationIds": []},
    ],
)
async def test_anything_else_is_an_invalid_signature(api: Api, phone: Phone, changes: dict[str, Any]) -> None:
    request = {"activationId": phone.activation_id, "data": DATA, "signature": b64encode(by_device(phone))}
    assert await api.ok("signature/ecdsa/verify", **(request | changes)) == {"signatureValid": False}


async def test_activation_without_device_key_has_no_valid_signature(
    api: Api, phone: Phone, change: Change
) -> None:
    await change(phone, device_public_key_base64=None)
    request = {"activationId": phone.activation_id, "data": DATA, "signature": DATA}
    assert await api.ok("signature/ecdsa/verify", **request) == {"signatureValid": False}


async def test_server_signature_verifies_with_the_key_the_device_knows(api: Api, phone: Phone) -> None:
    answer = await api.ok("signature/ecdsa/sign", activationId=phone.activation_id, data=DATA)
    assert phone.server_public_key is not None
    assert ecdsa.verify(phone.server_public_key, b"contract", b64decode(answer["signature"]))
