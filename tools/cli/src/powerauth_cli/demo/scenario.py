"""The steps of the demo, in the order in which a bank and its customer meet them."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from powerauth_cli.demo.bank import Bank
from powerauth_cli.demo.browser import passkeys
from powerauth_cli.demo.ringing import Ringing
from powerauth_cli.demo.transcript import Transcript, Unexpected, expect
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.groups import ProtocolVersion
from powerauth_sdk import (
    AppConfig,
    Device,
    DeviceProfile,
    MobileToken,
    ServerRefused,
    UntrustedData,
)
from powerauth_sdk.vault import sign_statement

APPLICATION = "demo-bank"
BANK_USER = "demo-bank-backend"
CUSTOMER = "alice"
PIN = "1234"
LOGIN = "/login"

_TWO_FACTORS = ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"]
_TEMPLATES = (
    {
        "templateName": "payment",
        "operationType": "authorize_payment",
        "dataTemplate": "A1*A${amount}${currency}*Q${account}*N${note}",
        "signatureType": _TWO_FACTORS,
        "maxFailureCount": 5,
        "expiration": 300,
    },
    {
        "templateName": "login",
        "operationType": "login",
        "dataTemplate": "A2",
        "signatureType": _TWO_FACTORS,
        "maxFailureCount": 5,
        "expiration": 300,
    },
)
_TEXTS = {
    ("authorize_payment", "en"): {
        "title": "Confirm payment",
        "message": "You pay ${amount} ${currency} to ${account}.",
        "attributes": [
            {
                "id": "operation.amount",
                "type": "AMOUNT",
                "text": "Amount",
                "params": {"amount": "amount", "currency": "currency"},
            },
            {
                "id": "operation.account",
                "type": "KEY_VALUE",
                "text": "To account",
                "params": {"value": "account"},
            },
        ],
    },
    ("authorize_payment", "cs"): {
        "title": "Potvrzení platby",
        "message": "Platíte ${amount} ${currency} na účet ${account}.",
        "attributes": [
            {
                "id": "operation.amount",
                "type": "AMOUNT",
                "text": "Částka",
                "params": {"amount": "amount", "currency": "currency"},
            }
        ],
    },
    ("login", "en"): {"title": "Log in", "message": "Confirm your login to the internet bank."},
}
_PUSH_TEXT = {"title": "Confirm payment", "summary": "${amount} ${currency} to ${account}"}
_PAYMENT = {"amount": "1710.50", "currency": "CZK", "account": "238400856/0300", "note": "Rent"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the demo finds the services."""

    enrollment: str
    cloud: str


class Scenario:
    """One run of the main job.

    :param admin: credentials of the first administrator, (name, password)
    :param ringing: what the phone does where there is a push service
    """

    def __init__(
        self,
        tell: Transcript,
        addresses: Addresses,
        admin: tuple[str, str],
        version: ProtocolVersion,
        ringing: Ringing | None = None,
    ) -> None:
        self._tell = tell
        self._addresses = addresses
        self._admin = admin
        self._version = version
        self._ringing = ringing

    async def run(self) -> None:
        """Run every step.

        :raises Unexpected: a step ended otherwise than it must
        """
        config, credentials = await self._set_up()
        bank = Bank(self._addresses.cloud, *credentials)
        phone = Device(config)
        try:
            registration_id = await self._activate(bank, phone)
            if self._ringing:
                await self._ringing.register(phone)
            await self._log_in(bank, phone)
            await self._payments(bank, phone)
            if self._ringing:
                await self._ringing.write_to(CUSTOMER, bank, phone)
            await self._block_and_unblock(bank, phone, registration_id)
            await self._offline(bank, phone, registration_id)
            await self._vault(bank, phone, registration_id)
            await self._passkeys(phone)
            await self._remove(bank, phone, registration_id)
        finally:
            await bank.close()

    async def _set_up(self) -> tuple[AppConfig, tuple[str, str]]:
        tell = self._tell
        tell.chapter("The operator sets the bank up")
        admin = Bank(self._addresses.cloud, *self._admin)
        application = await admin.call("POST", "/admin/applications", {"id": APPLICATION})
        tell.step(
            "cloud",
            "the operator creates an application",
            application=application["id"],
            application_key=application["appKey"],
        )
        if self._ringing:
            await self._ringing.equip(APPLICATION)
        user = await admin.call("POST", "/admin/users", {"username": BANK_USER})
        await admin.call("POST", f"/admin/users/{BANK_USER}/applications/{APPLICATION}")
        tell.step("cloud", "… and an integration user for the bank's backend", username=user["username"])
        for template in _TEMPLATES:
            await admin.call("POST", "/admin/operations/templates", template)
        for (operation_type, language), text in _TEXTS.items():
            await admin.call("PUT", f"/admin/operations/texts/{operation_type}/{language}", text)
        await admin.call("PUT", "/admin/localizations/payment/en", _PUSH_TEXT)
        tell.step(
            "cloud",
            "… operation templates and their texts for the phone",
            templates=", ".join(str(template["templateName"]) for template in _TEMPLATES),
            languages="en, cs",
        )
        await admin.close()
        config = AppConfig.from_sdk_config(
            self._addresses.enrollment, application["mobileSdkConfig"], self._version
        )
        return config, (user["username"], user["password"])

    async def _activate(self, bank: Bank, phone: Device) -> str:
        tell = self._tell
        tell.chapter("The customer's phone is activated")
        created = await bank.call("POST", "/v2/registrations", {"userId": CUSTOMER, "appId": APPLICATION})
        registration_id: str = created["registrationId"]
        tell.step(
            "cloud",
            "the bank creates a registration and shows its code",
            activation_code=created["activationCode"],
            signature=created["activationCodeSignature"],
        )
        tell.qr_code(created["activationQrCodeData"])
        await self._refuse_forged_code(phone, created)
        result = await phone.activate_with_code(
            created["activationQrCodeData"], PIN, profile=DeviceProfile(name="Alice's phone", platform="ios")
        )
        tell.step(
            "enrollment",
            "the phone checks the code and exchanges keys; enrollment opens only the outer layer",
            activation_id=result.activation_id,
            fingerprint_on_the_phone=result.fingerprint,
        )
        seen = await bank.registration(registration_id)
        expect(seen["registrationStatus"] == "PENDING_COMMIT", "the registration waits for its commit")
        expect(seen["activationFingerprint"] == result.fingerprint, "both sides see one fingerprint")
        tell.step(
            "cloud",
            "the bank sees the same fingerprint",
            fingerprint_at_the_bank=seen["activationFingerprint"],
            status=seen["registrationStatus"],
        )
        await bank.call("POST", f"/v2/registrations/{registration_id}/commit", {"externalUserId": "clerk-7"})
        seen = await bank.registration(registration_id)
        expect(seen["registrationStatus"] == "ACTIVE", "the committed registration is active")
        tell.step("cloud", "the bank commits", status=seen["registrationStatus"])
        await self._show_status(phone)
        return registration_id

    async def _refuse_forged_code(self, phone: Device, created: dict[str, Any]) -> None:
        signature = created["activationCodeSignature"]
        code = created["activationCode"]
        forged = f"{'A' if code[0] != 'A' else 'B'}{code[1:]}#{signature}"
        try:
            await phone.activate_with_code(forged, PIN)
            raise Unexpected("a forged code was accepted by the phone")
        except (UntrustedData, ProtocolError):
            expect(not phone.activated, "nothing is stored for a forged code")
        self._tell.step("phone", "a forged code is refused before anything is sent")

    async def _show_status(self, phone: Device) -> None:
        status = await phone.status()
        expect(status.state == "ACTIVE", "the phone reads that it is active")
        self._tell.step(
            "enrollment",
            "the phone reads and decrypts its status",
            state=status.state,
            failed_attempts=f"{status.failed_attempts} of {status.max_failed_attempts}",
            look_ahead=status.look_ahead,
            counters=status.synchronisation.name if status.synchronisation else "not told in 3.0",
        )

    async def _log_in(self, bank: Bank, phone: Device) -> None:
        tell = self._tell
        tell.chapter("The customer logs in at the bank")
        body = b'{"channel":"internet-bank"}'
        header = (await phone.signed_header(method="POST", uri_id=LOGIN, body=body, pin=PIN)).popitem()[1]
        verified = await bank.verify_signature("POST", LOGIN, header, body)
        expect(verified["signatureValid"], "the login is authentic")
        tell.step(
            "cloud",
            "the phone signs a login, the bank has it verified",
            signature=header.partition('pa_signature="')[2].partition('"')[0],
            user=verified["userId"],
            factors=verified["signatureType"],
        )
        replayed = await bank.verify_signature("POST", LOGIN, header, body)
        expect(not replayed["signatureValid"], "a replay is refused")
        tell.step(
            "cloud",
            "the same request again is refused and counted",
            signature_valid=replayed["signatureValid"],
            remaining_attempts=replayed["remainingAttempts"],
        )
        header = (await phone.signed_header(method="POST", uri_id=LOGIN, body=body, pin=PIN)).popitem()[1]
        tampered = await bank.verify_signature("POST", LOGIN, header, body.replace(b"internet", b"attacker"))
        expect(not tampered["signatureValid"], "a tampered request is refused")
        expect(tampered["remainingAttempts"] == replayed["remainingAttempts"] - 1, "it is counted")
        tell.step(
            "cloud",
            "a request with a changed body is refused and counted",
            signature_valid=tampered["signatureValid"],
            remaining_attempts=tampered["remainingAttempts"],
        )
        verified = await bank.verify_signature("POST", LOGIN, header, body)
        expect(verified["signatureValid"], "the unchanged request is accepted")
        tell.step(
            "cloud",
            "unchanged it is accepted, which resets the count",
            remaining_attempts=verified["remainingAttempts"],
        )

    async def _payments(self, bank: Bank, phone: Device) -> None:
        tell = self._tell
        tell.chapter("The customer decides about payments")
        created = await bank.create_operation(CUSTOMER, "payment", parameters=_PAYMENT, silent=False)
        tell.step(
            "cloud",
            "the bank creates a payment operation",
            operation=created["operationId"],
            data=created.get("data"),
        )
        if self._ringing:
            await self._ringing.hear("the phone rings", "operationInit")
        token = await phone.token()
        tell.step(
            "enrollment",
            "the phone creates a token for reading",
            token=token.token_id,
            factor=token.signature_type,
        )
        operations = MobileToken(phone)
        pending = await operations.pending()
        expect([item.id for item in pending] == [created["operationId"]], "the phone sees the operation")
        amount = pending[0].content["formData"]["attributes"][0]
        czech = await MobileToken(phone, "cs").detail(pending[0].id)
        tell.step(
            "enrollment",
            "the phone lists its operations and shows the form",
            en=f"{pending[0].title}: {pending[0].message} [{amount['label']} {amount['valueFormatted']}]",
            cs=f"{czech.title}: {czech.message}",
        )
        await operations.approve(pending[0], PIN)
        seen = await bank.operation(pending[0].id)
        expect(seen["status"] == "APPROVED", "the bank sees the approval")
        tell.step("enrollment", "the customer approves with the PIN; the bank reads", status=seen["status"])
        if self._ringing:
            await self._ringing.hear("the phone hears that the payment is finished", "operationFinished")
        await self._reject_one(bank, operations)
        await self._let_one_expire(bank)

    async def _reject_one(self, bank: Bank, operations: MobileToken) -> None:
        created = await bank.create_operation(CUSTOMER, "payment", parameters=_PAYMENT)
        operation = await operations.detail(created["operationId"])
        await operations.reject(operation, "UNEXPECTED_OPERATION")
        seen = await bank.operation(operation.id)
        expect(seen["status"] == "REJECTED", "the bank sees the rejection")
        self._tell.step(
            "enrollment",
            "a second operation is rejected on the phone; the bank reads",
            status=seen["status"],
            reason=seen["additionalData"].get("rejectReason"),
        )

    async def _let_one_expire(self, bank: Bank) -> None:
        expires = int(time.time() * 1000) + 1_000
        created = await bank.create_operation(CUSTOMER, "login", timestampExpires=expires)
        await asyncio.sleep(1.2)
        seen = await bank.operation(created["operationId"])
        expect(seen["status"] == "EXPIRED", "the third operation expires")
        self._tell.step(
            "cloud", "a third one is left alone for a second; the bank reads", status=seen["status"]
        )

    async def _block_and_unblock(self, bank: Bank, phone: Device, registration_id: str) -> None:
        tell = self._tell
        tell.chapter("Somebody guesses the PIN")
        for guess in range(5):
            try:
                await phone.validate_signature(pin=f"000{guess}")
                raise Unexpected("a wrong PIN was accepted")
            except ServerRefused as refused:
                expect(refused.http_status == 401, "a wrong PIN answers 401")
        seen = await bank.registration(registration_id)
        expect(seen["registrationStatus"] == "BLOCKED", "five wrong PINs block")
        tell.step(
            "enrollment",
            "five wrong PINs block the activation",
            status=seen["registrationStatus"],
            reason=seen["blockedReason"],
        )
        await bank.call("PUT", f"/v2/registrations/{registration_id}", {"change": "UNBLOCK"})
        status = await phone.status()
        expect(status.state == "ACTIVE", "the bank unblocks")
        tell.step(
            "cloud",
            "the bank unblocks it; the phone reads",
            state=status.state,
            failed_attempts=status.failed_attempts,
        )

    async def _offline(self, bank: Bank, phone: Device, registration_id: str) -> None:
        tell = self._tell
        tell.chapter("The phone has no network")
        created = await bank.create_operation(CUSTOMER, "payment", parameters=_PAYMENT)
        path = f"/v2/operations/{created['operationId']}/offline"
        payload = await bank.call("GET", f"{path}/qr", registrationId=registration_id)
        tell.step("cloud", "the bank shows the operation as a signed QR code", nonce=payload["nonce"])
        tell.qr_code(payload["operationQrCodeData"])
        digits = await MobileToken(phone).approve_offline(payload["operationQrCodeData"], PIN)
        content = {"otp": digits, "nonce": payload["nonce"], "registrationId": registration_id}
        verified = await bank.call("POST", f"{path}/otp", content)
        expect(verified["otpValid"], "the digits are right")
        seen = await bank.operation(created["operationId"])
        expect(seen["status"] == "APPROVED", "the operation is approved")
        tell.step(
            "cloud",
            "the phone computes the digits by itself, the customer types them",
            digits=digits,
            valid=verified["otpValid"],
            status=seen["status"],
        )

    async def _vault(self, bank: Bank, phone: Device, registration_id: str) -> None:
        tell = self._tell
        tell.chapter("The customer signs a statement")
        statement = b"I agree to the terms of 2026."
        signature = await sign_statement(phone, statement, PIN)
        tell.step("enrollment", "the phone unlocks its vault and signs with the device key")
        content = {
            "registrationId": registration_id,
            "data": b64encode(statement).decode(),
            "signature": b64encode(signature).decode(),
        }
        verified = await bank.call("POST", "/v2/signature/ecdsa/verify", content)
        expect(verified["signatureValid"], "the statement's signature is right")
        tell.step(
            "cloud",
            "the bank has the ECDSA signature verified",
            statement=statement.decode(),
            valid=verified["signatureValid"],
        )

    async def _passkeys(self, phone: Device) -> None:
        admin = Bank(self._addresses.cloud, *self._admin)
        try:
            await passkeys(self._tell, admin, phone, application_id=APPLICATION, user_id=CUSTOMER, pin=PIN)
        finally:
            await admin.close()

    async def _remove(self, bank: Bank, phone: Device, registration_id: str) -> None:
        self._tell.chapter("The customer gets another phone")
        await phone.remove(PIN)
        seen = await bank.registration(registration_id)
        expect(seen["registrationStatus"] == "REMOVED", "the registration is removed")
        self._tell.step(
            "enrollment", "the phone removes itself; the bank reads", status=seen["registrationStatus"]
        )
