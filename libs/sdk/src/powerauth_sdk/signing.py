"""Authentication codes on the device (spec/protocol-v3.md §8.4, §8.7)."""

from __future__ import annotations

import os

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.request_data import (
    OFFLINE_METHOD,
    OFFLINE_RESOURCE_ID,
    OFFLINE_SECRET,
    normalized_data,
    signature_base,
)
from powerauth_protocol.groups import ProtocolVersion
from powerauth_protocol.v3.counter import next_counter
from powerauth_protocol.v3.http_headers import SignatureHeader, TokenHeader
from powerauth_protocol.v3.keys import ActivationKeys
from powerauth_protocol.v3.offline import OfflinePayload
from powerauth_protocol.v3.signature import (
    DEFAULT_COMPONENT_LENGTH,
    SignatureType,
    compute_signature,
    signing_keys,
)
from powerauth_protocol.v3.token import token_digest
from powerauth_protocol.v3.versions import SignatureFormat
from powerauth_sdk.config import AppConfig
from powerauth_sdk.factors import unlocked_keys
from powerauth_sdk.state import ActivationState


def sign_request(
    config: AppConfig,
    state: ActivationState,
    *,
    method: str,
    uri_id: str,
    body: bytes,
    signature_type: SignatureType,
    pin: str | None,
) -> SignatureHeader:
    """Compute the authorization header of one request and step the counter in `state`.

    The caller stores the state before the request leaves.

    :param body: bytes that are signed: the raw body, or the canonical query of a GET
    :raises WrongDeviceState: a factor is missing
    """
    nonce = os.urandom(16)
    base = signature_base(method, uri_id, nonce, body)
    code = _next_code(
        state,
        normalized_data(base, config.application_secret),
        signature_type,
        pin,
        config.version.facts.signature_format,
    )
    return SignatureHeader(
        activation_id=state.activation_id,
        application_key=config.application_key,
        nonce=b64encode(nonce),
        signature_type=signature_type.value,
        signature=code,
        version=config.version.value,
    )


def sign_offline(
    state: ActivationState,
    payload: OfflinePayload,
    *,
    signature_type: SignatureType,
    pin: str | None,
    component_length: int = DEFAULT_COMPONENT_LENGTH,
) -> str:
    """Compute the digits that a user copies from the phone, and step the counter in `state`.

    :return: components joined by ``-``, e.g. ``12345678-90123456``
    :raises WrongDeviceState: a factor is missing
    """
    base = signature_base(OFFLINE_METHOD, OFFLINE_RESOURCE_ID, payload.nonce, payload.body())
    data = normalized_data(base, OFFLINE_SECRET)
    return _next_code(state, data, signature_type, pin, SignatureFormat.DECIMAL, component_length)


def next_code(
    keys: ActivationKeys,
    ctr_data: bytes,
    data: bytes,
    signature_type: SignatureType,
    fmt: SignatureFormat,
    component_length: int = DEFAULT_COMPONENT_LENGTH,
) -> tuple[str, bytes]:
    """Compute an authentication code over normalised data.

    :return: the code, and the counter data of the next one
    """
    code = compute_signature(data, signing_keys(keys, signature_type), ctr_data, fmt, component_length)
    return code, next_counter(ctr_data)


def sign_token(token_id: str, secret: bytes, timestamp: int, version: ProtocolVersion) -> TokenHeader:
    """A fresh header that proves possession of a token.

    :param timestamp: ms
    """
    nonce = os.urandom(16)
    return TokenHeader(
        token_id=token_id,
        token_digest=b64encode(token_digest(secret, nonce, timestamp, version)),
        nonce=b64encode(nonce),
        timestamp=str(timestamp),
        version=version.value,
    )


def _next_code(
    state: ActivationState,
    data: bytes,
    signature_type: SignatureType,
    pin: str | None,
    fmt: SignatureFormat,
    component_length: int = DEFAULT_COMPONENT_LENGTH,
) -> str:
    keys = unlocked_keys(state, signature_type, pin)
    ctr_data = b64decode(state.ctr_data, 16)
    code, ctr_data = next_code(keys, ctr_data, data, signature_type, fmt, component_length)
    state.ctr_data = b64encode(ctr_data)
    if state.ctr_byte is not None:
        state.ctr_byte = (state.ctr_byte + 1) % 256
    return code
