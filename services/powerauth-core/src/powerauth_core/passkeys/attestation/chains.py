"""Chains of certificates and where they end: an anchor is a key with a name (spec/device-trust.md §4.10)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate

from powerauth_core.passkeys.attestation import certificates

NO_ANCHOR: Final = "NO_ANCHOR"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a chain may end at.

    :ivar name: of a named root, else SHA-256 of its certificate in hexadecimal
    :ivar certificate: any certificate of the key
    :ivar spki: SubjectPublicKeyInfo of the key, DER
    :ivar dates: those of the certificate count
    :ivar allow_expired: certificates below it may have expired before the registration
    :ivar aaguids: the models that it vouches for; None: the one that the leaf names
    """

    name: str
    certificate: Certificate
    spki: bytes
    dates: bool = False
    allow_expired: bool = False
    aaguids: frozenset[uuid.UUID] | None = None

    @staticmethod
    def of_certificate(certificate: Certificate, *, dates: bool) -> Anchor:
        """An anchor without a name of its own."""
        digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
        return Anchor(digest, certificate, spki_of(certificate), dates)

    def carried_by(self, certificate: Certificate) -> bool:
        """Whether a certificate is one of this key and subject, whatever its dates."""
        return certificate.subject == self.certificate.subject and spki_of(certificate) == self.spki

    def issued(self, certificate: Certificate) -> bool:
        """Whether the anchor's key signed a certificate."""
        return certificate.issuer == self.certificate.subject and certificates.issued(
            certificate, self.certificate
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a chain ends.

    :ivar anchor: None if at none
    :ivar reason: why not: NO_ANCHOR, EXPIRED, NOT_CA, LEAF_CA, CHAIN
    """

    anchor: Anchor | None
    reason: str | None = None


def anchored(chain: Sequence[Certificate], anchors: Iterable[Anchor], at: datetime) -> Ending:
    """Follow a chain to an anchor: names, signatures, CA flags and path lengths, dates at one moment.

    :param chain: leaf first; the anchor's own certificate may be its last or be missing
    :param at: the moment of the registration
    """
    known = tuple(anchors)
    for place, certificate in enumerate(chain):
        below, above = chain[:place], chain[place + 1 :]
        if found := next((one for one in known if one.carried_by(certificate)), None):
            return _ended(found, below or chain[:1], above, at)
        if reason := _unfit(certificate, place):
            return Ending(None, reason)
        if found := next((one for one in known if one.issued(certificate)), None):
            carried = bool(above) and found.carried_by(above[0])
            return _ended(found, chain[: place + 1], above[1:] if carried else above, at)
        if above and not certificates.issued(certificate, above[0]):
            return Ending(None, "CHAIN")
    return Ending(None, NO_ANCHOR)


def spki_of(certificate: Certificate) -> bytes:
    """SubjectPublicKeyInfo of a certificate's key, DER."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _unfit(certificate: Certificate, place: int) -> str | None:
    if not place:
        return "LEAF_CA" if certificates.constraints(certificate).ca else None
    return None if certificates.may_issue(certificate, place - 1) else "NOT_CA"


def _ended(
    anchor: Anchor, below: Sequence[Certificate], above: Sequence[Certificate], at: datetime
) -> Ending:
    if above:
        return Ending(None, "CHAIN")
    expired = not anchor.allow_expired and not all(certificates.valid(one, at) for one in below)
    if expired or (anchor.dates and not certificates.valid(anchor.certificate, at)):
        return Ending(None, "EXPIRED")
    return Ending(anchor)
