"""Whether a BLOB is the publisher's, as the settings know it (spec/device-trust.md §4.11)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from cryptography import x509
from cryptography.x509 import Certificate, CertificateRevocationList

from powerauth_core.passkeys.metadata import blob, entries
from powerauth_core.passkeys.metadata.blob import Known, Trust, Verified
from powerauth_core.passkeys.metadata.entries import Metadata
from powerauth_core.passkeys.refusals import MetadataRefused
from powerauth_core.settings import CoreSettings


@dataclass(frozen=True, slots=True)
class Difference:
    """How the models of one BLOB differ from those of another, in numbers.

    :ivar revoked: models that no policy refused by default before, and every one does now
    """

    added: int
    changed: int
    revoked: tuple[str, ...]


def judge(
    settings: CoreSettings,
    content: bytes,
    at: datetime,
    known: Known | None = None,
    local: Sequence[object] = (),
) -> Verified | None:
    """Check and read a BLOB; costs half a second, so for a thread.

    :param at: naive UTC, when the publisher's certificates have to be valid
    :param known: what is in force
    :param local: metadata statements trusted by configuration
    :return: None: it is the one in force
    :raises MetadataRefused: it is not the publisher's, or not newer; TRUST: the settings name no anchors that
        can be read
    """
    return blob.verify(content, trust_of(settings), at.replace(tzinfo=UTC), known, local)


def trust_of(settings: CoreSettings) -> Trust:
    """What the publisher is known by.

    :raises MetadataRefused: TRUST: a file that the settings name can not be read
    """
    try:
        named = settings.mds_trust_anchors
        anchors = _shipped() if named is None else _read_anchors(named)
        return Trust(anchors=anchors, revocations=_revocations(settings.mds_crl_directory))
    except (OSError, ValueError) as error:
        raise MetadataRefused("TRUST", type(error).__name__) from None


def difference(before: Metadata | None, after: Metadata) -> Difference:
    """What a BLOB changes."""
    old = {} if before is None else before.by_aaguid
    common = [name for name in after.by_aaguid if name in old]
    return Difference(
        added=len(after.by_aaguid.keys() - old.keys()),
        changed=sum(after.by_aaguid[name] != old[name] for name in common),
        revoked=tuple(
            sorted(str(name) for name in common if _rejected(after, name) and not _rejected(before, name))
        ),
    )


def _rejected(metadata: Metadata | None, name: uuid.UUID) -> bool:
    entry = None if metadata is None else metadata.by_aaguid.get(name)
    return entry is not None and entry.rejected_by(entries.REJECTED_STATUSES, ()) is not None


@lru_cache(maxsize=1)
def _shipped() -> tuple[Certificate, ...]:
    content = files(__package__).joinpath("publisher-roots.pem").read_bytes()
    return tuple(x509.load_pem_x509_certificates(content))


def _read_anchors(path: Path) -> tuple[Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates(path.read_bytes()))


def _revocations(directory: Path | None) -> tuple[CertificateRevocationList, ...]:
    if directory is None:
        return ()
    return tuple(_revocation(path.read_bytes()) for path in sorted(directory.iterdir()) if path.is_file())


def _revocation(content: bytes) -> CertificateRevocationList:
    if content.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(content)
    return x509.load_der_x509_crl(content)
