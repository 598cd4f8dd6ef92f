"""On whose word a statement stands: metadata, a local root, nobody (spec/device-trust.md §4.10)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from powerauth_core.passkeys.attestation import certificates
from powerauth_core.passkeys.attestation.chains import NO_ANCHOR, Anchor, anchored
from powerauth_core.passkeys.attestation.roots import Root
from powerauth_core.passkeys.attestation.statements import Kind, Statement
from powerauth_core.passkeys.metadata.entries import Entry, Metadata

_ANDROID: Final = "android-key"
_SAFETYNET: Final = "android-safetynet"
_ALGORITHMS: Final = {
    -7: {"secp256r1_ecdsa_sha256_raw", "secp256r1_ecdsa_sha256_der"},
    -8: {"ed25519_eddsa_sha512_raw"},
    -257: {
        "rsassa_pkcsv15_sha256_raw",
        "rsassa_pkcsv15_sha256_der",
        "rsa_emsa_pkcs1_sha256_raw",
        "rsa_emsa_pkcs1_sha256_der",
    },
}


class Trust(StrEnum):
    """How far a passkey's origin is proven; UNVERIFIED: a valid statement that ends at no anchor."""

    NONE = "NONE"
    SELF = "SELF"
    UNVERIFIED = "UNVERIFIED"
    LOCAL = "LOCAL"
    VERIFIED = "VERIFIED"
    INVALIDATED = "INVALIDATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What may vouch for a model.

    :ivar metadata: None: no BLOB, or one that is too old
    :ivar roots: named local roots in force for the application, and its own
    :ivar revoked_serials: of Android chains, lower-case hexadecimal
    """

    metadata: Metadata | None = None
    roots: Sequence[Root] = ()
    revoked_serials: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is stored of an attestation.

    :ivar reason: why trust is no higher: a reason of `chains`, SOFTWARE, KIND, ALGORITHM
    :ivar anchor: name or SHA-256 of the anchor
    :ivar vouched: whether the anchor's word covers the AAGUID
    :ivar entry: the model's metadata
    :ivar chain: certificates in DER
    :ivar cert_revoked: one of the chain is on the list of revoked serials
    """

    kind: Kind
    trust: Trust
    reason: str | None = None
    anchor: str | None = None
    vouched: bool = False
    entry: Entry | None = None
    chain: tuple[bytes, ...] = ()
    cert_revoked: bool = False


def judge(statement: Statement, aaguid: uuid.UUID, algorithm: int, sources: Sources, at: datetime) -> Verdict:
    """Say on whose word a statement stands.

    :param algorithm: COSE identifier of the credential's key
    :param at: the moment of the registration, at later looks too
    """
    if not statement.chain:
        trust = Trust.SELF if statement.kind is Kind.SELF else Trust.NONE
        return Verdict(kind=statement.kind, trust=trust)
    entry = sources.metadata.find(aaguid, statement.chain[0]) if sources.metadata else None
    trust, anchor, reason = _anchor(statement, aaguid, entry, sources, at)
    reason = reason or _unfit(statement, algorithm, entry)
    revoked = set(certificates.serials(statement.chain)).intersection(sources.revoked_serials)
    return Verdict(
        kind=statement.kind,
        trust=trust if reason is None else Trust.UNVERIFIED,
        reason=reason,
        anchor=anchor.name if anchor is not None and reason is None else None,
        vouched=reason is None and _vouched(statement, aaguid, trust, anchor),
        entry=entry,
        chain=tuple(one.public_bytes(Encoding.DER) for one in statement.chain),
        cert_revoked=bool(revoked),
    )


def _anchor(
    statement: Statement, aaguid: uuid.UUID, entry: Entry | None, sources: Sources, at: datetime
) -> tuple[Trust, Anchor | None, str | None]:
    local = [root.anchor for root in sources.roots if root.serves(statement.fmt, aaguid, at)]
    listed = _listed(statement.fmt, aaguid, entry, sources.roots)
    verified = anchored(statement.chain, listed, at)
    if verified.anchor is not None:
        return Trust.VERIFIED, verified.anchor, None
    found = anchored(statement.chain, local, at)
    # Where no local root is meant, why the metadata's does not hold says more.
    return Trust.LOCAL, found.anchor, verified.reason if found.reason == NO_ANCHOR else found.reason


def _listed(fmt: str, aaguid: uuid.UUID, entry: Entry | None, roots: Sequence[Root]) -> list[Anchor]:
    """The roots of a metadata statement; that of Android has public web roots too, for an ended format."""
    anchors = [Anchor.of_certificate(one, dates=False) for one in entry.roots] if entry else []
    android = [root.anchor for root in roots if _ANDROID in root.formats]
    of_android = any(one.aaguids and aaguid in one.aaguids for one in android)
    if fmt == _SAFETYNET or not (fmt == _ANDROID or of_android):
        return anchors
    return [one for one in android if any(one.carried_by(listed.certificate) for listed in anchors)]


def _unfit(statement: Statement, algorithm: int, entry: Entry | None) -> str | None:
    if not statement.in_hardware:
        return "SOFTWARE"
    if entry is None:
        return None
    if not entry.types & statement.types:
        return "KIND"
    if entry.algorithms and not entry.algorithms & _ALGORITHMS.get(algorithm, set()):
        return "ALGORITHM"
    return None


def _vouched(statement: Statement, aaguid: uuid.UUID, trust: Trust, anchor: Anchor | None) -> bool:
    if anchor is None:
        return False
    if not aaguid.int:
        return statement.fmt == "fido-u2f"
    if trust is Trust.VERIFIED or anchor.aaguids is not None:
        return True
    return certificates.aaguid_of(statement.chain[0]) == aaguid
