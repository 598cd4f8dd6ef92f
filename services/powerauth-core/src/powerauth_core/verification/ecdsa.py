"""Signatures with the device's and the activation's own EC keys (spec/core-api.md §9.6)."""

from __future__ import annotations

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus, EcdsaSignatureFormat
from powerauth_contracts.rest.verification import (
    SignEcdsaRequest,
    SignEcdsaResponse,
    VerifyEcdsaRequest,
    VerifyEcdsaResponse,
)
from powerauth_core.activations import repository as activations
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    IncorrectActivationState,
    InvalidKeyFormat,
    InvalidRequest,
)
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError, ProtocolError
from powerauth_protocol.generation import generation_of_activation
from powerauth_protocol.v3.ecdsa import EcdsaFormat
from servicekit.database import Database


async def verify(database: Database, request: VerifyEcdsaRequest) -> VerifyEcdsaResponse:
    """Check a signature of the device key, in any state of the activation; nothing is counted or audited.

    An unknown or unsound activation, one without a device key and a malformed signature are an invalid
    signature.

    :raises InvalidRequest: data or signature are not Base64, or a FIDO2 activation
    :raises InvalidKeyFormat: the stored device key cannot be read
    """
    data = _decoded(request.data, "data")
    signature = _decoded(request.signature, "signature")
    async with database.read() as session:
        activation = await activations.find(session, request.activation_id, request.application_ids)
    if activation is None:
        return VerifyEcdsaResponse(signature_valid=False)
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    if activation.device_public_key_base64 is None or not activation.sound:
        return VerifyEcdsaResponse(signature_valid=False)
    signatures = generation_of_activation(activation.version).data_signatures
    form = EcdsaFormat(request.signature_format or EcdsaSignatureFormat.DER)
    try:
        device_key = b64decode(activation.device_public_key_base64)
        valid = signatures.verify(device_key, data, signature, form)
    except (EncodingError, KeyFormatError):
        raise InvalidKeyFormat() from None
    return VerifyEcdsaResponse(signature_valid=valid)


async def sign(
    database: Database, activation_keys: ActivationKeyCache, request: SignEcdsaRequest
) -> SignEcdsaResponse:
    """Sign data with the server key of an ACTIVE activation.

    :raises InvalidRequest: the data is not Base64, or a FIDO2 activation
    :raises ActivationNotFound: no such activation in the caller's scope
    :raises IncorrectActivationState: the activation is not ACTIVE
    """
    data = _decoded(request.data, "data")
    async with database.read() as session:
        activation = await activations.find(session, request.activation_id, request.application_ids)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    if activation.activation_status is not ActivationStatus.ACTIVE:
        raise IncorrectActivationState()
    server_key = activation_keys.server_key(activation)
    signatures = generation_of_activation(activation.version).data_signatures
    return SignEcdsaResponse(signature=b64encode(signatures.sign(server_key, data)))


def _decoded(text: str, name: str) -> bytes:
    try:
        return b64decode(text)
    except ProtocolError:
        raise InvalidRequest(f"requestObject.{name} - must be Base64") from None
