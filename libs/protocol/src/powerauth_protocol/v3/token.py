"""Digests of MAC tokens (spec/protocol-v3.md §10.2)."""

from __future__ import annotations

import hmac
import os

from powerauth_protocol.common.encoding import require_length
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.v3.versions import ProtocolVersion

TOKEN_SECRET_LENGTH = 16
NONCE_LENGTH = 16


def generate_token_secret() -> bytes:
    """Make a token secret, 16 bytes."""
    return os.urandom(TOKEN_SECRET_LENGTH)


def token_digest(secret: bytes, nonce: bytes, timestamp_ms: int, version: ProtocolVersion) -> bytes:
    """Return the 32-byte digest of a token header.

    :param secret: token secret, 16 bytes
    :param nonce: 16 bytes
    :param timestamp_ms: ms since the epoch, 0 or more
    :raises KeyFormatError: the secret is not 16 bytes
    :raises EncodingError: the nonce is not 16 bytes, or the timestamp is negative
    """
    if len(secret) != TOKEN_SECRET_LENGTH:
        raise KeyFormatError("expected a 16-byte token secret")
    if timestamp_ms < 0:
        raise EncodingError("negative timestamp")
    suffix = (
        f"&{timestamp_ms:d}&{version.value}" if version.facts.token_digest_version else f"&{timestamp_ms:d}"
    )
    return hmac.digest(secret, require_length(nonce, NONCE_LENGTH) + suffix.encode("ascii"), "sha256")


def verify_token_digest(
    digest: bytes, secret: bytes, nonce: bytes, timestamp_ms: int, version: ProtocolVersion
) -> bool:
    """Compare a received digest in constant time.

    :param digest: as received, 32 bytes; False for another length
    :raises KeyFormatError: the secret is not 16 bytes
    :raises EncodingError: the nonce is not 16 bytes, or the timestamp is negative
    """
    return hmac.compare_digest(token_digest(secret, nonce, timestamp_ms, version), digest)
