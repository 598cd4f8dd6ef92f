"""Password hashes, data digest, records at rest (spec/protocol-v3.md §14, spec/core-api.md §24)."""

from __future__ import annotations

from powerauth_protocol.common import record_encryption
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import (
    RecordDecryptionFailed,
    RecordError,
    RecordKeyMissing,
    RecordModeUnknown,
    RecordTooShort,
)
from powerauth_protocol.common.password_hash import verify_password
from powerauth_protocol.common.record_encryption import EncryptionMode, ValueKind
from powerauth_protocol.conformance.values import Check, Input, Output, data, optional_data, require, text_of
from powerauth_protocol.v3.data_digest import data_digest

_ERROR_CODES: dict[type[RecordError], str] = {
    RecordTooShort: "ERR0010",
    RecordKeyMissing: "ERR0020",
    RecordModeUnknown: "ERR0021",
    RecordDecryptionFailed: "ERR0022",
}


def _argon2(values: Input) -> Output:
    return {"valid": verify_password(values["password"], values["argon2_hash"])}


def _data_digest(values: Input) -> Output:
    return {"digest": data_digest(values["items"], data(values, "salt_b64"), values["length"])}


def _master_key(values: Input) -> bytes | None:
    return data(values, "master_db_encryption_key_b64") if values["master_db_encryption_key_b64"] else None


def _encrypt_record(values: Input) -> Output:
    master_key, parts = _master_key(values), values["derivation_input"]
    kind, plaintext = ValueKind(values["value_type"]), data(values, "plaintext_b64")
    mode, stored = record_encryption.encrypt_record(
        master_key, parts, plaintext, kind, iv=optional_data(values, "iv_b64")
    )
    restored = record_encryption.decrypt_record(master_key, mode, parts, stored, kind)
    require(restored == plaintext, "the stored value decrypts")
    derived = record_encryption.derive_record_key(master_key, parts) if master_key else None
    return {"encryption_mode": mode.name, "derived_key_b64": text_of(derived), "stored_value": stored}


def _decrypt_record(values: Input) -> Output:
    try:
        plaintext = record_encryption.decrypt_record(
            _master_key(values),
            EncryptionMode.from_name(values["encryption_mode"]),
            values["derivation_input"],
            values["stored_value"],
            ValueKind(values["value_type"]),
        )
    except RecordError as error:
        return {"error": True, "error_code": _ERROR_CODES[type(error)]}
    return {"plaintext_b64": b64encode(plaintext)}


def _record(values: Input) -> Output:
    return _encrypt_record(values) if values["operation"] == "encrypt" else _decrypt_record(values)


CHECKS: dict[str, Check] = {
    "password_hash_argon2": _argon2,
    "data_digest": _data_digest,
    "server_record_encryption": _record,
}
