"""A certificate authority for one run: of tests, and of servers that play somebody else's."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from servicekit.tls.contexts import TlsFiles

LIFE = timedelta(days=7)
LOOPBACK = "127.0.0.1"
THIS_MACHINE = ("localhost", LOOPBACK)


class Authority:
    """Signs certificates; its own is what others have to trust.

    :param folder: where the files go that TLS is read from
    """

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = common_name(name)
        self._certificate = self.signed(self._name, self._key, (), authority=True)
        self.ca_file = folder / f"{name}.ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str, names: Sequence[str] = THIS_MACHINE, *, life: timedelta = LIFE) -> TlsFiles:
        """A new key and its certificate, in the files of this name.

        :param names: DNS names, addresses and URIs that it is for
        :param life: from now; negative: it has expired
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.signed(common_name(name), key, names, life=life)
        files = TlsFiles(self.folder / f"{name}.crt", self.folder / f"{name}.key", self.ca_file)
        assert files.certificate is not None
        assert files.key is not None
        files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def trusting(self, shown: TlsFiles | None = None) -> ssl.SSLContext:
        """TLS of a client that trusts this authority.

        :param shown: what it shows of itself
        """
        context = ssl.create_default_context(cafile=self.ca_file)
        if shown is not None:
            shown.load_pair(context)
        return context

    def signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: Sequence[str],
        *,
        authority: bool = False,
        life: timedelta = LIFE,
    ) -> x509.Certificate:
        """A certificate of a key."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + min(life, timedelta()) - timedelta(days=1))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def common_name(name: str) -> x509.Name:
    """A subject that has nothing but this."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
