"""Makers of authenticators: a root, what it issues, and the leaves that sign statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509 import Certificate, ExtensionType, Name, NameAttribute
from cryptography.x509.oid import NameOID

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

LEAF_NAME: Final = {
    NameOID.COUNTRY_NAME: "AA",
    NameOID.ORGANIZATION_NAME: "Test Authenticators",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "Authenticator Attestation",
    NameOID.COMMON_NAME: "Test Authenticator",
}
"""What format ``packed`` demands of a leaf's subject."""

DATES: Final = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)


def named(members: dict[x509.ObjectIdentifier, str]) -> Name:
    """A subject of these members."""
    return Name([NameAttribute(oid, value) for oid, value in members.items()])


def certificate(
    subject: Name,
    key: CertificatePublicKeyTypes,
    issuer: Name,
    signer: SigningKey,
    *,
    ca: bool = False,
    path_length: int | None = None,
    dates: tuple[datetime, datetime] = DATES,
    extensions: Sequence[tuple[ExtensionType, bool]] = (),
    serial: int | None = None,
) -> Certificate:
    """Issue a certificate.

    :param extensions: each with whether it is critical
    """
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(serial or x509.random_serial_number())
    builder = builder.not_valid_before(dates[0]).not_valid_after(dates[1])
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())


@dataclass(slots=True)
class Maker:
    """A root with one intermediate; each maker has keys of its own.

    :ivar dates: of the intermediate and of leaves
    """

    name: str = "Test Maker"
    dates: tuple[datetime, datetime] = DATES
    root_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    intermediate_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    root: Certificate = field(init=False)
    intermediate: Certificate = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.root_certificate(DATES)
        self.intermediate = certificate(
            self._name("Intermediate"),
            self.intermediate_key.public_key(),
            self._name("Root"),
            self.root_key,
            ca=True,
            path_length=0,
            dates=self.dates,
        )

    def root_certificate(self, dates: tuple[datetime, datetime]) -> Certificate:
        """A certificate of the root's key with dates of its own."""
        name = self._name("Root")
        return certificate(name, self.root_key.public_key(), name, self.root_key, ca=True, dates=dates)

    def leaf(
        self,
        key: CertificatePublicKeyTypes,
        subject: Name | None = None,
        extensions: Sequence[tuple[ExtensionType, bool]] = (),
        *,
        ca: bool = False,
        by_root: bool = False,
    ) -> Certificate:
        """A leaf of the intermediate, or of the root itself, as FIDO U2F sends it.

        :param subject: None: what format ``packed`` demands
        """
        return certificate(
            named(LEAF_NAME) if subject is None else subject,
            key,
            self._name("Root" if by_root else "Intermediate"),
            self.root_key if by_root else self.intermediate_key,
            ca=ca,
            dates=self.dates,
            extensions=extensions,
        )

    def _name(self, role: str) -> Name:
        return named({NameOID.ORGANIZATION_NAME: self.name, NameOID.COMMON_NAME: f"{self.name} {role}"})
