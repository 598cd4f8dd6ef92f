"""The factor keys as a device keeps them (spec/protocol-v3.md §2, last paragraph)."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.kdf import pbkdf2
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    BiometryKey,
    KnowledgeKey,
    PossessionKey,
    TransportKey,
    VaultKey,
)
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.errors import WrongDeviceState
from powerauth_sdk.state import ActivationState

PIN_ITERATIONS = 10000
_ZERO_IV = bytes(16)


def protect_knowledge_key(key: KnowledgeKey, pin: str, salt: bytes, iterations: int) -> str:
    """Encrypt the knowledge key under a PIN; without padding, so that a wrong PIN shows no error here.

    :return: Base64 text of 16 bytes
    """
    return b64encode(_aes(pbkdf2(pin, salt, iterations), key, encrypt=True))


def change_pin(state: ActivationState, old_pin: str, new_pin: str) -> None:
    """Put the knowledge key under another PIN. Whether the old one was right only the server can tell."""
    key = _knowledge_key(state, old_pin)
    salt = os.urandom(16)
    state.encrypted_knowledge_key = protect_knowledge_key(key, new_pin, salt, PIN_ITERATIONS)
    state.pin_salt, state.pin_iterations = b64encode(salt), PIN_ITERATIONS


def store_biometry_key(state: ActivationState, key: BiometryKey) -> None:
    """Put the biometry key into the simulated biometric store."""
    store_key = os.urandom(16)
    state.biometry_store_key = b64encode(store_key)
    state.encrypted_biometry_key = b64encode(_aes(store_key, key, encrypt=True))


def transport_key(state: ActivationState) -> TransportKey:
    """The activation's transport key, 16 bytes."""
    return TransportKey(b64decode(state.transport_key, 16))


def unlocked_keys(state: ActivationState, signature_type: SignatureType, pin: str | None) -> ActivationKeys:
    """Return the factor keys that a signature of this type needs; the others stay empty.

    :param pin: needed exactly when the type has the knowledge factor
    :raises WrongDeviceState: no PIN was given, or biometry was never set up
    """
    factors = signature_type.factors
    if "knowledge" in factors and pin is None:
        raise WrongDeviceState("this signature needs the PIN")
    knowledge = _knowledge_key(state, pin) if "knowledge" in factors and pin is not None else b""
    biometry = _biometry_key(state) if "biometry" in factors else b""
    return ActivationKeys(
        possession=PossessionKey(b64decode(state.possession_key, 16)),
        knowledge=KnowledgeKey(knowledge),
        biometry=BiometryKey(biometry),
        transport=transport_key(state),
        vault=VaultKey(b""),
    )


def _knowledge_key(state: ActivationState, pin: str) -> KnowledgeKey:
    wrapping = pbkdf2(pin, b64decode(state.pin_salt), state.pin_iterations)
    return KnowledgeKey(_aes(wrapping, b64decode(state.encrypted_knowledge_key, 16), encrypt=False))


def _biometry_key(state: ActivationState) -> BiometryKey:
    if state.encrypted_biometry_key is None or state.biometry_store_key is None:
        raise WrongDeviceState("biometry is not set up on this device")
    wrapped = b64decode(state.encrypted_biometry_key, 16)
    return BiometryKey(_aes(b64decode(state.biometry_store_key, 16), wrapped, encrypt=False))


def _aes(key: bytes, data: bytes, *, encrypt: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CBC(_ZERO_IV))
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()
