"""Client certificates and trust stores of callbacks: PKCS#12 or PEM files of one configured directory."""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from powerauth_contracts.callback_authentication import CertificateAuthentication

ClientKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

MAX_STORE_BYTES = 1024 * 1024
_PEM_MARK = b"-----BEGIN "


class CertificateUnusable(Exception):
    """A key or trust store cannot be used. The text names no secret."""


def resolve_location(directory: Path | None, location: str | None) -> Path:
    """The file that a location means: a plain name, or a ``file:`` URL, inside the configured directory.

    :raises CertificateUnusable: no directory is configured, or the location leads out of it
    """
    if directory is None:
        raise CertificateUnusable("no certificate directory is configured")
    if not location:
        raise CertificateUnusable("the location is missing")
    if location.startswith("file:"):
        url = urlsplit(location)
        if url.netloc not in ("", "localhost"):
            raise CertificateUnusable("the location is not a local file")
        path = Path(unquote(url.path))
    elif "/" in location or "\\" in location or ":" in location:
        raise CertificateUnusable("the location is neither a plain name nor a file URL")
    else:
        path = directory / location
    resolved = path.resolve()
    if not resolved.is_relative_to(directory.resolve()):
        raise CertificateUnusable("the location leads out of the certificate directory")
    return resolved


def check_locations(directory: Path | None, certificate: CertificateAuthentication) -> None:
    """Refuse locations that could never be used.

    :raises CertificateUnusable: see `resolve_location`
    """
    if certificate.enabled and certificate.use_custom_key_store:
        resolve_location(directory, certificate.key_store_location)
    if certificate.enabled and certificate.use_custom_trust_store:
        resolve_location(directory, certificate.trust_store_location)


def tls_context(directory: Path | None, certificate: CertificateAuthentication) -> ssl.SSLContext:
    """The TLS side of a callback: client certificate and trust anchors. Reads files; call off the loop.

    :raises CertificateUnusable: a file is missing, unreadable, or holds no usable key or certificate
    """
    context = ssl.create_default_context()
    if certificate.use_custom_trust_store:
        anchors = _trust_anchors(
            _read(resolve_location(directory, certificate.trust_store_location)),
            certificate.trust_store_password,
        )
        context = ssl.create_default_context(cadata=anchors)
    if certificate.use_custom_key_store:
        data = _read(resolve_location(directory, certificate.key_store_location))
        _load_key_store(context, data, certificate)
    return context


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_STORE_BYTES + 1)
    except OSError as error:
        raise CertificateUnusable(f"the file cannot be read: {type(error).__name__}") from None
    if len(data) > MAX_STORE_BYTES:
        raise CertificateUnusable("the file is too large")
    return data


def _trust_anchors(data: bytes, password: str | None) -> str:
    if _PEM_MARK in data:
        return data.decode("ascii", "replace")
    store = _pkcs12(data, password)
    found = [entry.certificate for entry in store.additional_certs]
    found += [store.cert.certificate] if store.cert is not None else []
    if not found:
        raise CertificateUnusable("the trust store holds no certificate")
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in found)


def _load_key_store(context: ssl.SSLContext, data: bytes, certificate: CertificateAuthentication) -> None:
    try:
        key, chain = _key_and_chain(data, certificate)
    except (ValueError, TypeError, IndexError) as error:
        raise CertificateUnusable(f"the key store cannot be read: {type(error).__name__}") from None
    _load_chain(context, key, chain)


def _key_and_chain(
    data: bytes, certificate: CertificateAuthentication
) -> tuple[ClientKey, list[x509.Certificate]]:
    if _PEM_MARK in data:
        password = certificate.key_password or certificate.key_store_password
        key = load_pem_private_key(data, password.encode() if password else None)
        return _usable(key), x509.load_pem_x509_certificates(data)
    store = _pkcs12(data, certificate.key_store_password)
    if store.key is None or store.cert is None:
        raise CertificateUnusable("the key store holds no private key with a certificate")
    alias = (store.cert.friendly_name or b"").decode("utf-8", "replace")
    if certificate.key_alias and alias.lower() != certificate.key_alias.lower():
        raise CertificateUnusable("the key store holds no key of this alias")
    others = [entry.certificate for entry in store.additional_certs]
    return _usable(store.key), [store.cert.certificate, *others]


def _usable(key: object) -> ClientKey:
    if not isinstance(key, ClientKey):
        raise CertificateUnusable("the private key is of an unusable kind")
    return key


def _pkcs12(data: bytes, password: str | None) -> pkcs12.PKCS12KeyAndCertificates:
    try:
        return pkcs12.load_pkcs12(data, password.encode() if password else None)
    except ValueError:
        raise CertificateUnusable("neither PEM nor a readable PKCS#12 store") from None


def _load_chain(context: ssl.SSLContext, key: ClientKey, chain: list[x509.Certificate]) -> None:
    # The ssl module reads keys from files only: what touches the disk is encrypted under a key that does not.
    passphrase = secrets.token_hex(32).encode()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    pem += b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
    descriptor, name = tempfile.mkstemp(prefix="callback-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name, password=passphrase)
    except ssl.SSLError:
        raise CertificateUnusable("the private key does not belong to the certificate") from None
    finally:
        Path(name).unlink(missing_ok=True)
