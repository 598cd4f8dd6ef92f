"""A database as a running original left it: every kind of row, in the original's own formats.

Test folders find this module on the path, where the conftest above them puts it.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from datetime import datetime, timedelta
from pathlib import Path
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

USUAL: dict[str, Row] = json.loads(Path(__file__).with_name("original_rows.json").read_text("utf-8"))
"""Columns of each table that the original writes alike; ``{"hours": -1}`` is a moment."""

MASTER_KEY = b"1234567890123456"
# Computed by the reference (vectors password_hash_argon2).
PUK = "9030688969"
PUK_HASH = "$argon2i$v=19$m=32768,t=3,p=16$jLJCXVGQ7Rhj2RH+x+PMAA$sHKJRtCXS6VsOzuJmIZ8zf5nf//k7nbnGOReKL6P3BI"
OTP = "8498297753"
OTP_HASH = "$argon2i$v=19$m=32768,t=3,p=16$IPs59XAeRMOyvtKxAh80zA$pVbwHa0lHKUfbU00cIzMEsusNWu2hEBQf3HSxyMpf9Y"
AUTHENTICATION = USUAL.pop("authentication of a callback")
CALLBACK_PASSWORD = AUTHENTICATION["httpBasic"]["password"]
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
        usual = {
            name: self.now + timedelta(**value) if isinstance(value, dict) else value
            for name, value in USUAL.get(table, {}).items()
        }
        self.tables.setdefault(table, []).append(usual | row)

    def _applications(self) -> None:
        self._add("pa_application", id=BANK, name="bank", roles=jackson(["ROLE_USER", "ROLE_VIP"]))
        self._add("pa_application", id=OTHER, name="other", roles=None)
        for rid, application, key, secret, name in (
            (1, BANK, self.app_key, self.app_secret, "default"),
            (2, BANK, b64(os.urandom(16)), b64(os.urandom(16)), "old"),
            (3, OTHER, b64(os.urandom(16)), b64(os.urandom(16)), "default"),
        ):
            self._add(
                "pa_application_version",
                id=rid,
                application_id=application,
                application_key=key,
                application_secret=secret,
                name=name,
                supported=name != "old",
            )
        for rid, application, name, age in (
            (1, BANK, "bank", 900),
            (2, BANK, "bank", 30),
            (3, OTHER, "other", 900),
        ):
            pair = self.master[rid]
            self._add(
                "pa_master_keypair",
                id=rid,
                application_id=application,
                master_key_private_base64=b64(signed_form(pair)),
                master_key_public_base64=b64(export_public_key(pair.public)),
                name=f"{name} Default Keypair",
                timestamp_created=self.now - timedelta(days=age),
            )
        providers = jackson([{"providerId": "idp", "clientSecret": "tajemství"}]).encode()
        values = {"config_values": seal(MASTER_KEY, providers, "bank"), "encryption_mode": "AES_HMAC"}
        self._add("pa_application_config", id=1, application_id=BANK, config_key="oauth2_providers", **values)
        self._add("pa_application_config", id=2, application_id=OTHER, config_key="fido2_aaguids_allowed")

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
        if device:
            more = {
                "activation_name": "Telefon",
                "counter": 300,
                "ctr_data": b64(phone.ctr_data),
                "device_public_key_base64": b64(export_public_key(phone.pair.public)),
                "extras": "extra",
                "platform": "ios",
                "device_info": "iPhone13,2",
            } | more
        if status in (1, 2):
            more["timestamp_activation_expire"] = self.now + HOUR
        key = seal(MASTER_KEY, plain, user_id, activation_id) if sealed else b64(plain)
        self._add(
            "pa_activation",
            activation_id=activation_id,
            application_id=BANK,
            user_id=user_id,
            activation_code=self.codes[name],
            activation_status=status,
            server_private_key_base64=key,
            server_private_key_encryption=int(sealed),
            server_public_key_base64=b64(export_public_key(server.public)),
            **more,
        )

    def _history_and_audit(self) -> None:
        for number, (name, device) in enumerate(self.devices.items(), start=1):
            self._add("pa_activation_history", id=number, activation_id=device.activation_id)
            self._audit("activation", "Created activation record", name)
        self._add(
            "pa_activation_history",
            id=50,
            activation_id=self.devices["blocked"].activation_id,
            activation_status=4,
            event_reason="MAX_FAILED_ATTEMPTS",
            external_user_id="operator-1",
            timestamp_created=self.now - HOUR,
            activation_version=3,
            activation_name="Telefon",
        )
        reason = {"additional_info": jackson([{"key": "BLOCKED_REASON", "value": "MAX_FAILED_ATTEMPTS"}])}
        for number, name in enumerate(("sealed", "clear", "blocked"), start=31):
            signed = f"POST&L3BhL3Rlc3Q=&{b64(os.urandom(16))}&e30=&{self.app_secret}"
            valid = name == "sealed"
            self._add(
                "pa_signature_audit",
                id=number,
                activation_id=self.devices[name].activation_id,
                activation_ctr_data=b64(os.urandom(16)),
                data_base64=b64(signed.encode()),
                note="signature_ok" if valid else "signature_does_not_match",
                signature=b64(os.urandom(32)),
                valid=valid,
                **(reason if name == "blocked" else {}),
            )
            self._audit("signature", "Signature validated", name)

    def _audit(self, kind: str, message: str, name: str) -> None:
        audit_id, activation_id = str(uuid.uuid4()), self.devices[name].activation_id
        param = jackson(
            {"activationId": activation_id, "userId": f"uživatel-{name}", "applicationId": "bank"}
        )
        self._add("audit_log", audit_log_id=audit_id, audit_type=kind, message=message, param=param)
        self._add("audit_param", audit_log_id=audit_id, param_value=activation_id)

    def _tokens_and_keys(self) -> None:
        for token_id, secret, name, kind in (
            (self.token_id, self.token_secret, "sealed", "POSSESSION_KNOWLEDGE"),
            (str(uuid.uuid4()), os.urandom(16), "blocked", "POSSESSION"),
        ):
            self._add(
                "pa_token",
                token_id=token_id,
                token_secret=b64(secret),
                activation_id=self.devices[name].activation_id,
                signature_type=kind,
            )
        for activation_id in (None, self.devices["sealed"].activation_id):
            pair, key_id = generate_key_pair(), str(uuid.uuid4())
            parts = (key_id, self.app_key, *([activation_id] if activation_id else []))
            self._add(
                "pa_temporary_key",
                id=key_id,
                application_key=self.app_key,
                activation_id=activation_id,
                private_key_base64=seal(MASTER_KEY, signed_form(pair), *parts),
                public_key_base64=b64(export_public_key(pair.public)),
            )
        remembered = compress_public_key(generate_key_pair().public) + os.urandom(16)
        self._add("pa_unique_value", unique_value=b64(remembered))

    def _callers_and_callbacks(self) -> None:
        caller = {"client_token": self.client_token, "client_secret": self.client_secret}
        self._add("pa_integration", id=str(uuid.uuid4()), **caller)
        self._add(
            "pa_application_callback",
            id=self.callback_id,
            application_id=BANK,
            name="activation_status_change",
            type="ACTIVATION_STATUS_CHANGE",
            attributes=jackson(["userId", "activationStatus"]),
            authentication=seal(MASTER_KEY, jackson(AUTHENTICATION).encode(), "bank"),
            encryption_mode="AES_HMAC",
            max_attempts=3,
            initial_backoff="PT2S",
            retention_period="PT720H",
            enabled=True,
        )
        operations = {"name": "operation_status_change", "type": "OPERATION_STATUS_CHANGE"}
        self._add("pa_application_callback", id=str(uuid.uuid4()), application_id=BANK, **operations)
        waits = {
            "COMPLETED": "delete_after",
            "PENDING": "next_call",
            "FAILED": "delete_after",
            "PROCESSING": "rerun_after",
        }
        for number, (status, column) in enumerate(waits.items(), start=51):
            self._add(
                "pa_application_callback_event",
                id=number,
                application_callback_id=self.callback_id,
                callback_data=jackson({"type": "ACTIVATION", "activationId": str(uuid.uuid4())}),
                status=status,
                idempotency_key=str(uuid.uuid4()),
                **{f"timestamp_{column}": self.now + HOUR},
            )

    def _operations(self) -> None:
        self._add("pa_operation_template")
        special: dict[int, Row] = {
            2: {"user_id": None},
            4: {"totp_seed": b64(os.urandom(16))},
            5: {"status_reason": "FRAUD"},
        }
        for status in range(1, 7):
            self.operations[status] = str(uuid.uuid4())
            self._add(
                "pa_operation",
                id=self.operations[status],
                external_id=f"external-{status}",
                status=status,
                timestamp_created=self.now - timedelta(minutes=status),
                **({"timestamp_finalized": self.now} if status in (4, 5, 6) else {}),
                **special.get(status, {}),
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
                activation_id=activation_id,
                status=status,
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
            )
        postcard = key_pair(33)
        self._add(
            "pa_recovery_config",
            application_id=BANK,
            postcard_private_key_base64=seal(MASTER_KEY, signed_form(postcard), BANK),
            postcard_public_key_base64=b64(export_public_key(postcard.public)),
            remote_public_key_base64=b64(export_public_key(generate_key_pair().public)),
        )

    def _others(self) -> None:
        self._add("pa_fido2_authenticator")
        self._add("shedlock")
