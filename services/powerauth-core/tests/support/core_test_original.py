"""A database as a running original left it: every kind of row, in the original's own formats.

Test folders find this module on the path, where the conftest above them puts it.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from datetime import datetime, timedelta
from typing import Any

from core_test_sealing import seal
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.keys import (
    KeyPair,
    compress_public_key,
    derive_factor_keys,
    export_public_key,
    generate_key_pair,
    master_secret,
)
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.config import App
from powerauth_sdk.phone import Phone
from servicekit import clock

Row = dict[str, Any]

MASTER_KEY = b"1234567890123456"
# Computed by the reference (vectors password_hash_argon2).
PUK = "9030688969"
PUK_HASH = "$argon2i$v=19$m=32768,t=3,p=16$jLJCXVGQ7Rhj2RH+x+PMAA$sHKJRtCXS6VsOzuJmIZ8zf5nf//k7nbnGOReKL6P3BI"
OTP = "8498297753"
OTP_HASH = "$argon2i$v=19$m=32768,t=3,p=16$IPs59XAeRMOyvtKxAh80zA$pVbwHa0lHKUfbU00cIzMEsusNWu2hEBQf3HSxyMpf9Y"
CALLBACK_PASSWORD = "callback-pa\u010dssword"
BANK, OTHER = 1, 2
HOUR = timedelta(hours=1)
SEQUENCES = {
    "pa_application_seq": 2,
    "pa_application_version_seq": 3,
    "pa_master_keypair_seq": 3,
    "pa_signature_audit_seq": 40,
    "pa_activation_history_seq": 60,
    "pa_recovery_code_seq": 20,
    "pa_recovery_puk_seq": 20,
    "pa_recovery_config_seq": 1,
    "pa_operation_template_seq": 20,
    "pa_app_conf_seq": 20,
    "pa_app_callback_event_seq": 101,
}


def jackson(value: Any) -> str:
    """JSON as the original's mapper writes it: compact, nulls written, nothing escaped beyond need."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def signed_form(pair: KeyPair) -> bytes:
    """A private key as the original's converter writes it: a minimal signed big integer."""
    value = pair.private.private_numbers().private_value
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def key_pair(length: int) -> KeyPair:
    """A key pair whose private key has that many bytes in the signed form: 32, or 33 with a leading zero."""
    while len(signed_form(pair := generate_key_pair())) != length:
        pass
    return pair


class Original:
    """The rows by table, in the order that foreign keys need, and what the phones and callers know."""

    def __init__(self) -> None:
        self.now: datetime = clock.now().replace(microsecond=123000)
        self.tables: dict[str, list[Row]] = {}
        self.master = {1: key_pair(32), 2: key_pair(33), 3: key_pair(32)}
        self.app_key, self.app_secret = b64(os.urandom(16)), b64(os.urandom(16))
        self.devices: dict[str, Phone] = {}
        self.codes: dict[str, str] = {}
        self.recovery_code = activation_code.generate()
        self.postcard_code = activation_code.generate()
        self.token_id, self.token_secret = str(uuid.uuid4()), os.urandom(16)
        self.client_token, self.client_secret = str(uuid.uuid4()), str(uuid.uuid4())
        self.callback_id = str(uuid.uuid4())
        self.operations: dict[int, str] = {}
        self._applications()
        self._activations()
        self._history_and_audit()
        self._tokens_and_keys()
        self._callers_and_callbacks()
        self._operations()
        self._recovery()
        self._others()

    async def write(self, connection: AsyncConnection) -> None:
        """Write every row, and leave the sequences where the original's blocks left them."""
        for table, rows in self.tables.items():
            for row in rows:
                names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
                await connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
        for sequence, value in SEQUENCES.items():
            await connection.execute(text(f"SELECT setval('{sequence}', {value})"))

    async def write_additional_data(self, connection: AsyncConnection) -> None:
        """What release 1.10 stores beside an activation."""
        await connection.execute(
            text("UPDATE pa_activation SET additional_data = :data WHERE activation_id = :id"),
            {"data": jackson({"jti": "žeton"}), "id": self.devices["sealed"].activation_id},
        )

    def _add(self, table: str, **row: Any) -> None:
        self.tables.setdefault(table, []).append(row)

    def _applications(self) -> None:
        self._add("pa_application", id=BANK, name="bank", roles=jackson(["ROLE_USER", "ROLE_VIP"]))
        self._add("pa_application", id=OTHER, name="other", roles=None)
        versions = (
            (1, BANK, self.app_key, self.app_secret, "default", True),
            (2, BANK, b64(os.urandom(16)), b64(os.urandom(16)), "old", False),
            (3, OTHER, b64(os.urandom(16)), b64(os.urandom(16)), "default", True),
        )
        for rid, application, key, secret, name, supported in versions:
            self._add(
                "pa_application_version",
                id=rid,
                application_id=application,
                application_key=key,
                application_secret=secret,
                name=name,
                supported=supported,
            )
        for rid, application, age in ((1, BANK, 900), (2, BANK, 30), (3, OTHER, 900)):
            pair = self.master[rid]
            self._add(
                "pa_master_keypair",
                id=rid,
                application_id=application,
                master_key_private_base64=b64(signed_form(pair)),
                master_key_public_base64=b64(export_public_key(pair.public)),
                name=f"{'bank' if application == BANK else 'other'} Default Keypair",
                timestamp_created=self.now - timedelta(days=age),
            )
        self._add(
            "pa_application_config",
            id=1,
            application_id=BANK,
            config_key="oauth2_providers",
            config_values=seal(
                MASTER_KEY, jackson([{"providerId": "idp", "clientSecret": "tajemství"}]).encode(), "bank"
            ),
            encryption_mode="AES_HMAC",
        )
        self._add(
            "pa_application_config",
            id=2,
            application_id=OTHER,
            config_key="fido2_aaguids_allowed",
            config_values="[]",
            encryption_mode="NO_ENCRYPTION",
        )

    def _activations(self) -> None:
        self._activation("created", 1, device=False, version=None, activation_otp=OTP_HASH, commit_phase=1)
        self._activation("pending", 2, sealed=False)
        self._activation("sealed", 3, key_length=33, flags=jackson(["VIP", "VERIFICATION_PENDING"]))
        self._activation("clear", 3, sealed=False, key_length=33, max_failed_attempts=7, failed_attempts=2)
        self._activation("blocked", 4, blocked_reason="MAX_FAILED_ATTEMPTS", failed_attempts=5)
        self._activation("removed", 5, blocked_reason="FRAUD", platform=None, device_info=None)
        self._activation("legacy", 3, version=2, ctr_data=None, counter=17, protocol="powerauth")
        self._activation("passkey", 3, protocol="fido2", external_id="ZXh0ZXJuYWw=", extras=jackson({"a": 1}))

    def _activation(
        self,
        name: str,
        status: int,
        *,
        sealed: bool = True,
        device: bool = True,
        key_length: int = 32,
        version: int | None = 3,
        **more: Any,
    ) -> None:
        server, activation_id, user_id = key_pair(key_length), str(uuid.uuid4()), f"uživatel-{name}"
        phone = Phone(
            App(self.app_key, self.app_secret, self.master[2].public, "bank"),
            ProtocolVersion.V3_3,
            generate_key_pair(),
        )
        phone.activation_id, phone.server_public_key = activation_id, server.public
        phone.keys = derive_factor_keys(master_secret(phone.pair.private, server.public))
        phone.ctr_data, phone.counter = os.urandom(16), 300
        self.devices[name], self.codes[name] = phone, activation_code.generate()
        plain = signed_form(server)
        pending = status in (1, 2)
        row: Row = {
            "activation_id": activation_id,
            "application_id": BANK,
            "user_id": user_id,
            "activation_name": "Telefon" if device else None,
            "activation_code": self.codes[name],
            "activation_status": status,
            "activation_otp": None,
            "activation_otp_validation": 0,
            "blocked_reason": None,
            "counter": 300 if device else 0,
            "ctr_data": b64(phone.ctr_data) if device else None,
            "device_public_key_base64": b64(export_public_key(phone.pair.public)) if device else None,
            "extras": "extra" if device else None,
            "platform": "ios" if device else None,
            "device_info": "iPhone13,2" if device else None,
            "flags": jackson([]),
            "failed_attempts": 0,
            "max_failed_attempts": 5,
            "server_private_key_base64": seal(MASTER_KEY, plain, user_id, activation_id)
            if sealed
            else b64(plain),
            "server_private_key_encryption": int(sealed),
            "server_public_key_base64": b64(export_public_key(server.public)),
            "timestamp_activation_expire": self.now + (HOUR if pending else -HOUR),
            "timestamp_created": self.now - timedelta(days=2),
            "timestamp_last_used": self.now - HOUR,
            "timestamp_last_change": self.now - HOUR,
            "master_keypair_id": 2,
            "version": version,
            "external_id": None,
            "protocol": "powerauth",
            "commit_phase": 0,
        }
        self._add("pa_activation", **(row | more))

    def _history_and_audit(self) -> None:
        for number, (name, device) in enumerate(self.devices.items(), start=1):
            self._add(
                "pa_activation_history",
                id=number,
                activation_id=device.activation_id,
                activation_status=1,
                event_reason=None,
                external_user_id=None,
                timestamp_created=self.now - timedelta(days=2),
                activation_version=None,
                activation_name=None,
            )
            self._audit("activation", "Created activation record", device, name)
        blocked = self.devices["blocked"]
        self._add(
            "pa_activation_history",
            id=50,
            activation_id=blocked.activation_id,
            activation_status=4,
            event_reason="MAX_FAILED_ATTEMPTS",
            external_user_id="operator-1",
            timestamp_created=self.now - HOUR,
            activation_version=3,
            activation_name="Telefon",
        )
        for number, (name, valid) in enumerate(
            (("sealed", True), ("clear", False), ("blocked", False)), start=31
        ):
            device = self.devices[name]
            signed = f"POST&L3BhL3Rlc3Q=&{b64(os.urandom(16))}&e30=&{self.app_secret}"
            self._add(
                "pa_signature_audit",
                id=number,
                activation_id=device.activation_id,
                activation_counter=299,
                activation_ctr_data=b64(os.urandom(16)),
                activation_status=3,
                additional_info=jackson([{"key": "BLOCKED_REASON", "value": "MAX_FAILED_ATTEMPTS"}])
                if name == "blocked"
                else "[]",
                data_base64=b64(signed.encode()),
                note="signature_ok" if valid else "signature_does_not_match",
                signature_type="POSSESSION_KNOWLEDGE",
                signature=b64(os.urandom(32)),
                timestamp_created=self.now - HOUR,
                valid=valid,
                version=3,
                signature_version="3.3",
                signature_data_body="{}",
                signature_metadata=jackson(
                    {"type": "POWERAUTH", "signatureDataMethod": "POST", "signatureDataUriId": "/pa/test"}
                ),
            )
            self._audit("signature", "Signature validated", device, name)

    def _audit(self, kind: str, message: str, device: Phone, name: str) -> None:
        audit_id = str(uuid.uuid4())
        params = {"activationId": device.activation_id, "userId": f"uživatel-{name}", "applicationId": "bank"}
        self._add(
            "audit_log",
            audit_log_id=audit_id,
            application_name="powerauth-server",
            audit_level="INFO",
            audit_type=kind,
            timestamp_created=self.now - HOUR,
            message=message,
            exception_message=None,
            stack_trace=None,
            param=jackson(params),
            calling_class="io.getlime.security.powerauth.app.server.service.AuditingService",
            thread_name="http-nio-8080-exec-1",
            version="1.9.0",
            build_time=self.now - timedelta(days=30),
        )
        self._add(
            "audit_param",
            audit_log_id=audit_id,
            timestamp_created=self.now - HOUR,
            param_key="activationId",
            param_value=device.activation_id,
        )

    def _tokens_and_keys(self) -> None:
        tokens = (
            (self.token_id, self.token_secret, "sealed", "POSSESSION_KNOWLEDGE"),
            (str(uuid.uuid4()), os.urandom(16), "blocked", "POSSESSION"),
        )
        for token_id, secret, name, kind in tokens:
            self._add(
                "pa_token",
                token_id=token_id,
                token_secret=b64(secret),
                activation_id=self.devices[name].activation_id,
                signature_type=kind,
                timestamp_created=self.now - HOUR,
            )
        for activation_id in (None, self.devices["sealed"].activation_id):
            pair, key_id = generate_key_pair(), str(uuid.uuid4())
            parts = (key_id, self.app_key, *([activation_id] if activation_id else []))
            self._add(
                "pa_temporary_key",
                id=key_id,
                application_key=self.app_key,
                activation_id=activation_id,
                private_key_encryption=1,
                private_key_base64=seal(MASTER_KEY, signed_form(pair), *parts),
                public_key_base64=b64(export_public_key(pair.public)),
                timestamp_expires=self.now + HOUR,
            )
        self._add(
            "pa_unique_value",
            unique_value=b64(compress_public_key(generate_key_pair().public) + os.urandom(16)),
            type=1,
            timestamp_expires=self.now + HOUR,
        )

    def _callers_and_callbacks(self) -> None:
        self._add(
            "pa_integration",
            id=str(uuid.uuid4()),
            name="webflow",
            client_token=self.client_token,
            client_secret=self.client_secret,
        )
        authentication = {
            "certificate": {
                "enabled": False,
                "useCustomKeyStore": False,
                "keyStoreLocation": None,
                "keyStorePassword": None,
                "keyAlias": None,
                "keyPassword": None,
                "useCustomTrustStore": False,
                "trustStoreLocation": None,
                "trustStorePassword": None,
            },
            "httpBasic": {"enabled": True, "username": "bank", "password": CALLBACK_PASSWORD},
            "oauth2": None,
        }
        callbacks: tuple[tuple[str, str, bool, str | None, str], ...] = (
            (
                self.callback_id,
                "ACTIVATION_STATUS_CHANGE",
                True,
                seal(MASTER_KEY, jackson(authentication).encode(), "bank"),
                "AES_HMAC",
            ),
            (str(uuid.uuid4()), "OPERATION_STATUS_CHANGE", False, None, "NO_ENCRYPTION"),
        )
        for callback_id, kind, enabled, secret, mode in callbacks:
            self._add(
                "pa_application_callback",
                id=callback_id,
                application_id=BANK,
                name=kind.lower(),
                callback_url="http://127.0.0.1:9/callback",
                type=kind,
                attributes=jackson(["userId", "activationStatus"] if enabled else []),
                authentication=secret,
                encryption_mode=mode,
                max_attempts=3 if enabled else None,
                initial_backoff="PT2S" if enabled else None,
                retention_period="PT720H" if enabled else None,
                enabled=enabled,
                timestamp_created=self.now - timedelta(days=3),
                timestamp_last_updated=None,
            )
        for number, status in enumerate(("COMPLETED", "PENDING", "FAILED", "PROCESSING"), start=51):
            self._add(
                "pa_application_callback_event",
                id=number,
                application_callback_id=self.callback_id,
                callback_data=jackson({"type": "ACTIVATION", "activationId": str(uuid.uuid4())}),
                status=status,
                timestamp_created=self.now - HOUR,
                timestamp_last_call=self.now - HOUR,
                timestamp_next_call=self.now + HOUR if status == "PENDING" else None,
                timestamp_delete_after=self.now + HOUR if status in ("COMPLETED", "FAILED") else None,
                timestamp_rerun_after=self.now + HOUR if status == "PROCESSING" else None,
                attempts=1,
                idempotency_key=str(uuid.uuid4()),
            )

    def _operations(self) -> None:
        self._add(
            "pa_operation_template",
            id=1,
            template_name="payment",
            operation_type="authorize_payment",
            data_template="A1*A${amount}",
            signature_type="possession_knowledge,possession_biometry",
            max_failure_count=5,
            expiration=300,
            risk_flags="X",
            proximity_check_enabled=False,
        )
        for status in range(1, 7):
            self.operations[status] = str(uuid.uuid4())
            self._add(
                "pa_operation",
                id=self.operations[status],
                user_id="uživatel-sealed" if status != 2 else None,
                external_id=f"external-{status}",
                activation_flag=None,
                operation_type="authorize_payment",
                template_name="payment",
                data="A1*A100CZK",
                parameters=jackson({"amount": "100", "note": None}),
                additional_data=jackson({"userAgent": "PowerAuthNetworking/1.1.7", "score": 0.5}),
                status=status,
                signature_type="possession_knowledge,possession_biometry",
                failure_count=0,
                max_failure_count=5,
                timestamp_created=self.now - timedelta(minutes=status),
                timestamp_expires=self.now + HOUR,
                timestamp_finalized=self.now if status in (4, 5, 6) else None,
                risk_flags="X",
                totp_seed=b64(os.urandom(16)) if status == 4 else None,
                activation_id=None,
                status_reason="FRAUD" if status == 5 else None,
            )
            self._add("pa_operation_application", application_id=BANK, operation_id=self.operations[status])

    def _recovery(self) -> None:
        owner = self.devices["clear"]
        codes = ((1, self.recovery_code, owner.activation_id, 2), (2, self.postcard_code, None, 1))
        for rid, code, activation_id, status in codes:
            self._add(
                "pa_recovery_code",
                id=rid,
                recovery_code=code,
                application_id=BANK,
                user_id="uživatel-clear",
                activation_id=activation_id,
                status=status,
                failed_attempts=0,
                max_failed_attempts=5,
                timestamp_created=self.now - HOUR,
                timestamp_last_used=None,
                timestamp_last_change=self.now - HOUR,
            )
        sealed = seal(MASTER_KEY, PUK_HASH.encode(), BANK, "uživatel-clear", self.recovery_code, 1)
        for rid, code_rid, index, puk, mode, status in (
            (1, 1, 1, sealed, 1, 1),
            (2, 2, 1, PUK_HASH, 0, 2),
            (3, 2, 2, PUK_HASH, 0, 1),
            (4, 2, 3, PUK_HASH, 0, 3),
        ):
            self._add(
                "pa_recovery_puk",
                id=rid,
                recovery_code_id=code_rid,
                puk=puk,
                puk_encryption=mode,
                puk_index=index,
                status=status,
                timestamp_last_change=None,
            )
        postcard = key_pair(33)
        self._add(
            "pa_recovery_config",
            id=1,
            application_id=BANK,
            activation_recovery_enabled=True,
            recovery_postcard_enabled=True,
            allow_multiple_recovery_codes=True,
            postcard_private_key_base64=seal(MASTER_KEY, signed_form(postcard), BANK),
            postcard_public_key_base64=b64(export_public_key(postcard.public)),
            remote_public_key_base64=b64(export_public_key(generate_key_pair().public)),
            postcard_priv_key_encryption=1,
        )

    def _others(self) -> None:
        self._add(
            "pa_fido2_authenticator",
            aaguid="00000000-0000-0000-0000-000000000001",
            description="Authenticator",
            signature_type="POSSESSION_BIOMETRY",
            transports=jackson(["usb"]),
        )
        self._add(
            "shedlock",
            name="expireOperationsTask",
            lock_until=self.now,
            locked_at=self.now - timedelta(seconds=4),
            locked_by="pod-1",
        )
