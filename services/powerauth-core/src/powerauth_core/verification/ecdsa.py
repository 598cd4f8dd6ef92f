"""Signatures with the device's and the activation's own EC keys (spec/core-api.md §9.6)."""

from __future__ import annotations

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations import repository as activations
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    IncorrectActivationState,
    InvalidKeyFormat,
    InvalidRequest,
)
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.generation import generation_of_activation
from powerauth_protocol.v3.ecdsa import EcdsaFormat
from servicekit.database import Database


async def verify(
    database: Database,
    *,
    activation_id: str,
    data: bytes,
    signature: bytes,
    form: EcdsaFormat,
    scope: ApplicationIds = None,
) -> bool:
    """Check a signature of the device key, in any state of the activation; nothing is counted or audited.

    An unknown or unsound activation, one without a device key and a malformed signature are an invalid
    signature.

    :raises InvalidRequest: a FIDO2 activation
    :raises InvalidKeyFormat: the stored device key cannot be read
    """
    async with database.read() as session:
        activation = await activations.find(session, activation_id, scope)
    if activation is None:
        return False
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    if activation.device_public_key_base64 is None or not activation.sound:
        return False
    signatures = generation_of_activation(activation.version).data_signatures
    try:
        device_key = b64decode(activation.device_public_key_base64)
        return signatures.verify(device_key, data, signature, form)
    except (EncodingError, KeyFormatError):
        raise InvalidKeyFormat() from None


async def sign(
    database: Database,
    activation_keys: ActivationKeyCache,
    *,
    activation_id: str,
    data: bytes,
    scope: ApplicationIds = None,
) -> bytes:
    """Sign data with the server key of an ACTIVE activation.

    :return: DER
    :raises InvalidRequest: a FIDO2 activation
    :raises ActivationNotFound: no such activation in the caller's scope
    :raises IncorrectActivationState: the activation is not ACTIVE
    """
    async with database.read() as session:
        activation = await activations.find(session, activation_id, scope)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    if activation.activation_status is not ActivationStatus.ACTIVE:
        raise IncorrectActivationState()
    server_key = activation_keys.server_key(activation)
    signatures = generation_of_activation(activation.version).data_signatures
    return signatures.sign(server_key, data)
