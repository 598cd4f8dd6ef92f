"""Activation codes, recovery, fingerprint, status blob (spec/protocol-v3.md §3, §9)."""

from __future__ import annotations

from typing import Any

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import DecryptionError
from powerauth_protocol.conformance.values import (
    Check,
    Input,
    Output,
    data,
    optional_data,
    require,
)
from powerauth_protocol.v3 import activation_code, recovery, status_blob
from powerauth_protocol.v3.fingerprint import activation_fingerprint, device_fingerprint
from powerauth_protocol.v3.keys import TransportKey, ecdh, import_private_key, import_public_key


def _crc16(values: Input) -> Output:
    return {"crc16": activation_code.crc16_arc(data(values, "data_b64"))}


def _activation_code(values: Input) -> Output:
    random = data(values, "random_bytes_b64")
    code = activation_code.generate(random)
    require(activation_code.validate(code), "a generated code is valid")
    return {"crc16": activation_code.crc16_arc(random), "activation_code": code}


def _validation(values: Input) -> Output:
    return {"valid": activation_code.has_valid_checksum(values["activation_code"])}


def _code_signature(values: Input) -> Output:
    code, public = values["activation_code"], import_public_key(data(values, "master_public_key_b64"))
    if values.get("master_private_key_b64") is not None:
        private = import_private_key(data(values, "master_private_key_b64"))
        if private.public_key() == public:
            own = activation_code.sign(code, private)
            require(activation_code.verify_signature(code, own, public), "an own signature verifies")
    return {"valid": activation_code.verify_signature(code, data(values, "signature_b64"), public)}


def _fingerprint(values: Input) -> Output:
    device = import_public_key(data(values, "device_public_key_b64"))
    if values["activation_version"] == 2:
        return {"fingerprint": device_fingerprint(device)}
    server = import_public_key(data(values, "server_public_key_b64"))
    return {"fingerprint": activation_fingerprint(device, server, values["activation_id"])}


def _recovery_code(values: Input) -> Output:
    secret = data(values, "secret_key_b64")
    if values["private_key_b64"] is not None:
        private = import_private_key(data(values, "private_key_b64"))
        shared = ecdh(private, import_public_key(data(values, "public_key_b64")))
        require(shared == secret, "the secret is the unfolded ECDH result")
    by_number = values["puk_derivation_indexes"]
    numbers = sorted(by_number, key=int)
    derived = recovery.derive(secret, data(values, "nonce_b64"), [by_number[number] for number in numbers])
    return {"recovery_code": derived.code, "puks": dict(zip(numbers, derived.puks, strict=True))}


def _status_encrypt(values: Input) -> Output:
    key = TransportKey(data(values, "transport_key_b64"))
    challenge, nonce = optional_data(values, "challenge_b64"), optional_data(values, "nonce_b64")
    blob = status_blob.StatusBlob(
        activation_status=values["activation_status"],
        current_version=values["current_version"],
        upgrade_version=values["upgrade_version"],
        reserved=data(values, "reserved_b64"),
        ctr_byte=values["ctr_byte"],
        failed_attempts=values["failed_attempts"],
        max_failed_attempts=values["max_failed_attempts"],
        ctr_look_ahead=values["ctr_look_ahead"],
        ctr_data_hash=data(values, "ctr_data_hash_b64"),
    )
    encrypted = blob.encrypt(key, challenge, nonce)
    require(status_blob.decrypt_fields(key, encrypted, challenge, nonce) == blob, "the client reads it back")
    return {
        "iv_b64": b64encode(status_blob.status_iv(key, challenge, nonce)),
        "plain_blob_b64": b64encode(blob.encode()),
        "encrypted_blob_b64": b64encode(encrypted),
    }


def _status_decrypt(values: Input) -> Output:
    try:
        blob = status_blob.decrypt_fields(
            TransportKey(data(values, "transport_key_b64")),
            data(values, "encrypted_blob_b64"),
            optional_data(values, "challenge_b64"),
            optional_data(values, "nonce_b64"),
        )
    except DecryptionError:
        return {"valid": False}
    found: dict[str, Any] = {
        name: getattr(blob, name)
        for name in (
            "activation_status",
            "current_version",
            "upgrade_version",
            "ctr_byte",
            "failed_attempts",
            "max_failed_attempts",
            "ctr_look_ahead",
        )
    }
    return {"valid": True, "ctr_data_hash_b64": b64encode(blob.ctr_data_hash), **found}


CHECKS: dict[str, Check] = {
    "crc16": _crc16,
    "activation_code": _activation_code,
    "activation_code_validation": _validation,
    "activation_code_signature": _code_signature,
    "activation_fingerprint": _fingerprint,
    "recovery_code": _recovery_code,
    "status_blob_encrypt": _status_encrypt,
    "status_blob_decrypt": _status_decrypt,
}
