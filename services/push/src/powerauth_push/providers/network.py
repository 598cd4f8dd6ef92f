"""The way to a provider: TLS, proxy, and what is waited for."""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Origin:
    """A server."""

    host: str
    port: int = 443

    @classmethod
    def of(cls, url: str) -> Origin:
        """The server of a URL.

        :raises ValueError: the URL has no host, or is not https
        """
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError("is no URL of https")
        return cls(parts.hostname, _port(parts))

    @property
    def authority(self) -> str:
        """As HTTP names it: the port only where it is another than usual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https"] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A plain HTTP proxy that lets connections through by `CONNECT` (spec/push-api.md §22).

    :ivar username: empty: the proxy asks for none
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def authorization(self) -> str | None:
        """The value of `Proxy-Authorization`."""
        if not self.username:
            return None
        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Route:
    """How one provider is reached. Seconds.

    :ivar ca_file: trust anchors in place of the platform's
    :ivar send_seconds: of one request, from the wish to send it to its answer
    :ivar ping_seconds: of silence before the server is asked whether it is there
    :ivar connections: at a time to one server
    :ivar streams: requests at a time on one connection, however many more the server allows
    :ivar queue: requests that wait for room; any more are refused
    """

    ca_file: Path | None = None
    proxy: Proxy | None = None
    connect_seconds: float = 5.0
    send_seconds: float = 30.0
    ping_seconds: float = 60.0
    connections: int = 2
    streams: int = 100
    queue: int = 10_000


ClientKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Who we are to a server that asks in TLS.

    :ivar chain: our own certificate first
    """

    key: ClientKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(repr=False)


def http2_tls(ca_file: Path | None, certificate: ClientCertificate | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer that asks for HTTP/2.

    :raises OSError: the file cannot be read, or holds no certificate
    """
    if certificate is None:
        return _shared_tls(ca_file)
    context = _http2_context(ca_file)
    _present(context, certificate)
    return context


def plain_tls(ca_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer for HTTP/1.1.

    :raises OSError: the file cannot be read, or holds no certificate
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _http2_context(ca_file: Path | None) -> ssl.SSLContext:
    context = plain_tls(ca_file)
    context.set_alpn_protocols(["h2"])
    return context


@cache
def _shared_tls(ca_file: Path | None) -> ssl.SSLContext:
    """Reading the platform's trust anchors takes tens of milliseconds."""
    return _http2_context(ca_file)


def _present(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    # The ssl module reads keys from files only: what touches the disk is encrypted under a key that does not.
    passphrase = secrets.token_hex(32).encode()
    pem = certificate.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)
    )
    pem += b"".join(link.public_bytes(Encoding.PEM) for link in certificate.chain)
    descriptor, name = tempfile.mkstemp(prefix="push-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name, password=passphrase)
    finally:
        Path(name).unlink(missing_ok=True)


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
