"""The BLOB of the metadata service: whether it is the publisher's, and newer (spec/device-trust.md §4.11)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import Certificate, CertificateRevocationList
from cryptography.x509.oid import NameOID
from fido2.cose import CoseKey

from powerauth_core.passkeys.attestation import certificates
from powerauth_core.passkeys.attestation.certificates import BROKEN_INPUT
from powerauth_core.passkeys.attestation.chains import Anchor, anchored
from powerauth_core.passkeys.metadata import entries
from powerauth_core.passkeys.metadata.entries import Metadata
from powerauth_core.passkeys.refusals import MetadataRefused, StatementInvalid
from powerauth_protocol.common.encoding import b64decode, b64url_decode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import read_json

LIMIT: Final = 32 * 1024 * 1024
PUBLISHER: Final = "mds.fidoalliance.org"
ROLLBACK: Final = "MDS_ROLLBACK"

_MOST: Final = 2**31 - 1
_ALGORITHMS: Final = {"RS256": -257, "ES256": -7}
_FORBIDDEN: Final = ("x5u", "jku", "jwk", "crit")


@dataclass(frozen=True, slots=True)
class Known:
    """The BLOB that is in force: its number and SHA-256, 32 bytes."""

    no: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the publisher is known by.

    :ivar anchors: certificates, the roots of its chain
    :ivar revocations: lists that were given; none are fetched
    """

    anchors: Sequence[Certificate]
    revocations: Sequence[CertificateRevocationList] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """A BLOB to put in force."""

    known: Known
    metadata: Metadata


def verify(
    blob: bytes, trust: Trust, now: datetime, known: Known | None = None, local: Sequence[object] = ()
) -> Verified | None:
    """Check a BLOB and read it.

    :param known: what is in force
    :param local: metadata statements trusted by configuration
    :return: None: it is the one in force
    :raises MetadataRefused: SIZE, FORM, HEADER, ALGORITHM, CHAIN, PUBLISHER, REVOKED, SIGNATURE, PAYLOAD;
        MDS_ROLLBACK: lower than what is in force, or the same number with other content
    """
    if len(blob) > LIMIT:
        raise MetadataRefused("SIZE")
    no, next_update, found = _payload(_opened(blob, trust, now))
    digest = hashlib.sha256(blob).digest()
    if known is not None and no <= known.no:
        if (no, digest) == (known.no, known.sha256):
            return None
        raise MetadataRefused(ROLLBACK)
    return Verified(Known(no, digest), entries.read(no, next_update, found, local))


def _opened(blob: bytes, trust: Trust, now: datetime) -> bytes:
    parts = blob.split(b".")
    if len(parts) != 3:
        raise MetadataRefused("FORM")
    try:
        header, payload, signature = (b64url_decode(part.decode("ascii")) for part in parts)
        members = read_json(header)
    except (EncodingError, UnicodeDecodeError):
        raise MetadataRefused("FORM") from None
    if not isinstance(members, dict) or any(name in members for name in _FORBIDDEN):
        raise MetadataRefused("HEADER")
    leaf = _leaf(members, trust, now)
    _check_signature(members.get("alg"), leaf, blob.rsplit(b".", 1)[0], signature)
    return payload


def _leaf(header: Mapping[str, Any], trust: Trust, now: datetime) -> Certificate:
    try:
        chain = certificates.load([b64decode(one) for one in header["x5c"]])
    except (EncodingError, StatementInvalid, KeyError, TypeError, AttributeError):
        raise MetadataRefused("CHAIN", "x5c") from None
    anchors = [Anchor.of_certificate(root, dates=True) for root in trust.anchors]
    found = anchored(chain, anchors, now)
    if found.anchor is None:
        raise MetadataRefused("CHAIN", found.reason or "")
    if not _named(chain[0]):
        raise MetadataRefused("PUBLISHER")
    issuers = (*chain[1:], *trust.anchors)
    if any(_revoked(one, issuers, trust.revocations) for one in chain):
        raise MetadataRefused("REVOKED")
    return chain[0]


def _named(leaf: Certificate) -> bool:
    common = [one.value for one in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return common == [PUBLISHER]
    return PUBLISHER in names.get_values_for_type(x509.DNSName)


def _revoked(
    certificate: Certificate, issuers: Sequence[Certificate], lists: Sequence[CertificateRevocationList]
) -> bool:
    for revocations in lists:
        if revocations.issuer == certificate.issuer and any(
            issuer.subject == certificate.issuer and revocations.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
            for issuer in issuers
        ):
            return revocations.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    return False


def _check_signature(algorithm: object, leaf: Certificate, signed: bytes, signature: bytes) -> None:
    """ES256 in a JWS is the two numbers side by side."""
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise MetadataRefused("ALGORITHM")
    try:
        key = CoseKey.for_alg(_ALGORITHMS[algorithm]).from_cryptography_key(leaf.public_key())
        key.verify(signed, _der(signature) if algorithm == "ES256" else signature)
    except BROKEN_INPUT:
        raise MetadataRefused("SIGNATURE") from None


def _der(signature: bytes) -> bytes:
    if len(signature) != 64:
        raise ValueError("size of a signature")
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def _payload(payload: bytes) -> tuple[int, date, Sequence[object]]:
    try:
        members = read_json(payload)
        no, found = members["no"], members["entries"]
        next_update = date.fromisoformat(members["nextUpdate"])
    except (EncodingError, KeyError, TypeError, ValueError):
        raise MetadataRefused("PAYLOAD") from None
    if type(no) is not int or not 0 <= no <= _MOST or not isinstance(found, list):
        raise MetadataRefused("PAYLOAD")
    return no, next_update, found
