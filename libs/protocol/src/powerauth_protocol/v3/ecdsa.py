"""ECDSA with P-256 and SHA-256 (spec/protocol-v3.md §1.1, §11.3)."""

from __future__ import annotations

from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3.keys import PrivateKey, PublicKey

_ALGORITHM = ec.ECDSA(hashes.SHA256())
_COORDINATE = 32


class EcdsaFormat(StrEnum):
    """Form of a signature: ASN.1 DER, or JOSE ``r(32) || s(32)``."""

    DER = "DER"
    JOSE = "JOSE"


def sign(private_key: PrivateKey, data: bytes) -> bytes:
    """Sign the SHA-256 of `data`; returns DER."""
    return private_key.sign(data, _ALGORITHM)


def verify(public_key: PublicKey, data: bytes, signature: bytes, fmt: EcdsaFormat = EcdsaFormat.DER) -> bool:
    """Check a signature over `data`; False also for a malformed one. Low S is not required."""
    try:
        der = signature if fmt is EcdsaFormat.DER else jose_to_der(signature)
        public_key.verify(der, data, _ALGORITHM)
    except (InvalidSignature, EncodingError):
        return False
    return True


def der_to_jose(signature: bytes) -> bytes:
    """Convert DER to ``r(32) || s(32)``.

    :raises EncodingError: not a DER signature of P-256
    """
    try:
        r, s = decode_dss_signature(signature)
        return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
    except (ValueError, OverflowError):
        raise EncodingError("not a DER signature") from None


def jose_to_der(signature: bytes) -> bytes:
    """Convert ``r(32) || s(32)`` to DER.

    :raises EncodingError: not 64 bytes
    """
    if len(signature) != 2 * _COORDINATE:
        raise EncodingError("expected 64 bytes")
    return encode_dss_signature(
        int.from_bytes(signature[:_COORDINATE], "big"), int.from_bytes(signature[_COORDINATE:], "big")
    )
