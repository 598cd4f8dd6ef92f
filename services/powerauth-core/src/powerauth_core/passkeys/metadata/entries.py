"""Entries of the metadata service: what is known of a model (spec/device-trust.md §4.10, §4.11)."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import Certificate

from powerauth_core.passkeys.attestation import certificates

REVOKED: Final = "REVOKED"
REJECTED_STATUSES: Final = frozenset(
    {
        REVOKED,
        "USER_VERIFICATION_BYPASS",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    }
)
"""Default of policy ``mdsRejectStatuses``."""

CERTIFICATIONS: Final = (
    "FIDO_CERTIFIED",
    "FIDO_CERTIFIED_L1",
    "FIDO_CERTIFIED_L1plus",
    "FIDO_CERTIFIED_L2",
    "FIDO_CERTIFIED_L2plus",
    "FIDO_CERTIFIED_L3",
    "FIDO_CERTIFIED_L3plus",
)
"""From the lowest to the highest."""

_MENDING: Final = (*CERTIFICATIONS, "UPDATE_AVAILABLE")
_BROKEN: Final = (ValueError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True, slots=True)
class Report:
    """One status of a model.

    :ivar certificates: DER of those that it is about; empty: all of the model's
    """

    status: str
    since: date
    version: int
    certificates: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """One model.

    :ivar key_identifiers: SHA-1 of attestation certificates' keys, hexadecimal, of models without AAGUID
    :ivar types: ``attestationTypes`` of its statement
    :ivar algorithms: ``authenticationAlgorithms`` of its statement; empty where it names none
    :ivar reports: by date, then as they stand
    """

    aaguid: uuid.UUID | None
    key_identifiers: tuple[str, ...]
    description: str
    types: frozenset[str]
    algorithms: frozenset[str]
    roots: tuple[Certificate, ...]
    reports: tuple[Report, ...]

    def rejected_by(self, statuses: Collection[str], chain: Sequence[bytes]) -> str | None:
        """The status that stops the model, None if none does.

        :param chain: certificates of the statement in DER; a compromised one stops only those under it
        """
        for place, report in enumerate(self.reports):
            if report.status not in statuses or (
                report.certificates and not report.certificates & set(chain)
            ):
                continue
            later = self.reports[place + 1 :]
            if report.status == REVOKED or not any(_mends(other, report) for other in later):
                return report.status
        return None

    def certified(self, least: str) -> bool:
        """Whether the model was certified at a level or above it."""
        levels = [CERTIFICATIONS.index(one.status) for one in self.reports if one.status in CERTIFICATIONS]
        return max(levels, default=-1) >= CERTIFICATIONS.index(least)


def _mends(later: Report, report: Report) -> bool:
    return later.status in _MENDING and later.version > report.version


@dataclass(frozen=True, slots=True)
class Metadata:
    """The models of one BLOB, local statements among them.

    :ivar no: its number
    :ivar models: how many entries could be read, whatever they are named by
    :ivar warnings: what was left out of it, and why
    """

    no: int
    next_update: date
    by_aaguid: Mapping[uuid.UUID, Entry]
    by_key: Mapping[str, Entry]
    warnings: tuple[str, ...] = field(default=())
    models: int = 0

    def find(self, aaguid: uuid.UUID, leaf: Certificate | None) -> Entry | None:
        """The model by its AAGUID; without one (FIDO U2F) by the key of its attestation certificate."""
        if aaguid.int or leaf is None:
            return self.by_aaguid.get(aaguid)
        return self.by_key.get(certificates.key_identifier(leaf))

    def stale(self, now: datetime) -> bool:
        """Whether a newer one is due."""
        return now.astimezone(UTC).date() > self.next_update

    def usable(self, now: datetime, max_stale_days: int) -> bool:
        """Whether registrations may still rest on it."""
        return now.astimezone(UTC).date() <= self.next_update + timedelta(days=max_stale_days)


def read(no: int, next_update: date, entries: Sequence[object], local: Sequence[object] = ()) -> Metadata:
    """Read the entries of a verified payload; what can not be read is left out with a warning.

    :param local: metadata statements trusted by configuration, which take an AAGUID's place
    """
    by_aaguid: dict[uuid.UUID, Entry] = {}
    by_key: dict[str, Entry] = {}
    warnings: list[str] = []
    models = 0
    for place, encoded in enumerate(entries):
        entry = _entry(place, encoded, warnings)
        models += entry is not None
        if entry is not None and entry.aaguid is not None:
            if entry.aaguid in by_aaguid:
                warnings.append(f"entry {place}: {entry.aaguid} a second time")
            by_aaguid[entry.aaguid] = entry
        if entry is not None:
            by_key.update(dict.fromkeys(entry.key_identifiers, entry))
    for place, statement in enumerate(local):
        entry = _entry(place, _as_entry(statement), warnings)
        if entry is not None and entry.aaguid is not None:
            by_aaguid[entry.aaguid] = entry
    return Metadata(no, next_update, by_aaguid, by_key, tuple(warnings), models)


def _as_entry(statement: object) -> object:
    members = _mapping(statement) if isinstance(statement, Mapping) else {}
    return {"aaguid": members.get("aaguid"), "metadataStatement": members, "statusReports": []}


def _entry(place: int, encoded: object, warnings: list[str]) -> Entry | None:
    """Only the members that something is decided from: one that is new or odd elsewhere costs no model."""
    try:
        members = _mapping(encoded)
        statement = _mapping(members["metadataStatement"])
        aaguid = members.get("aaguid")
        return Entry(
            uuid.UUID(aaguid) if aaguid is not None else None,
            tuple(one.lower() for one in _texts(members.get("attestationCertificateKeyIdentifiers"))),
            str(statement["description"]),
            frozenset(_texts(statement["attestationTypes"])),
            frozenset(_texts(statement.get("authenticationAlgorithms"))),
            _roots(place, _texts(statement["attestationRootCertificates"]), warnings),
            tuple(sorted(map(_report, members["statusReports"]), key=lambda one: one.since)),
        )
    except _BROKEN as error:
        warnings.append(f"entry {place}: {type(error).__name__}")
        return None


def _roots(place: int, encoded: Sequence[str], warnings: list[str]) -> tuple[Certificate, ...]:
    roots = []
    for number, text in enumerate(encoded):
        try:
            roots.append(_root("".join(text.split())))
        except (*_BROKEN, x509.InvalidVersion, UnsupportedAlgorithm):
            warnings.append(f"entry {place}: root {number} can not be read")
    return tuple(roots)


def _root(text: str) -> Certificate:
    """A root whose key can be read."""
    certificate = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    certificate.public_key()
    return certificate


def _report(encoded: object) -> Report:
    members = _mapping(encoded)
    since, version = members.get("effectiveDate"), members.get("authenticatorVersion")
    named = (members.get("certificate"), members.get("batchCertificate"))
    return Report(
        str(members["status"]),
        date.fromisoformat(since) if since is not None else date.min,
        version if isinstance(version, int) else 0,
        frozenset(base64.b64decode(one) for one in named if one),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("no object")
    return value


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("no list of texts")
    return value
