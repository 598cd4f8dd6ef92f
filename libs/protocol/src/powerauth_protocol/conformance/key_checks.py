"""Keys and derivations (spec/protocol-v3.md §1, §2, §11)."""

from __future__ import annotations

from powerauth_protocol.common import kdf
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.conformance.values import Check, Input, Output, data, optional_data, require
from powerauth_protocol.v3 import keys, vault


def _ecdh(values: Input) -> Output:
    private = keys.import_private_key(data(values, "private_key_b64"))
    public = keys.import_public_key(data(values, "public_key_b64"))
    peer_private = keys.import_private_key(data(values, "peer_private_key_b64"))
    peer_public = keys.import_public_key(data(values, "peer_public_key_b64"))
    shared = keys.ecdh(private, public)
    require(keys.ecdh(peer_private, peer_public) == shared, "both sides derive the same secret")
    return {
        "shared_secret_b64": b64encode(shared),
        "shared_key_b64": b64encode(keys.master_secret(private, public)),
    }


def _kdf(values: Input) -> Output:
    key, index = data(values, "key_b64"), data(values, "index_b64")
    derived = kdf.kdf_bytes(key, index)
    if values["index"] is not None:
        require(kdf.kdf(key, values["index"]) == derived, "the number and its bytes derive the same key")
    return {"key_b64": b64encode(derived)}


def _kdf_internal(values: Input) -> Output:
    return {"key_b64": b64encode(kdf.kdf_internal(data(values, "key_b64"), data(values, "index_b64")))}


def _x963(values: Input) -> Output:
    info = optional_data(values, "shared_info_b64")
    return {"key_b64": b64encode(kdf.x963(data(values, "secret_b64"), info, values["length"]))}


def _fold(values: Input) -> Output:
    return {"data_b64": b64encode(kdf.fold(data(values, "data_b64")))}


def _pbkdf2(values: Input) -> Output:
    key = kdf.pbkdf2(values["password"], data(values, "salt_b64"), values["iterations"])
    return {"key_b64": b64encode(key)}


def _derived_keys(values: Input) -> Output:
    derived = keys.derive_factor_keys(keys.MasterSecret(data(values, "master_secret_b64")))
    found = {
        "possession": derived.possession,
        "knowledge": derived.knowledge,
        "biometry": derived.biometry,
        "transport": derived.transport,
        "vault": derived.vault,
        "transport_iv": keys.transport_iv_key(derived.transport),
        "transport_ctr": keys.transport_ctr_key(derived.transport),
    }
    return {f"{name}_key_b64": b64encode(key) for name, key in found.items()}


def _public_key_import(values: Input) -> Output:
    public = keys.import_public_key(data(values, "encoded_b64"))
    point = keys.export_public_key(public)
    again = keys.export_public_key(keys.import_public_key(keys.compress_public_key(public)))
    require(again == point, "the compressed form is the same point")
    return {
        "x_b64": b64encode(point[1:33]),
        "y_b64": b64encode(point[33:]),
        "uncompressed_b64": b64encode(point),
    }


def _public_key_export(values: Input) -> Output:
    public = keys.public_key_from_coordinates(data(values, "x_b64"), data(values, "y_b64"))
    return {"uncompressed_b64": b64encode(keys.export_public_key(public))}


def _private_key(values: Input) -> Output:
    private = keys.import_private_key(bytes.fromhex(values["scalar_hex"]))
    encoded = keys.export_private_key(private)
    scalar = keys.import_private_key(encoded).private_numbers().private_value
    require(scalar == int(values["scalar_hex"], 16), "the signed form gives the scalar back")
    return {
        "encoded_b64": b64encode(encoded),
        "public_key_b64": b64encode(keys.export_public_key(private.public_key())),
    }


def _vault(values: Input) -> Output:
    server_private = keys.import_private_key(data(values, "server_private_key_b64"))
    device_private = keys.import_private_key(data(values, "device_private_key_b64"))
    device_public = keys.import_public_key(data(values, "device_public_key_b64"))
    server_public = keys.import_public_key(data(values, "server_public_key_b64"))
    server = keys.derive_factor_keys(keys.master_secret(server_private, device_public))
    device = keys.derive_factor_keys(keys.master_secret(device_private, server_public))
    require(server == device, "both sides derive the same keys")
    wrapped = vault.wrap_vault_key(server.transport, server.vault)
    require(vault.unwrap(device.transport, wrapped) == server.vault, "the device unwraps the vault key")
    stored = vault.encrypt_device_private_key(server.vault, device_private)
    restored = vault.decrypt_device_private_key(server.vault, stored)
    require(restored.private_numbers() == device_private.private_numbers(), "the device key comes back")
    return {
        "transport_key_b64": b64encode(server.transport),
        "vault_key_b64": b64encode(server.vault),
        "encrypted_vault_key_b64": b64encode(wrapped),
        "encrypted_device_private_key_b64": b64encode(stored),
    }


CHECKS: dict[str, Check] = {
    "ecdh_shared_key": _ecdh,
    "derive_key_index": _kdf,
    "derive_key_hmac": _kdf_internal,
    "kdf_x963": _x963,
    "convert_32_to_16": _fold,
    "pbkdf2_password_key": _pbkdf2,
    "derived_keys": _derived_keys,
    "public_key_import": _public_key_import,
    "public_key_export": _public_key_export,
    "private_key_encoding": _private_key,
    "vault": _vault,
}
