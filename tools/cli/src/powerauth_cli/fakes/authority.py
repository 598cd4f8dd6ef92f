"""A certificate authority for one run: its servers, and clients that prove who they are in TLS."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_LIFE = timedelta(days=7)
LOOPBACK = "127.0.0.1"


class Authority:
    """Signs certificates; its own is what clients have to trust.

    :param folder: where the files go that TLS is read from
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake providers")])
        self._certificate = self._signed(self._name, self._key, authority=True)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def server_tls(self, protocols: Sequence[str], *, asks_for_certificate: bool = False) -> ssl.SSLContext:
        """TLS of a server on this machine.

        :param protocols: of ALPN, the preferred one first
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load(context, key, self._signed(name, key))
        context.set_alpn_protocols(list(protocols))
        if asks_for_certificate:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def client(
        self, user_id: str, *, life: timedelta = _LIFE
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """A key and its certificate, as Apple gives a provider: the topic is the subject's user id.

        :param life: from now; negative: it has expired
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.USER_ID, user_id),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {user_id}"),
            ]
        )
        return key, self._signed(name, key, life=life)

    def _load(
        self, context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".pem") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.write(certificate.public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool = False,
        life: timedelta = _LIFE,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address(LOOPBACK))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + min(life, timedelta()) - timedelta(days=1))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())
