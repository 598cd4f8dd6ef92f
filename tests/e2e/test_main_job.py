"""A phone activates and signs, a bank verifies and gets operations approved; in every protocol version."""

from __future__ import annotations

import asyncio
import contextlib
import time
from base64 import b64encode
from typing import Any

import pytest
from e2e_customer import Customer

from powerauth_cli.demo.bank import BankRefused
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk import Device, MobileToken, Operation, ServerRefused, vault

pytestmark = pytest.mark.e2e
PIN = "1234"
WRONG = "9999"


async def test_both_sides_see_one_fingerprint_and_the_bank_commits(customer: Customer) -> None:
    registration = await customer.register()
    result = await customer.phone.activate_with_code(registration["activationQrCodeData"], PIN)
    seen = await customer.bank.registration(registration["registrationId"])
    assert seen["registrationStatus"] == "PENDING_COMMIT"
    assert seen["activationFingerprint"] == result.fingerprint
    assert (await customer.phone.status()).state == "PENDING_COMMIT"
    await customer.bank.call("POST", f"/v2/registrations/{result.activation_id}/commit")
    assert (await customer.phone.status()).state == "ACTIVE"
    assert "activationFingerprint" not in await customer.bank.registration(result.activation_id)


async def test_a_code_activates_one_phone_only(customer: Customer) -> None:
    registration = await customer.register()
    await customer.phone.activate_with_code(registration["activationCode"], PIN)
    with pytest.raises(ServerRefused) as refused:
        await Device(customer.config).activate_with_code(registration["activationCode"], PIN)
    assert (refused.value.http_status, refused.value.code) == (400, "ERR_ACTIVATION")


async def test_an_otp_at_key_exchange_activates_at_once_and_a_wrong_one_does_not(customer: Customer) -> None:
    registration = await customer.register(otp="918273", commitPhase="ON_KEY_EXCHANGE")
    with pytest.raises(ServerRefused):
        await Device(customer.config).activate_with_code(registration["activationCode"], PIN, otp="111111")
    await customer.phone.activate_with_code(registration["activationCode"], PIN, otp="918273")
    assert (await customer.phone.status()).state == "ACTIVE"


async def test_a_login_is_verified_once_and_never_with_another_body(customer: Customer) -> None:
    result = await customer.activate()
    body = b'{"channel":"web"}'

    async def verify(header: str, content: bytes) -> Any:
        return await customer.bank.verify_signature("POST", "/login", header, content)

    (header,) = (
        await customer.phone.signed_header(method="POST", uri_id="/login", body=body, pin=PIN)
    ).values()
    tampered = await verify(header, body + b" ")
    assert (tampered["signatureValid"], tampered["remainingAttempts"]) == (False, 4)
    accepted = await verify(header, body)
    assert accepted["signatureValid"]
    assert accepted["userId"] == customer.user_id
    assert accepted["registrationId"] == result.activation_id
    assert accepted["signatureType"] == "POSSESSION_KNOWLEDGE"
    replayed = await verify(header, body)
    assert (replayed["signatureValid"], replayed["remainingAttempts"]) == (False, 4)


async def test_the_token_lists_and_the_pin_approves(customer: Customer) -> None:
    await customer.activate()
    created = await customer.operation()
    english, czech = MobileToken(customer.phone), MobileToken(customer.phone, "cs")
    (pending,) = await english.pending()
    assert pending.id == created["operationId"]
    assert (pending.title, pending.message) == ("Payment", "Pay 10.5 EUR")
    assert pending.content["formData"]["attributes"][0]["valueFormatted"] == "€10.50"
    assert (await czech.detail(pending.id)).message == "Zaplatit 10.5 EUR"
    await english.approve(pending, PIN)
    assert await customer.status_of(pending.id) == "APPROVED"
    assert await english.pending() == []
    assert [item.status for item in await english.history(PIN)] == ["APPROVED"]


async def test_an_operation_is_rejected_and_cannot_be_approved_afterwards(customer: Customer) -> None:
    await customer.activate()
    created = await customer.operation()
    operations = MobileToken(customer.phone)
    operation = await operations.detail(str(created["operationId"]))
    await operations.reject(operation, "UNEXPECTED_OPERATION")
    seen = await customer.bank.operation(operation.id)
    assert (seen["status"], seen["additionalData"]["rejectReason"]) == ("REJECTED", "UNEXPECTED_OPERATION")
    with pytest.raises(ServerRefused) as refused:
        await operations.approve(operation, PIN)
    assert (refused.value.http_status, refused.value.code) == (400, "OPERATION_ALREADY_FINISHED")


async def _short_lived(customer: Customer) -> Operation:
    """An operation that a phone reads before it expires, as soon as this machine is fast enough for that."""
    for milliseconds in (1_000, 10_000, 100_000):
        with contextlib.suppress(BankRefused):
            created = await customer.operation(timestampExpires=int(time.time() * 1000) + milliseconds)
            operation = await MobileToken(customer.phone).detail(str(created["operationId"]))
            if operation.status == "PENDING":
                return operation
    raise AssertionError("no operation could be read before it expired")


async def test_an_expired_operation_is_shown_as_such_and_refused(customer: Customer) -> None:
    await customer.activate()
    operation = await _short_lived(customer)
    while await customer.status_of(operation.id) == "PENDING":  # noqa: ASYNC110 - another process's clock
        await asyncio.sleep(0.05)
    operations = MobileToken(customer.phone)
    with pytest.raises(ServerRefused) as refused:
        await operations.approve(operation, PIN)
    assert refused.value.code == "OPERATION_EXPIRED"
    assert await customer.status_of(operation.id) == "EXPIRED"


async def test_a_wrong_pin_counts_on_the_operation_and_on_the_activation(customer: Customer) -> None:
    await customer.activate()
    created = await customer.operation()
    operations = MobileToken(customer.phone)
    operation = await operations.detail(str(created["operationId"]))
    for _ in range(2):
        with pytest.raises(ServerRefused) as refused:
            await operations.approve(operation, WRONG)
        assert (refused.value.http_status, refused.value.code) == (401, "POWERAUTH_AUTH_FAIL")
    with pytest.raises(ServerRefused) as refused:
        await operations.approve(operation, WRONG)
    assert refused.value.code == "OPERATION_ALREADY_FAILED"
    assert await customer.status_of(operation.id) == "FAILED"
    assert (await customer.phone.status()).failed_attempts == 3


async def test_an_operation_without_a_user_is_claimed_first(customer: Customer) -> None:
    await customer.activate()
    parameters = {"amount": "1", "currency": "EUR", "account": "1/0300"}
    created = await customer.bank.call(
        "POST", "/v2/operations", {"template": "e2e-payment", "silent": True, "parameters": parameters}
    )
    operations = MobileToken(customer.phone)
    assert await operations.pending() == []
    operation = await operations.claim(created["operationId"])
    await operations.approve(operation, PIN)
    seen = await customer.bank.operation(operation.id)
    assert (seen["status"], seen["userId"]) == ("APPROVED", customer.user_id)


async def test_guessing_the_pin_blocks_and_the_bank_unblocks(customer: Customer) -> None:
    result = await customer.activate()
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(ServerRefused):
            await customer.phone.validate_signature(pin=WRONG)
        assert (await customer.phone.status()).remaining_attempts == left
    with pytest.raises(ServerRefused):
        await customer.phone.validate_signature(pin=PIN)
    seen = await customer.bank.registration(result.activation_id)
    assert (seen["registrationStatus"], seen["blockedReason"]) == ("BLOCKED", "MAX_FAILED_ATTEMPTS")
    await customer.bank.call("PUT", f"/v2/registrations/{result.activation_id}", {"change": "UNBLOCK"})
    await customer.phone.validate_signature(pin=PIN)


async def test_an_operation_is_approved_without_a_network(customer: Customer) -> None:
    result = await customer.activate()
    created = await customer.operation()
    path = f"/v2/operations/{created['operationId']}/offline"
    payload = await customer.bank.call("GET", f"{path}/qr", registrationId=result.activation_id)
    digits = await MobileToken(customer.phone).approve_offline(payload["operationQrCodeData"], PIN)

    async def verify(otp: str) -> Any:
        content = {"otp": otp, "nonce": payload["nonce"], "registrationId": result.activation_id}
        return await customer.bank.call("POST", f"{path}/otp", content)

    wrong = digits.translate(str.maketrans("0123456789", "1234567890"))
    refused = await verify(wrong)
    assert (refused["otpValid"], refused["remainingAttempts"]) == (False, 4)
    accepted = await verify(digits)
    assert (accepted["otpValid"], accepted["signatureType"]) == (True, "POSSESSION_KNOWLEDGE")
    assert await customer.status_of(created["operationId"]) == "APPROVED"


async def test_the_vault_signs_statements_and_adds_biometry(customer: Customer) -> None:
    result = await customer.activate()
    statement = b"I agree."
    signature = await vault.sign_statement(customer.phone, statement, PIN)

    async def verify(data: bytes) -> bool:
        content = {
            "registrationId": result.activation_id,
            "data": b64encode(data).decode(),
            "signature": b64encode(signature).decode(),
        }
        answer = await customer.bank.call("POST", "/v2/signature/ecdsa/verify", content)
        return bool(answer["signatureValid"])

    assert await verify(statement)
    assert not await verify(statement + b"!")
    with pytest.raises(ServerRefused):
        await vault.unlock(customer.phone, reason=vault.ADD_BIOMETRY, pin=WRONG)
    await vault.add_biometry(customer.phone, PIN)
    await customer.phone.validate_signature(signature_type=SignatureType.POSSESSION_BIOMETRY)
    created = await customer.operation()
    operations = MobileToken(customer.phone)
    operation = await operations.detail(str(created["operationId"]))
    await operations.approve(operation, None, signature_type=SignatureType.POSSESSION_BIOMETRY)
    assert await customer.status_of(operation.id) == "APPROVED"
    first = await vault.encryption_key(customer.phone, 7, PIN)
    assert first == await vault.encryption_key(customer.phone, 7, PIN)
    assert first != await vault.encryption_key(customer.phone, 8, PIN)


async def test_a_removed_token_opens_nothing(customer: Customer) -> None:
    await customer.activate()
    token = await customer.phone.token()
    await customer.phone.remove_token()
    customer.phone.state.tokens["possession_universal"] = token
    with pytest.raises(ServerRefused) as refused:
        await MobileToken(customer.phone).pending()
    assert refused.value.http_status == 401


async def test_a_phone_that_lost_an_answer_catches_up(customer: Customer) -> None:
    await customer.activate()
    for _ in range(3):
        await customer.phone.signed_header(method="POST", uri_id="/lost", body=b"", pin=PIN)
    await customer.phone.validate_signature(pin=PIN)
    assert (await customer.phone.status()).failed_attempts == 0


async def test_a_removed_phone_is_removed_on_both_sides(customer: Customer) -> None:
    result = await customer.activate()
    await customer.phone.remove(PIN)
    assert not customer.phone.activated
    assert (await customer.bank.registration(result.activation_id))["registrationStatus"] == "REMOVED"


async def test_another_banks_user_sees_nothing(customer: Customer) -> None:
    result = await customer.activate()
    created = await customer.operation()
    name = f"stranger-{customer.user_id}"
    stranger = await customer.admin.call("POST", "/admin/users", {"username": name})
    bank = customer.deployment.bank((stranger["username"], stranger["password"]))
    for path in (f"/v2/registrations/{result.activation_id}", f"/v2/operations/{created['operationId']}"):
        with pytest.raises(RuntimeError, match="NOT_FOUND"):
            await bank.call("GET", path)
    await bank.close()
