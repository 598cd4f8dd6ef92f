"""A publisher of metadata: signs BLOBs under a root of its own."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from cryptography.x509.oid import NameOID

from powerauth_core.passkeys.metadata.blob import PUBLISHER, Trust
from powerauth_protocol.common.encoding import b64url_encode
from powerauth_sdk.authenticator import Maker
from powerauth_sdk.authenticator.makers import DATES, certificate, named

ENTRIES: list[dict[str, Any]] = []


def text_of(certificate: Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.DER)).decode()


def entry(
    aaguid: uuid.UUID, *roots: Certificate, status: str = "FIDO_CERTIFIED_L1", **members: Any
) -> dict[str, Any]:
    """An entry of a model; members go into its statement, `statusReports` beside it."""
    reports = members.pop("statusReports", [{"status": status, "effectiveDate": "2024-01-01"}])
    statement = {
        "description": "Test Authenticator",
        "aaguid": str(aaguid),
        "authenticatorVersion": 1,
        "schema": 3,
        "upv": [{"major": 1, "minor": 0}],
        "attestationTypes": ["basic_full", "attca", "anonca"],
        "userVerificationDetails": [[{"userVerificationMethod": "passcode_internal"}]],
        "keyProtection": ["hardware"],
        "matcherProtection": ["on_chip"],
        "attachmentHint": ["external"],
        "tcDisplay": [],
        "attestationRootCertificates": [text_of(root) for root in roots],
        **members,
    }
    return {
        "aaguid": str(aaguid),
        "metadataStatement": statement,
        "statusReports": reports,
        "timeOfLastStatusChange": "2024-01-01",
    }


@dataclass(slots=True)
class Publisher:
    """Signs with a leaf under its own root.

    :ivar name: of the leaf
    """

    name: str = PUBLISHER
    dates: tuple[datetime, datetime] = DATES
    maker: Maker = field(default_factory=lambda: Maker("Publisher"))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    leaf: Certificate = field(init=False)

    def __post_init__(self) -> None:
        subject = named({NameOID.COMMON_NAME: self.name})
        names = x509.SubjectAlternativeName([x509.DNSName(self.name)])
        self.leaf = certificate(
            subject,
            self.key.public_key(),
            self.maker.intermediate.subject,
            self.maker.intermediate_key,
            dates=self.dates,
            extensions=[(names, False)],
        )

    @property
    def trust(self) -> Trust:
        """What a server knows this publisher by."""
        return Trust(anchors=[self.maker.root])

    def sign(
        self,
        entries: list[dict[str, Any]] = ENTRIES,
        no: int = 1,
        next_update: str = "2026-12-01",
        **header: Any,
    ) -> bytes:
        """A BLOB; members of the header take the place of the right ones."""
        head = {"alg": "ES256", "typ": "JWT", "x5c": [text_of(self.leaf), text_of(self.maker.intermediate)]}
        payload = {"legalHeader": "test", "no": no, "nextUpdate": next_update, "entries": entries}
        signed = ".".join(
            b64url_encode(json.dumps(part).encode()) for part in (head | header, payload)
        ).encode()
        r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return signed + b"." + b64url_encode(signature).encode()


def known_by(
    publisher: Publisher, folder: Path, source: str = "UPLOAD", name: str = "publisher.pem"
) -> dict[str, Any]:
    """Settings of a core that takes this publisher's BLOBs."""
    anchors = folder / name
    anchors.write_bytes(publisher.maker.root.public_bytes(Encoding.PEM))
    return {"mds_source": source, "mds_trust_anchors": anchors}
