"""Credentials as an administrator uploads them, refused with the reason (spec/push-api.md §11.1, §17).

A reason names what is wrong and never repeats a value of a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509.oid import NameOID

from powerauth_protocol.common.json_text import JsonError, read_json_object
from powerauth_push.providers.key_costs import MOST_ITERATIONS, MOST_RSA_BITS, is_costly
from powerauth_push.providers.messages import Environment
from powerauth_push.providers.network import ClientCertificate, ClientKey

_TEN = re.compile(r"[A-Z0-9]{10}")
_BUNDLE = re.compile(r"[A-Za-z0-9.-]{1,155}")
_PROJECT = re.compile(r"[a-z0-9.:-]{1,128}")
_HMS_ID = re.compile(r"[0-9A-Za-z._-]{1,255}")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_ACCOUNT = "service_account"
_SMALLEST_RSA_BITS = 2048
_PEM_MARK = b"-----BEGIN "
_GOOGLE_HOSTS = re.compile(r"(?:[a-z0-9-]+\.)*googleapis\.com|accounts\.google\.com")


class CredentialsRefused(Exception):
    """Credentials that can never work; the text is for the administrator and holds no secret."""


@dataclass(frozen=True, slots=True)
class ApnsKey:
    """Token authentication at Apple."""

    team_id: str
    key_id: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApnsCredentials:
    """One of the two ways in which an application shows Apple who it is.

    :ivar bundle: the topic
    """

    bundle: str
    by: ApnsKey | ClientCertificate
    environment: Environment | None = None


@dataclass(frozen=True, slots=True)
class FcmCredentials:
    """A service account of Google.

    :ivar token_url: as its file names it
    """

    project_id: str
    account: str
    key_id: str
    token_url: str
    key: rsa.RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class HmsCredentials:
    """An application of Huawei."""

    project_id: str
    client_id: str
    client_secret: str = field(repr=False)


def apns_key(bundle: str, team_id: str, key_id: str, private_key: bytes) -> ApnsCredentials:
    """From a `.p8` file of Apple.

    :raises CredentialsRefused: no such key, or no such names
    """
    _check_bundle(bundle)
    if not _TEN.fullmatch(team_id):
        raise CredentialsRefused("the team id is not ten capital letters and digits")
    if not _TEN.fullmatch(key_id):
        raise CredentialsRefused("the key id is not ten capital letters and digits")
    key = _pem_key(private_key)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CredentialsRefused("the private key is not one of the curve P-256")
    return ApnsCredentials(bundle, ApnsKey(team_id, key_id, key))


def apns_certificate(bundle: str, store: bytes, password: str | None, now: datetime) -> ApnsCredentials:
    """From a key and certificate of Apple, PKCS#12 or PEM.

    :param now: naive UTC
    :raises CredentialsRefused: it cannot be read, is not valid now, or is for another bundle
    """
    _check_bundle(bundle)
    certificate = _store(store, password)
    own = certificate.chain[0]
    if own.public_key() != certificate.key.public_key():
        raise CredentialsRefused("the private key does not belong to the certificate")
    if own.not_valid_after_utc.replace(tzinfo=None) <= now:
        raise CredentialsRefused("the certificate has expired")
    if own.not_valid_before_utc.replace(tzinfo=None) > now:
        raise CredentialsRefused("the certificate is not valid yet")
    named = own.subject.get_attributes_for_oid(NameOID.USER_ID)
    if named and named[0].value != bundle:
        raise CredentialsRefused("the certificate is for another bundle")
    return ApnsCredentials(bundle, certificate)


def fcm_account(project_id: str, file: bytes, *, any_token_url: bool = False) -> FcmCredentials:
    """From a service account's JSON file.

    :param any_token_url: the installation names the token endpoint itself
    :raises CredentialsRefused: no such file, or of another project
    """
    if not _PROJECT.fullmatch(project_id):
        raise CredentialsRefused("the project id is none")
    try:
        members = read_json_object(file)
    except JsonError:
        raise CredentialsRefused("the file is no JSON object") from None
    if members.get("type") != _ACCOUNT:
        raise CredentialsRefused("the file is not one of a service account")
    if members.get("project_id", project_id) != project_id:
        raise CredentialsRefused("the file is of another project")
    account, key_id, token_url = (
        _text(members, name) for name in ("client_email", "private_key_id", "token_uri")
    )
    key = _pem_key(_text(members, "private_key").encode())
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _SMALLEST_RSA_BITS:
        raise CredentialsRefused(f"the private key is not one of RSA with {_SMALLEST_RSA_BITS} bits or more")
    if not any_token_url:
        check_token_url(token_url)
    return FcmCredentials(project_id, account, key_id, token_url, key)


def check_token_url(url: str) -> None:
    """Whoever writes the address must not get what shows who we are.

    :raises CredentialsRefused: it is not Google's, or not https
    """
    if not _is_googles(url):
        raise CredentialsRefused("the token endpoint is not Google's")


def hms_client(project_id: str, client_id: str, client_secret: str) -> HmsCredentials:
    """From what Huawei's console shows.

    :raises CredentialsRefused: no such names
    """
    if not _HMS_ID.fullmatch(project_id):
        raise CredentialsRefused("the project id is none")
    if not _HMS_ID.fullmatch(client_id):
        raise CredentialsRefused("the client id is none")
    if not _VISIBLE.fullmatch(client_secret):
        raise CredentialsRefused("the client secret is none")
    return HmsCredentials(project_id, client_id, client_secret)


def _check_bundle(bundle: str) -> None:
    if not _BUNDLE.fullmatch(bundle):
        raise CredentialsRefused("the bundle id is not letters, digits, dots and hyphens")


def _check_cost(file: bytes) -> None:
    if is_costly(file):
        raise CredentialsRefused(
            f"it wants more than {MOST_ITERATIONS} iterations, or RSA of more than {MOST_RSA_BITS} bits"
        )


def _pem_key(data: bytes) -> object:
    _check_cost(data)
    try:
        return load_pem_private_key(data, None)
    except TypeError:
        raise CredentialsRefused("the private key needs a password") from None
    except Exception:  # the library has many ways to say that this is no key
        raise CredentialsRefused("the private key is none in PEM form") from None


def _store(data: bytes, password: str | None) -> ClientCertificate:
    _check_cost(data)
    secret = password.encode() if password else None
    try:
        if _PEM_MARK in data:
            return ClientCertificate(
                _usable(load_pem_private_key(data, secret)), tuple(x509.load_pem_x509_certificates(data))
            )
        found = pkcs12.load_pkcs12(data, secret)
    except CredentialsRefused:
        raise
    except Exception:  # as above
        raise CredentialsRefused(
            "the certificate is neither PEM nor PKCS#12, or its password is wrong"
        ) from None
    if found.key is None or found.cert is None:
        raise CredentialsRefused("the file holds no private key with its certificate")
    others = [entry.certificate for entry in found.additional_certs]
    return ClientCertificate(_usable(found.key), (found.cert.certificate, *others))


def _usable(key: object) -> ClientKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CredentialsRefused("the private key is neither RSA nor of a curve")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size > MOST_RSA_BITS:
        raise CredentialsRefused(f"the private key has more than {MOST_RSA_BITS} bits")
    return key


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise CredentialsRefused(f"the file has no {name}")
    return value


def _is_googles(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme == "https" and port in (None, 443) and bool(_GOOGLE_HOSTS.fullmatch(host))
