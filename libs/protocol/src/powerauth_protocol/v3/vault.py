"""The vault key on its way to the device, and the device's private key under it (spec/protocol-v3.md §11)."""

from __future__ import annotations

from powerauth_protocol.common.aes import decrypt_cbc, encrypt_cbc
from powerauth_protocol.common.errors import DecryptionError, KeyFormatError
from powerauth_protocol.common.kdf import ZERO_IV, kdf
from powerauth_protocol.v3.keys import (
    PrivateKey,
    TransportKey,
    VaultKey,
    export_private_key,
    import_private_key,
)


def wrap_vault_key(transport_key: TransportKey, vault_key: VaultKey) -> bytes:
    """Encrypt the vault key for the device; returns 32 bytes.

    :raises KeyFormatError: a key is not 16 bytes
    """
    if len(vault_key) != 16:
        raise KeyFormatError("expected a 16-byte key")
    return encrypt_cbc(transport_key, ZERO_IV, vault_key)


def unwrap(transport_key: TransportKey, encrypted_vault_key: bytes) -> VaultKey:
    """Decrypt the vault key on the device.

    :raises DecryptionError: wrong key or length
    :raises KeyFormatError: the transport key is not 16 bytes
    """
    vault_key = decrypt_cbc(transport_key, ZERO_IV, encrypted_vault_key)
    if len(vault_key) != 16:
        raise DecryptionError
    return VaultKey(vault_key)


def encrypt_device_private_key(vault_key: VaultKey, private_key: PrivateKey) -> bytes:
    """Encrypt the device's private key for storage on the device."""
    return encrypt_cbc(vault_key, ZERO_IV, export_private_key(private_key))


def decrypt_device_private_key(vault_key: VaultKey, encrypted: bytes) -> PrivateKey:
    """Decrypt the device's private key.

    :raises DecryptionError: wrong vault key, or damaged data
    """
    try:
        return import_private_key(decrypt_cbc(vault_key, ZERO_IV, encrypted))
    except KeyFormatError:
        raise DecryptionError from None


def derive_vault_subkey(vault_key: VaultKey, index: int) -> bytes:
    """Return the 16-byte key an application encrypts its own data with (spec/protocol-v3.md §2).

    :param index: chosen by the application, 64-bit
    """
    return kdf(vault_key, index)
