"""The key exchange on the device (spec/protocol-v3.md §4.7)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.activation import (
    ActivationLayer1Request,
    ActivationLayer1Response,
    ActivationLayer2Request,
    ActivationLayer2Response,
    ActivationRecovery,
    ActivationType,
)
from powerauth_protocol.v3.activation_code import parse_qr, verify_signature
from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_protocol.v3.fingerprint import activation_fingerprint
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    KeyPair,
    PublicKey,
    compress_public_key,
    derive_factor_keys,
    export_public_key,
    generate_key_pair,
    import_public_key,
    master_secret,
)
from powerauth_protocol.v3.vault import encrypt_device_private_key
from powerauth_sdk.config import AppConfig
from powerauth_sdk.encryption import Encryption
from powerauth_sdk.errors import UntrustedData
from powerauth_sdk.factors import PIN_ITERATIONS, protect_knowledge_key, store_biometry_key
from powerauth_sdk.state import ActivationState

ACTIVATION_PATH = "/pa/v3/activation/create"


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What a phone tells about itself.

    :ivar biometry: set up the biometric factor too
    """

    name: str | None = "Simulated phone"
    platform: str | None = "simulator"
    device_info: str | None = "powerauth-sdk"
    extras: str | None = None
    biometry: bool = False


@dataclass(frozen=True, slots=True)
class ActivationResult:
    """What an activation leaves beside the device's state.

    :ivar fingerprint: eight digits that the bank shows too
    :ivar user_info: claims, if the server returned them
    """

    activation_id: str
    fingerprint: str
    recovery: ActivationRecovery | None
    custom_attributes: Mapping[str, Any] | None = field(repr=False)
    user_info: Mapping[str, Any] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a key exchange leaves on the device.

    :ivar fingerprint: eight digits that the bank shows too
    """

    activation_id: str
    server_public_key: PublicKey
    keys: ActivationKeys = field(repr=False)
    ctr_data: bytes = field(repr=False)
    fingerprint: str
    recovery: ActivationRecovery | None = field(repr=False)

    @classmethod
    def read(cls, device: KeyPair, answer: bytes) -> Exchanged:
        """From the decrypted answer of layer 2.

        :param device: the pair whose public key was offered
        :raises ProtocolError: the answer is none
        """
        layer2 = ActivationLayer2Response.from_json(answer)
        server = import_public_key(layer2.server_public_key)
        return cls(
            activation_id=layer2.activation_id,
            server_public_key=server,
            keys=derive_factor_keys(master_secret(device.private, server)),
            ctr_data=layer2.ctr_data,
            fingerprint=activation_fingerprint(device.public, server, layer2.activation_id),
            recovery=layer2.activation_recovery,
        )


def layer2_request(device: KeyPair, profile: DeviceProfile, otp: str | None) -> bytes:
    """What a device says in layer 2, in clear."""
    return ActivationLayer2Request(
        device_public_key=compress_public_key(device.public),
        activation_name=profile.name,
        activation_otp=otp,
        extras=profile.extras,
        platform=profile.platform,
        device_info=profile.device_info,
    ).to_json()


def trusted_code(config: AppConfig, scanned: str) -> str:
    """Check a scanned or typed activation code: its checksum and, if it has one, its signature.

    :param scanned: ``code`` or ``code#signature``
    :raises UntrustedData: the checksum or the signature is wrong
    :raises ProtocolError: not an activation code at all
    """
    qr = parse_qr(scanned)
    if qr.is_recovery:
        raise UntrustedData("this is a recovery code, not an activation code")
    if qr.signature is not None and not verify_signature(qr.code, qr.signature, config.master_key()):
        raise UntrustedData("the activation code is not signed by this application's server")
    return qr.code


async def exchange_keys(
    config: AppConfig,
    encryption: Encryption,
    *,
    activation_type: ActivationType,
    identity_attributes: Mapping[str, str],
    custom_attributes: Mapping[str, Any],
    pin: str,
    otp: str | None,
    profile: DeviceProfile,
) -> tuple[ActivationState, ActivationResult]:
    """Run the key exchange; both encryption layers have keys of their own.

    :raises ServerRefused: the server refused the activation
    :raises ProtocolError: an answer is not authentic
    """
    device = generate_key_pair()
    exchanged, answer = await exchange(
        config,
        encryption,
        device,
        activation_type=activation_type,
        identity_attributes=identity_attributes,
        custom_attributes=custom_attributes,
        otp=otp,
        profile=profile,
    )
    return _new_state(device, exchanged, pin, profile), ActivationResult(
        activation_id=exchanged.activation_id,
        fingerprint=exchanged.fingerprint,
        recovery=exchanged.recovery,
        custom_attributes=answer.custom_attributes,
        user_info=answer.user_info,
    )


async def exchange(
    config: AppConfig,
    encryption: Encryption,
    device: KeyPair,
    *,
    activation_type: ActivationType,
    identity_attributes: Mapping[str, str],
    custom_attributes: Mapping[str, Any],
    otp: str | None,
    profile: DeviceProfile,
) -> tuple[Exchanged, ActivationLayer1Response]:
    """The key exchange alone: nothing is kept; raises as `exchange_keys`.

    :param device: the key pair that is offered
    """
    layer2 = await encryption.encryptor(Scope.APPLICATION, SharedInfo1.ACTIVATION_LAYER_2)
    inner = layer2_request(device, profile, otp)
    timestamp = encryption.now_ms() if config.version.facts.timestamp else None
    outer = ActivationLayer1Request(
        type=activation_type,
        identity_attributes=identity_attributes,
        custom_attributes=custom_attributes,
        activation_data=layer2.encrypt(inner, timestamp=timestamp),
    )
    plaintext = await encryption.call(
        ACTIVATION_PATH, Scope.APPLICATION, SharedInfo1.APPLICATION_GENERIC, outer.to_json()
    )
    outer_answer = ActivationLayer1Response.from_json(plaintext, config.version)
    return Exchanged.read(device, layer2.decrypt(outer_answer.activation_data)), outer_answer


def _new_state(device: KeyPair, exchanged: Exchanged, pin: str, profile: DeviceProfile) -> ActivationState:
    keys = exchanged.keys
    salt = os.urandom(16)
    state = ActivationState(
        activation_id=exchanged.activation_id,
        ctr_data=b64encode(exchanged.ctr_data),
        ctr_byte=0,
        possession_key=b64encode(keys.possession),
        transport_key=b64encode(keys.transport),
        encrypted_knowledge_key=protect_knowledge_key(keys.knowledge, pin, salt, PIN_ITERATIONS),
        pin_salt=b64encode(salt),
        pin_iterations=PIN_ITERATIONS,
        encrypted_device_private_key=b64encode(encrypt_device_private_key(keys.vault, device.private)),
        server_public_key=b64encode(export_public_key(exchanged.server_public_key)),
        device_public_key=b64encode(export_public_key(device.public)),
    )
    if profile.biometry:
        store_biometry_key(state, keys.biometry)
    return state
