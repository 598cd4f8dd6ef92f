"""Format ``tpm`` (WebAuthn Level 3 §8.3).

The library reads the public area. Its own procedure also refuses a ``safe`` that is neither 0 nor 1, in a
clock that nobody looks at and that the specification's test vector sets to 0x33.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.x509 import Certificate
from fido2.attestation.tpm import TpmPublicFormat
from fido2.cose import CoseKey

from powerauth_core.passkeys import keys
from powerauth_core.passkeys.attestation import certificates
from powerauth_core.passkeys.keys import CredentialKey
from powerauth_core.passkeys.refusals import StatementInvalid

_GENERATED_CERTIFY: Final = b"\xffTCG\x80\x17"
_CLOCK_AND_FIRMWARE: Final = 17 + 8
_AIK: Final = x509.ObjectIdentifier("2.23.133.8.3")
_ATTRIBUTES: Final = {"2.23.133.2.1", "2.23.133.2.2", "2.23.133.2.3"}
"""Manufacturer, model and version, which the alternative name of an AIK certificate holds."""
_HASHES: Final = {-7: "sha256", -35: "sha384", -36: "sha512", -257: "sha256", -65535: "sha1"}
"""Signatures with SHA-1 are those of older Windows machines; what is signed was made by the TPM itself."""


@dataclass(frozen=True, slots=True)
class CertifyInfo:
    """What a TPM signs when it certifies a key.

    :ivar extra_data: what the caller wanted signed along
    :ivar name: hash of the certified key's public area, with the algorithm before it
    """

    extra_data: bytes
    name: bytes


def verify(statement: Mapping[Any, Any], leaf: Certificate, key: CredentialKey, signed: bytes) -> None:
    """Check that a TPM certified this key for what was signed.

    :param signed: authenticator data and hash of the client data
    :raises StatementInvalid: it did not; the libraries' errors for what is broken
    """
    if statement.get("ver") != "2.0":
        raise StatementInvalid("VERSION")
    _check_leaf(leaf)
    info, area = statement["certInfo"], TpmPublicFormat.parse(statement["pubArea"])
    algorithm = statement["alg"]
    CoseKey.for_alg(algorithm).from_cryptography_key(leaf.public_key()).verify(info, statement["sig"])
    certified = _read(info)
    if not hmac.compare_digest(certified.extra_data, hashlib.new(_HASHES[algorithm], signed).digest()):
        raise StatementInvalid("EXTRA_DATA")
    if certified.name != area.name() or not keys.same_key(key, area.public_key()):
        raise StatementInvalid("KEY")


def _check_leaf(leaf: Certificate) -> None:
    """An AIK certificate: no subject, a TPM's name instead, made for nothing else."""
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = {
        attribute.oid.dotted_string
        for name in names.get_values_for_type(x509.DirectoryName)
        for attribute in name
    }
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if len(leaf.subject) or not found >= _ATTRIBUTES or _AIK not in usages:
        raise StatementInvalid("AIK")
    if leaf.version is not x509.Version.v3 or certificates.constraints(leaf).ca:
        raise StatementInvalid("AIK")


def _read(info: bytes) -> CertifyInfo:
    if not info.startswith(_GENERATED_CERTIFY):
        raise StatementInvalid("CERT_INFO")
    _, at = _sized(info, len(_GENERATED_CERTIFY))
    extra, at = _sized(info, at)
    name, at = _sized(info, at + _CLOCK_AND_FIRMWARE)
    _, at = _sized(info, at)
    if at != len(info):
        raise StatementInvalid("CERT_INFO")
    return CertifyInfo(extra, name)


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    if end > len(data):
        raise StatementInvalid("CERT_INFO")
    return data[at + 2 : end], end
