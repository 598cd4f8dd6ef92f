"""Client certificates and trust stores of callbacks (spec/core-api.md §18.5, cloud-api §11.5)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from powerauth_contracts.callback_authentication import CertificateAuthentication, HttpAuthenticationPrivate
from powerauth_core.callbacks.certificates import CertificateUnusable, resolve_location, tls_context
from powerauth_core.callbacks.clients import CallbackClient, DeliveryFailed
from powerauth_core.kernel.egress import Egress
from powerauth_core.settings import CoreSettings

PASSWORD = "päss"


@dataclass
class Pair:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def pem(self, password: str | None = None) -> bytes:
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        return key + self.certificate.public_bytes(Encoding.PEM)


def issue(name: str, issuer: Pair | None = None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    signer = issuer.key if issuer else key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    if issuer is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = builder.add_extension(names, critical=False)
    else:
        usage = {name: name in ("key_cert_sign", "crl_sign", "digital_signature") for name in USAGES}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    return Pair(key, builder.sign(signer, hashes.SHA256()))


USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
AUTHORITY = issue("authority")
CLIENT = issue("client", AUTHORITY)
SERVER = issue("server", AUTHORITY)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Key and trust stores in both forms."""
    encryption = BestAvailableEncryption(PASSWORD.encode())
    stores = {
        "client.p12": pkcs12.serialize_key_and_certificates(
            b"Alias", CLIENT.key, CLIENT.certificate, [AUTHORITY.certificate], encryption
        ),
        "client.pem": CLIENT.pem(PASSWORD),
        "trust.p12": pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(AUTHORITY.certificate, b"authority")], encryption
        ),
        "trust.pem": AUTHORITY.certificate.public_bytes(Encoding.PEM),
        "mixed.pem": CLIENT.pem().replace(
            CLIENT.certificate.public_bytes(Encoding.PEM), SERVER.certificate.public_bytes(Encoding.PEM)
        ),
        "empty.p12": pkcs12.serialize_key_and_certificates(
            b"x", None, None, [AUTHORITY.certificate], encryption
        ),
        "garbage": b"garbage",
        "large": bytes(1024 * 1024 + 1),
    }
    folder = tmp_path / "stores"
    folder.mkdir()
    for name, data in stores.items():
        (folder / name).write_bytes(data)
    (tmp_path / "outside.pem").write_bytes(stores["trust.pem"])
    (folder / "link.pem").symlink_to(tmp_path / "outside.pem")
    return folder


@dataclass
class TlsServer:
    """An HTTPS server that asks for a client certificate and remembers whose it got."""

    url: str
    clients: list[str]


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncGenerator[TlsServer]:
    files = {"server.pem": SERVER.pem(), "ca.pem": AUTHORITY.certificate.public_bytes(Encoding.PEM)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    context.load_cert_chain(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    clients: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        certificate: Any = writer.get_extra_info("peercert")
        clients.append(certificate["subject"][0][0][1] if certificate else "")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield TlsServer(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/", clients)
    listener.close()


async def send(directory: Path, url: str, **certificate: Any) -> None:
    egress = Egress(CoreSettings(environment="test", egress_allowed_networks=["127.0.0.0/8"]))
    authentication = CertificateAuthentication(enabled=True, **certificate)
    tls = tls_context(directory, authentication)
    client = CallbackClient(egress, url, HttpAuthenticationPrivate(), tls, 10)
    try:
        await client.send(b"{}", "key")
    finally:
        await client.close()
        await egress.close()


TRUST = {
    "use_custom_trust_store": True,
    "trust_store_location": "trust.p12",
    "trust_store_password": PASSWORD,
}
KEYS = {
    "use_custom_key_store": True,
    "key_store_location": "client.p12",
    "key_store_password": PASSWORD,
    "key_alias": "alias",
}


@pytest.mark.parametrize(
    "keys",
    [
        KEYS,
        KEYS | {"key_alias": None},
        {"use_custom_key_store": True, "key_store_location": "client.pem", "key_password": PASSWORD},
    ],
)
@pytest.mark.parametrize("trust", ["trust.p12", "trust.pem"])
async def test_the_receiver_sees_the_client_certificate(
    directory: Path, server: TlsServer, keys: dict[str, Any], trust: str
) -> None:
    await send(directory, server.url, **keys, **(TRUST | {"trust_store_location": trust}))
    assert server.clients == ["client"]


async def test_without_a_key_store_no_certificate_is_shown(directory: Path, server: TlsServer) -> None:
    await send(directory, server.url, **TRUST)
    assert server.clients == [""]


async def test_a_receiver_outside_the_trust_store_is_refused(directory: Path, server: TlsServer) -> None:
    with pytest.raises(DeliveryFailed):
        await send(directory, server.url, **KEYS)
    assert server.clients == []


@pytest.mark.parametrize(
    "certificate",
    [
        KEYS | {"key_store_password": "wrong"},
        KEYS | {"key_store_password": None},
        KEYS | {"key_alias": "other"},
        KEYS | {"key_store_location": "missing.p12"},
        KEYS | {"key_store_location": "garbage"},
        KEYS | {"key_store_location": "large"},
        KEYS | {"key_store_location": "empty.p12"},
        KEYS | {"key_store_location": "mixed.pem", "key_store_password": None},
        KEYS | {"key_store_location": "client.pem", "key_store_password": None},
        KEYS | {"key_store_location": "trust.pem"},
        TRUST | {"trust_store_password": "wrong"},
        TRUST | {"trust_store_location": "garbage"},
        TRUST | {"trust_store_location": "link.pem"},
    ],
)
def test_unusable_stores_are_refused_without_naming_a_secret(
    directory: Path, certificate: dict[str, Any]
) -> None:
    with pytest.raises(CertificateUnusable) as refused:
        tls_context(directory, CertificateAuthentication(enabled=True, **certificate))
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("location", ["client.p12", "file:{}/client.p12", "file://{}/client.p12"])
def test_names_and_file_urls_inside_the_directory_are_found(directory: Path, location: str) -> None:
    assert resolve_location(directory, location.format(directory)) == (directory / "client.p12").resolve()


@pytest.mark.parametrize(
    "location",
    ["../outside.pem", "file:{}/../outside.pem", "file://host{}/client.p12", "link.pem", "a/b", "C:\\x", ""],
)
def test_locations_that_lead_out_of_the_directory_are_refused(directory: Path, location: str) -> None:
    with pytest.raises(CertificateUnusable):
        resolve_location(directory, location.format(directory))


def test_no_key_is_left_on_the_disk(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    tls_context(directory, CertificateAuthentication(enabled=True, **KEYS))
    assert list(scratch.iterdir()) == []
