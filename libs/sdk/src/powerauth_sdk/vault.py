"""The secure vault on the device: device signatures, biometry, recovery data (spec/protocol-v3.md §11)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.kdf import kdf
from powerauth_protocol.v3 import vault as protected
from powerauth_protocol.v3.ecdsa import sign
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import (
    PrivateKey,
    VaultKey,
    derive_factor_keys,
    import_public_key,
    master_secret,
)
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.device import POSSESSION_KNOWLEDGE, Device
from powerauth_sdk.errors import UntrustedData
from powerauth_sdk.factors import store_biometry_key, transport_key

ADD_BIOMETRY = "ADD_BIOMETRY"
FETCH_ENCRYPTION_KEY = "FETCH_ENCRYPTION_KEY"
SIGN_WITH_DEVICE_PRIVATE_KEY = "SIGN_WITH_DEVICE_PRIVATE_KEY"


@dataclass(frozen=True, slots=True)
class OpenVault:
    """What the vault holds while it is open; never stored."""

    key: VaultKey = field(repr=False)
    device_private_key: PrivateKey = field(repr=False)


async def unlock(
    device: Device,
    *,
    reason: str,
    pin: str | None,
    signature_type: SignatureType = POSSESSION_KNOWLEDGE,
) -> OpenVault:
    """Get the vault key from the server and open the device's private key with it.

    :raises ServerRefused: wrong PIN, a factor type that the server does not allow, or a bad reason
    :raises UntrustedData: the key does not belong to this activation
    """
    plaintext = await device.encrypted_then_signed_call(
        "/pa/v3/vault/unlock",
        sh1=SharedInfo1.VAULT_UNLOCK,
        uri_id="/pa/vault/unlock",
        plaintext=json.dumps({"reason": reason}).encode(),
        signature_type=signature_type,
        pin=pin,
    )
    wrapped = b64decode(json.loads(plaintext)["encryptedVaultEncryptionKey"])
    vault_key = protected.unwrap(transport_key(device.state), wrapped)
    encrypted = b64decode(device.state.encrypted_device_private_key)
    private_key = protected.decrypt_device_private_key(vault_key, encrypted)
    server = import_public_key(b64decode(device.state.server_public_key))
    if derive_factor_keys(master_secret(private_key, server)).transport != transport_key(device.state):
        raise UntrustedData("the vault does not hold this activation's key")
    return OpenVault(vault_key, private_key)


async def sign_statement(device: Device, data: bytes, pin: str) -> bytes:
    """Sign data with the device's private key.

    :return: ECDSA signature, DER
    """
    vault = await unlock(device, reason=SIGN_WITH_DEVICE_PRIVATE_KEY, pin=pin)
    return sign(vault.device_private_key, data)


async def encryption_key(device: Device, index: int, pin: str) -> bytes:
    """A 16-byte key for the application's own data, the same for an index as long as the activation lives."""
    vault = await unlock(device, reason=FETCH_ENCRYPTION_KEY, pin=pin)
    return kdf(vault.key, index)


async def add_biometry(device: Device, pin: str) -> None:
    """Set up the biometric factor, which needs the master secret once more."""
    vault = await unlock(device, reason=ADD_BIOMETRY, pin=pin)
    server = import_public_key(b64decode(device.state.server_public_key))
    keys = derive_factor_keys(master_secret(vault.device_private_key, server))
    store_biometry_key(device.state, keys.biometry)
    device.save()


async def confirm_recovery_code(device: Device, recovery_code: str, pin: str) -> bool:
    """Confirm a recovery code, e.g. one that came by post.

    :return: True if it had been confirmed before
    """
    plaintext = await device.encrypted_then_signed_call(
        "/pa/v3/recovery/confirm",
        sh1=SharedInfo1.CONFIRM_RECOVERY_CODE,
        uri_id="/pa/recovery/confirm",
        plaintext=json.dumps({"recoveryCode": recovery_code.removeprefix("R:")}).encode(),
        pin=pin,
    )
    return bool(json.loads(plaintext)["alreadyConfirmed"])
