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
    KeyPair,
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
    layer2 = await encryption.encryptor(Scope.APPLICATION, SharedInfo1.ACTIVATION_LAYER_2)
    inner = ActivationLayer2Request(
        device_public_key=compress_public_key(device.public),
        activation_name=profile.name,
        activation_otp=otp,
        extras=profile.extras,
        platform=profile.platform,
        device_info=profile.device_info,
    )
    timestamp = encryption.now_ms() if config.version.timestamp else None
    outer = ActivationLayer1Request(
        type=activation_type,
        identity_attributes=identity_attributes,
        custom_attributes=custom_attributes,
        activation_data=layer2.encrypt(inner.to_json(), timestamp=timestamp),
    )
    plaintext = await encryption.call(
        ACTIVATION_PATH, Scope.APPLICATION, SharedInfo1.APPLICATION_GENERIC, outer.to_json()
    )
    outer_answer = ActivationLayer1Response.from_json(plaintext, config.version)
    inner_answer = ActivationLayer2Response.from_json(layer2.decrypt(outer_answer.activation_data))
    state = _new_state(device, inner_answer, pin, profile)
    return state, ActivationResult(
        activation_id=inner_answer.activation_id,
        fingerprint=activation_fingerprint(
            device.public, import_public_key(inner_answer.server_public_key), inner_answer.activation_id
        ),
        recovery=inner_answer.activation_recovery,
        custom_attributes=outer_answer.custom_attributes,
        user_info=outer_answer.user_info,
    )


def _new_state(
    device: KeyPair, answer: ActivationLayer2Response, pin: str, profile: DeviceProfile
) -> ActivationState:
    server = import_public_key(answer.server_public_key)
    keys = derive_factor_keys(master_secret(device.private, server))
    salt = os.urandom(16)
    state = ActivationState(
        activation_id=answer.activation_id,
        ctr_data=b64encode(answer.ctr_data),
        ctr_byte=0,
        possession_key=b64encode(keys.possession),
        transport_key=b64encode(keys.transport),
        encrypted_knowledge_key=protect_knowledge_key(keys.knowledge, pin, salt, PIN_ITERATIONS),
        pin_salt=b64encode(salt),
        pin_iterations=PIN_ITERATIONS,
        encrypted_device_private_key=b64encode(encrypt_device_private_key(keys.vault, device.private)),
        server_public_key=b64encode(export_public_key(server)),
        device_public_key=b64encode(export_public_key(device.public)),
    )
    if profile.biometry:
        store_biometry_key(state, keys.biometry)
    return state
