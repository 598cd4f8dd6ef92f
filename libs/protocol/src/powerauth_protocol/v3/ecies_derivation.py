"""Keys, vectors and shared information of an ECIES envelope (spec/protocol-v3.md §5.1 to §5.4)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from powerauth_protocol.common.encoding import concat_strings, concat_with_sizes, utf8
from powerauth_protocol.common.errors import EncodingError, EnvelopeFormatError, KeyFormatError
from powerauth_protocol.common.kdf import ZERO_IV, kdf_internal, x963
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.envelope import EciesRequest
from powerauth_protocol.v3.keys import PrivateKey, TransportKey, ecdh, import_public_key
from powerauth_protocol.v3.versions import EnvelopeIv, ProtocolVersion

EnvelopeKey = NewType("EnvelopeKey", bytes)
"""48 bytes: encryption key, MAC key, key of the initialisation vector."""

ENVELOPE_KEY_LENGTH = 48
NONCE_LENGTH = 16


class SharedInfo1(StrEnum):
    """What an envelope is for, without version prefix (spec/protocol-v3.md §5.1)."""

    APPLICATION_GENERIC = "/pa/generic/application"
    ACTIVATION_GENERIC = "/pa/generic/activation"
    ACTIVATION_LAYER_2 = "/pa/activation"
    UPGRADE = "/pa/upgrade"
    VAULT_UNLOCK = "/pa/vault/unlock"
    CREATE_TOKEN = "/pa/token/create"  # noqa: S105 - an identifier
    CONFIRM_RECOVERY_CODE = "/pa/recovery/confirm"

    @classmethod
    def generic(cls, scope: Scope) -> SharedInfo1:
        """Return the generic constant of a scope: the only one whose envelope keys may leave the core."""
        return cls.APPLICATION_GENERIC if scope is Scope.APPLICATION else cls.ACTIVATION_GENERIC


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class EciesContext:
    """What both sides know about an envelope.

    :ivar version: protocol version of the header that carries the parameters (spec/protocol-v3.md §5.8)
    :ivar scope: application or activation
    :ivar sh1: purpose, without version prefix
    :ivar application_key: Base64 text as transmitted
    :ivar application_secret: Base64 text, or None where only the derived base is known
    :ivar activation_id: as transmitted, in activation scope only
    :ivar temporary_key_id: as transmitted (3.3); a server may leave it None and takes the request's
    """

    version: ProtocolVersion
    scope: Scope
    sh1: str
    application_key: str
    application_secret: str | None = field(default=None, repr=False)
    activation_id: str | None = None
    temporary_key_id: str | None = None
    _associated: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.activation_id is not None) != (self.scope is Scope.ACTIVATION):
            raise EnvelopeFormatError("the activation id belongs to activation scope only")

    def associated_data(self) -> bytes | None:
        """Return the associated data of both MACs, None before 3.2 (spec/protocol-v3.md §5.4).

        :raises EnvelopeFormatError: 3.3 without a temporary key id
        :raises EncodingError: a text is not Unicode
        """
        if self._associated is None and self.version.facts.associated_data:
            self._associated = concat_strings(*self._identifiers())
        return self._associated

    def _identifiers(self) -> list[str]:
        texts = [self.version.value, self.application_key]
        if self.activation_id is not None:
            texts.append(self.activation_id)
        if self.version.facts.temporary_keys:
            if self.temporary_key_id is None:
                raise EnvelopeFormatError("temporaryKeyId is missing")
            texts.append(self.temporary_key_id)
        return texts


def shared_info1(version: ProtocolVersion, sh1: str) -> bytes:
    """Return sharedInfo1: the purpose, from 3.2 after the version text."""
    return utf8(version.value + sh1 if version.facts.versioned_shared_info1 else sh1)


def shared_info2_base(
    scope: Scope, application_secret: str, transport_key: TransportKey | None = None
) -> bytes:
    """Return the 32-byte base of sharedInfo2 (spec/protocol-v3.md §5.3).

    :param application_secret: the Base64 text itself, not decoded
    :param transport_key: required in activation scope, forbidden in application scope
    :raises KeyFormatError: the transport key does not fit the scope
    """
    if scope is Scope.APPLICATION:
        if transport_key is not None:
            raise KeyFormatError("application scope has no transport key")
        return hashlib.sha256(utf8(application_secret)).digest()
    if transport_key is None or len(transport_key) != 16:
        raise KeyFormatError("activation scope needs a 16-byte transport key")
    return hmac.digest(transport_key, utf8(application_secret), "sha256")


def request_shared_info2(context: EciesContext, base: bytes, request: EciesRequest) -> bytes:
    """Return the complete sharedInfo2 of a request (spec/protocol-v3.md §5.4).

    :param base: result of `shared_info2_base`
    :raises EnvelopeFormatError: the request lacks a field of the version
    """
    return _shared_info2(context, base, request.nonce, request.timestamp, request.ephemeral_public_key)


def response_shared_info2(
    context: EciesContext, base: bytes, nonce: bytes | None, timestamp: int | None
) -> bytes:
    """Return the complete sharedInfo2 of a response (spec/protocol-v3.md §5.4).

    :param nonce: 16 bytes of the response, from 3.2
    :param timestamp: ms of the response, from 3.2
    :raises EnvelopeFormatError: a field of the version is missing
    """
    return _shared_info2(context, base, nonce, timestamp, None)


def _shared_info2(
    context: EciesContext,
    base: bytes,
    nonce: bytes | None,
    timestamp: int | None,
    ephemeral_public_key: bytes | None,
) -> bytes:
    data = context.associated_data()
    if data is None:
        return base
    if nonce is None or timestamp is None:
        raise EnvelopeFormatError("nonce or timestamp is missing")
    try:
        time_bytes = timestamp.to_bytes(8, "big", signed=True)
    except OverflowError:
        raise EnvelopeFormatError("timestamp is out of range") from None
    return concat_with_sizes(base, nonce, time_bytes, ephemeral_public_key, data)


def derive_envelope_key(
    private_key: PrivateKey, ephemeral_public_key: bytes, sh1: str, version: ProtocolVersion
) -> EnvelopeKey:
    """Derive the 48-byte envelope key on the server (spec/protocol-v3.md §5.4).

    :param ephemeral_public_key: encoded point exactly as transmitted
    :raises KeyFormatError: the point is malformed or not on the curve
    """
    secret = ecdh(private_key, import_public_key(ephemeral_public_key))
    return envelope_key_of(secret, ephemeral_public_key, sh1, version)


def envelope_key_of(
    secret: bytes, ephemeral_public_key: bytes, sh1: str, version: ProtocolVersion
) -> EnvelopeKey:
    """Derive the 48-byte envelope key from the 32-byte ECDH result; for the client, who has it."""
    info = shared_info1(version, sh1) + ephemeral_public_key
    return EnvelopeKey(x963(secret, info, ENVELOPE_KEY_LENGTH))


def envelope_iv(version: ProtocolVersion, envelope_key: EnvelopeKey, nonce: bytes | None) -> bytes:
    """Return the 16-byte initialisation vector for a message (spec/protocol-v3.md §5.4).

    :param nonce: of the message; in 3.1 always the request's
    :raises EncodingError: the nonce is missing or not 16 bytes
    """
    if version.facts.envelope_iv is EnvelopeIv.ZERO:
        return ZERO_IV
    if nonce is None or len(nonce) != NONCE_LENGTH:
        raise EncodingError("expected a 16-byte nonce")
    return kdf_internal(envelope_key[32:48], nonce)
