"""Named local roots: keys that vouch for models without metadata (spec/device-trust.md §4.10)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from cryptography import x509

from powerauth_core.passkeys.attestation.chains import Anchor, spki_of
from powerauth_core.passkeys.refusals import Malformed

APPLICATION_FORMATS: Final = frozenset({"packed", "fido-u2f", "tpm"})
"""Formats that ``fido2_root_ca_certs`` are anchors for."""

_BY_EXTENSION: Final = "extension"


@dataclass(frozen=True, slots=True)
class Root:
    """One row of the file of roots.

    :ivar begins: registrations before it do not count, None: no bound; `ends` likewise
    """

    anchor: Anchor
    formats: frozenset[str]
    begins: datetime | None = None
    ends: datetime | None = None

    def serves(self, fmt: str, aaguid: uuid.UUID, at: datetime) -> bool:
        """Whether it is an anchor at all for a statement of this format about this model."""
        in_time = (self.begins is None or self.begins <= at) and (self.ends is None or at <= self.ends)
        listed = self.anchor.aaguids is None or aaguid in self.anchor.aaguids
        return in_time and listed and fmt in self.formats


@cache
def shipped() -> tuple[Root, ...]:
    """The roots that the core comes with."""
    text = files(__package__).joinpath("attestation-roots.json").read_text(encoding="utf-8")
    return tuple(_root(row) for row in json.loads(text))


def read(text: str, base: Iterable[Root] = ()) -> tuple[Root, ...]:
    """Read a file of roots.

    :param base: roots that it extends; a row of the same name takes the place of one
    :raises Malformed: it is no such file, or a row's certificates are not of its key
    """
    try:
        rows = [_root(row) for row in json.loads(text)]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Malformed("file of attestation roots") from None
    named = {root.anchor.name: root for root in (*base, *rows)}
    return tuple(named.values())


def of_application(pems: Iterable[str]) -> tuple[Root, ...]:
    """``fido2_root_ca_certs`` of an application.

    :raises Malformed: one is no certificate
    """
    try:
        found = [x509.load_pem_x509_certificate(pem.encode()) for pem in pems]
    except ValueError:
        raise Malformed("fido2_root_ca_certs") from None
    return tuple(Root(Anchor.of_certificate(one, dates=True), APPLICATION_FORMATS) for one in found)


def _root(row: Mapping[str, Any]) -> Root:
    certificates = [x509.load_pem_x509_certificate(pem.encode()) for pem in row["certificates"]]
    digests = {hashlib.sha256(spki_of(one)).hexdigest() for one in certificates}
    if digests != {row["spkiSha256"]}:
        raise ValueError("certificates of another key")
    listed = row["aaguids"]
    anchor = Anchor(
        row["name"],
        certificates[-1],
        spki_of(certificates[-1]),
        bool(row.get("anchorDates")),
        bool(row.get("allowExpiredFactoryChain")),
        None if listed == _BY_EXTENSION else frozenset(uuid.UUID(one) for one in listed),
    )
    bounds = (row.get(name) for name in ("notBefore", "notAfter"))
    begins, ends = (datetime.fromisoformat(one) if one else None for one in bounds)
    return Root(anchor, frozenset(row["formats"]), begins, ends)
