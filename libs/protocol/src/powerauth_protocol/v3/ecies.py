"""ECIES end-to-end encryption, both sides and the edge between them (spec/protocol-v3.md §5).

A client makes one `ClientEncryptor` per request. A server that holds the private key calls `open_envelope`.
An edge without the key gets the envelope key from the core and works with `ServerEnvelope.from_secret`, or,
where the core also hands out the complete shared information, with `decrypt_request` and `encrypt_response`.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable
from dataclasses import replace

from powerauth_protocol.common.aes import decrypt_cbc, encrypt_cbc
from powerauth_protocol.common.errors import (
    DecryptionError,
    EncodingError,
    EnvelopeFormatError,
    EnvelopeStateError,
    KeyFormatError,
)
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies_derivation import (
    ENVELOPE_KEY_LENGTH,
    NONCE_LENGTH,
    EciesContext,
    EnvelopeKey,
    SharedInfo1,
    derive_envelope_key,
    envelope_iv,
    envelope_key_of,
    request_shared_info2,
    response_shared_info2,
    shared_info1,
    shared_info2_base,
)
from powerauth_protocol.v3.envelope import EciesRequest, EciesResponse
from powerauth_protocol.v3.keys import (
    KeyPair,
    PrivateKey,
    PublicKey,
    compress_public_key,
    ecdh,
    generate_key_pair,
)
from powerauth_protocol.v3.versions import ProtocolVersion

__all__ = [
    "ClientEncryptor",
    "EciesContext",
    "EciesRequest",
    "EciesResponse",
    "EnvelopeKey",
    "Scope",
    "ServerEnvelope",
    "SharedInfo1",
    "decrypt_request",
    "decrypt_response",
    "derive_envelope_key",
    "encrypt_request",
    "encrypt_response",
    "envelope_iv",
    "open_envelope",
    "request_shared_info2",
    "response_shared_info2",
    "shared_info1",
    "shared_info2_base",
    "verify_request_mac",
]


def verify_request_mac(envelope_key: EnvelopeKey, shared_info2: bytes, request: EciesRequest) -> bool:
    """Check the MAC of a request in constant time, without decrypting.

    :param shared_info2: complete sharedInfo2 of the request; the base in 3.0 and 3.1
    """
    return _mac_matches(envelope_key, request.encrypted_data, shared_info2, request.mac)


def encrypt_request(
    context: EciesContext,
    envelope_key: EnvelopeKey,
    base: bytes,
    ephemeral_public_key: bytes,
    plaintext: bytes,
    *,
    nonce: bytes | None,
    timestamp: int | None,
) -> EciesRequest:
    """Encrypt a request under a known envelope key; `nonce` and `timestamp` as the version wants them.

    :raises EnvelopeFormatError: a field does not fit the version
    :raises EncodingError: the nonce is not 16 bytes
    """
    encrypted = encrypt_cbc(envelope_key[:16], envelope_iv(context.version, envelope_key, nonce), plaintext)
    temporary_key_id = context.temporary_key_id if context.version.facts.temporary_keys else None
    unsigned = EciesRequest(temporary_key_id, ephemeral_public_key, encrypted, b"", nonce, timestamp)
    unsigned.check(context.version)
    mac = _mac(envelope_key, encrypted, request_shared_info2(context, base, unsigned))
    return replace(unsigned, mac=mac)


def decrypt_request(
    version: ProtocolVersion, envelope_key: EnvelopeKey, shared_info2: bytes, request: EciesRequest
) -> bytes:
    """Verify the MAC of a request, then decrypt: the edge's side of spec/protocol-v3.md §5.10.

    :param shared_info2: complete sharedInfo2 of the request; the base in 3.0 and 3.1
    :raises EnvelopeFormatError: the fields do not fit the version
    :raises DecryptionError: anything else is wrong
    """
    request.check(version)
    return _open(version, envelope_key, shared_info2, request, request.nonce)


def encrypt_response(
    version: ProtocolVersion,
    envelope_key: EnvelopeKey,
    shared_info2: bytes,
    plaintext: bytes,
    *,
    nonce: bytes | None,
    timestamp: int | None = None,
) -> EciesResponse:
    """Encrypt a response: the edge's side of spec/protocol-v3.md §5.10.

    :param shared_info2: complete sharedInfo2 of the response; the base in 3.0 and 3.1
    :param nonce: of the response from 3.2; in 3.1 the request's, which is not sent again; None in 3.0
    :param timestamp: ms, from 3.2
    :raises EncodingError: the nonce is not 16 bytes
    :raises EnvelopeFormatError: the timestamp does not fit the version
    """
    encrypted = encrypt_cbc(envelope_key[:16], envelope_iv(version, envelope_key, nonce), plaintext)
    response = EciesResponse(
        encrypted,
        _mac(envelope_key, encrypted, shared_info2),
        nonce if version.facts.response_nonce else None,
        timestamp,
    )
    response.check(version)
    return response


def decrypt_response(
    version: ProtocolVersion,
    envelope_key: EnvelopeKey,
    shared_info2: bytes,
    response: EciesResponse,
    *,
    request_nonce: bytes | None,
) -> bytes:
    """Verify the MAC of a response, then decrypt.

    :param shared_info2: complete sharedInfo2 of the response; the base in 3.0 and 3.1
    :param request_nonce: of the request this answers, None in 3.0
    :raises EnvelopeFormatError: the fields do not fit the version
    :raises DecryptionError: anything else is wrong
    """
    response.check(version)
    if version.facts.response_nonce and response.nonce == request_nonce:
        raise DecryptionError
    nonce = response.nonce if version.facts.response_nonce else request_nonce
    return _open(version, envelope_key, shared_info2, response, nonce)


def _open(
    version: ProtocolVersion,
    envelope_key: EnvelopeKey,
    shared_info2: bytes,
    message: EciesRequest | EciesResponse,
    nonce: bytes | None,
) -> bytes:
    # The MAC comes first: no decryption, and no padding check, of data that nobody vouches for.
    if not _mac_matches(envelope_key, message.encrypted_data, shared_info2, message.mac):
        raise DecryptionError
    try:
        iv = envelope_iv(version, envelope_key, nonce)
        return decrypt_cbc(envelope_key[:16], iv, message.encrypted_data)
    except (EncodingError, KeyFormatError):
        raise DecryptionError from None


def _mac(envelope_key: EnvelopeKey, encrypted_data: bytes, shared_info2: bytes) -> bytes:
    return hmac.digest(envelope_key[16:32], encrypted_data + shared_info2, "sha256")


def _mac_matches(envelope_key: EnvelopeKey, encrypted_data: bytes, shared_info2: bytes, mac: bytes) -> bool:
    return hmac.compare_digest(_mac(envelope_key, encrypted_data, shared_info2), mac)


class ClientEncryptor:
    """Encrypts one request and decrypts its response.

    :param context: purpose and identifiers; in 3.3 with the id of the temporary key
    :param server_public_key: the key of spec/protocol-v3.md §5.2
    :param shared_info2_base: 32 bytes, see the function of that name
    """

    __slots__ = ("_base", "_context", "_envelope_key", "_public_key", "_request_nonce", "_used")

    def __init__(self, context: EciesContext, server_public_key: PublicKey, shared_info2_base: bytes) -> None:
        self._context = context
        self._public_key = server_public_key
        self._base = shared_info2_base
        self._envelope_key: EnvelopeKey | None = None
        self._request_nonce: bytes | None = None
        self._used = False

    def encrypt(
        self,
        plaintext: bytes,
        *,
        ephemeral: KeyPair | None = None,
        nonce: bytes | None = None,
        timestamp: int | None = None,
        encode_public_key: Callable[[PublicKey], bytes] = compress_public_key,
    ) -> EciesRequest:
        """Encrypt the request.

        :param ephemeral: key pair of this request, generated by default
        :param nonce: 16 bytes where the version has one, random by default
        :param timestamp: ms where the version has one, now by default
        :param encode_public_key: compressed as mobile clients do, or `export_public_key`
        :raises EnvelopeStateError: this object has encrypted before
        :raises EnvelopeFormatError: the context or a field does not fit the version
        """
        if self._used:
            raise EnvelopeStateError("one request per encryptor")
        version = self._context.version
        pair = ephemeral or generate_key_pair()
        encoded = encode_public_key(pair.public)
        envelope_key = envelope_key_of(
            ecdh(pair.private, self._public_key), encoded, self._context.sh1, version
        )
        if nonce is None and version.facts.request_nonce:
            nonce = os.urandom(NONCE_LENGTH)
        if timestamp is None and version.facts.timestamp:
            timestamp = now_ms()
        request = encrypt_request(
            self._context, envelope_key, self._base, encoded, plaintext, nonce=nonce, timestamp=timestamp
        )
        self._used = True
        self._envelope_key = envelope_key
        self._request_nonce = nonce
        return request

    def decrypt(self, response: EciesResponse) -> bytes:
        """Decrypt the response; the envelope key is forgotten, whatever the outcome.

        :raises EnvelopeStateError: no request was encrypted, or its response was decrypted before
        :raises EnvelopeFormatError: the fields do not fit the version
        :raises DecryptionError: anything else is wrong
        """
        envelope_key = self._envelope_key
        if envelope_key is None:
            raise EnvelopeStateError("no request awaits a response")
        self._envelope_key = None
        version = self._context.version
        response.check(version)
        shared_info2 = response_shared_info2(self._context, self._base, response.nonce, response.timestamp)
        return decrypt_response(
            version, envelope_key, shared_info2, response, request_nonce=self._request_nonce
        )


class ServerEnvelope:
    """The server's side of one request and its response, once the envelope key is known."""

    __slots__ = ("_base", "_context", "_envelope_key", "_request_nonce", "_used")

    def __init__(
        self, context: EciesContext, envelope_key: EnvelopeKey, base: bytes, request_nonce: bytes | None
    ) -> None:
        self._context = context
        self._envelope_key = envelope_key
        self._base = base
        self._request_nonce = request_nonce
        self._used = False

    @classmethod
    def from_secret(
        cls, context: EciesContext, envelope_key: bytes, shared_info2_base: bytes, request: EciesRequest
    ) -> ServerEnvelope:
        """Make the envelope of a request whose key the core has handed out.

        :param envelope_key: 48 bytes
        :param shared_info2_base: 32 bytes
        :raises EnvelopeFormatError: the fields do not fit the version
        :raises DecryptionError: the key has a wrong length, or the request names another temporary key
        """
        request.check(context.version)
        if len(envelope_key) != ENVELOPE_KEY_LENGTH:
            raise DecryptionError
        resolved = _with_temporary_key(context, request)
        return cls(resolved, EnvelopeKey(envelope_key), shared_info2_base, request.nonce)

    def decrypt(self, request: EciesRequest) -> bytes:
        """Verify and decrypt the request this envelope was made for.

        :raises EnvelopeFormatError: the fields do not fit the version
        :raises DecryptionError: anything else is wrong
        """
        request.check(self._context.version)
        return self._decrypt(request)

    def _decrypt(self, request: EciesRequest) -> bytes:
        try:
            shared_info2 = request_shared_info2(self._context, self._base, request)
        except EncodingError:
            raise DecryptionError from None
        return _open(self._context.version, self._envelope_key, shared_info2, request, request.nonce)

    def encrypt(
        self, plaintext: bytes, *, nonce: bytes | None = None, timestamp: int | None = None
    ) -> EciesResponse:
        """Encrypt the response.

        :param nonce: 16 bytes from 3.2, random by default; not the request's
        :param timestamp: ms from 3.2, now by default
        :raises EnvelopeStateError: this envelope has carried its response before
        :raises EncodingError: the nonce is the request's or not 16 bytes
        :raises EnvelopeFormatError: a field does not fit the version
        """
        if self._used:
            raise EnvelopeStateError("one response per envelope")
        version = self._context.version
        if version.facts.response_nonce:
            nonce = os.urandom(NONCE_LENGTH) if nonce is None else nonce
            if nonce == self._request_nonce:
                raise EncodingError("the response needs a nonce of its own")
        elif nonce is not None:
            raise EnvelopeFormatError("nonce is not allowed")
        else:
            nonce = self._request_nonce
        if timestamp is None and version.facts.timestamp:
            timestamp = now_ms()
        shared_info2 = response_shared_info2(self._context, self._base, nonce, timestamp)
        response = encrypt_response(
            version, self._envelope_key, shared_info2, plaintext, nonce=nonce, timestamp=timestamp
        )
        self._used = True
        return response


def open_envelope(
    context: EciesContext, private_key: PrivateKey, shared_info2_base: bytes, request: EciesRequest
) -> tuple[bytes, ServerEnvelope]:
    """Decrypt a request with the private key (spec/protocol-v3.md §5.5).

    The caller has done the replay check (§5.9) and selected the key (§5.2).

    :return: the plaintext, and the envelope that encrypts the response
    :raises EnvelopeFormatError: the fields do not fit the version
    :raises DecryptionError: anything else is wrong
    """
    request.check(context.version)
    try:
        envelope_key = derive_envelope_key(
            private_key, request.ephemeral_public_key, context.sh1, context.version
        )
    except KeyFormatError:
        raise DecryptionError from None
    resolved = _with_temporary_key(context, request)
    envelope = ServerEnvelope(resolved, envelope_key, shared_info2_base, request.nonce)
    return envelope._decrypt(request), envelope


def now_ms() -> int:
    """Return the time in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _with_temporary_key(context: EciesContext, request: EciesRequest) -> EciesContext:
    if context.temporary_key_id is None:
        return replace(context, temporary_key_id=request.temporary_key_id)
    if request.temporary_key_id is not None and context.temporary_key_id != request.temporary_key_id:
        raise DecryptionError
    return context
