"""Certificates of attestation: reading them, and the rules of a chain (spec/device-trust.md §4.10)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import Certificate
from fido2.attestation.base import InvalidAttestation

from powerauth_core.passkeys import der
from powerauth_core.passkeys.refusals import Malformed, StatementInvalid

CHAIN_LIMIT: Final = 6
AAGUID_EXTENSION: Final = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")

BROKEN_INPUT: Final = (
    InvalidAttestation,
    InvalidSignature,
    UnsupportedAlgorithm,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    struct.error,
    Malformed,
)
"""What the libraries raise for broken certificates and statements: each means that nothing is proven."""


def load(encoded: object) -> tuple[Certificate, ...]:
    """Read member ``x5c``: one to six certificates in DER, leaf first.

    :raises StatementInvalid: anything else
    """
    if not isinstance(encoded, list) or not 1 <= len(encoded) <= CHAIN_LIMIT:
        raise StatementInvalid("X5C")
    try:
        return tuple(_load(der_) for der_ in encoded)
    except BROKEN_INPUT:
        raise StatementInvalid("X5C", "certificate") from None


def _load(encoded: bytes) -> Certificate:
    """A certificate whose key and extensions can be read: the library reads them only when asked."""
    certificate = x509.load_der_x509_certificate(encoded)
    certificate.public_key()
    _ = certificate.extensions, certificate.subject, certificate.issuer
    return certificate


def extension(certificate: Certificate, oid: x509.ObjectIdentifier) -> bytes | None:
    """What an extension holds that the library does not know; None without it."""
    for found in certificate.extensions:
        if found.oid == oid and isinstance(found.value, x509.UnrecognizedExtension):
            return found.value.value
    return None


def aaguid_of(certificate: Certificate) -> uuid.UUID | None:
    """The AAGUID that a certificate names.

    :raises StatementInvalid: the extension holds something else
    """
    value = extension(certificate, AAGUID_EXTENSION)
    if value is None:
        return None
    try:
        return uuid.UUID(bytes=der.single(value, der.OCTETS).content)
    except (Malformed, ValueError):
        raise StatementInvalid("AAGUID_EXTENSION") from None


def constraints(certificate: Certificate) -> x509.BasicConstraints:
    """Basic constraints; without the extension those of a leaf."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return x509.BasicConstraints(ca=False, path_length=None)


def valid(certificate: Certificate, at: datetime) -> bool:
    """Whether a moment lies between its dates."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def issued(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the names chain and the issuer's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except BROKEN_INPUT:
        return False
    return True


def may_issue(issuer: Certificate, below: int) -> bool:
    """Whether a certificate is a CA's with room for so many CAs below it, whose key may sign certificates."""
    found = constraints(issuer)
    if not found.ca or (found.path_length is not None and found.path_length < below):
        return False
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def key_identifier(certificate: Certificate) -> str:
    """SHA-1 of the public key's bits, hexadecimal: how metadata names models without AAGUID."""
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()


def serials(chain: Sequence[Certificate]) -> list[str]:
    """Serial numbers as lists of revoked ones write them: lower-case hexadecimal without leading zeros."""
    return [f"{certificate.serial_number:x}" for certificate in chain]
