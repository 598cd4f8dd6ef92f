"""Attestation statements in the shape of each format, under roots of one's own (WebAuthn Level 3 §8)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, ExtensionType
from fido2.cose import CoseKey

from powerauth_sdk.authenticator import der
from powerauth_sdk.authenticator.keys import PrivateKey, sign
from powerauth_sdk.authenticator.makers import Maker

_AAGUID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_APPLE_NONCE: Final = x509.ObjectIdentifier("1.2.840.113635.100.8.2")
_KEY_DESCRIPTION: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
_AIK: Final = x509.ObjectIdentifier("2.23.133.8.3")
_TPM_NAME: Final = ("2.23.133.2.1", "id:494E5443"), ("2.23.133.2.2", "Test TPM"), ("2.23.133.2.3", "id:1")
_PURPOSE, _ALL_APPLICATIONS, _ORIGIN = 1, 600, 702


class Format(StrEnum):
    """What statement an authenticator makes; PACKED_SELF is format ``packed`` without certificates."""

    NONE = "none"
    PACKED_SELF = "packed-self"
    PACKED = "packed"
    TPM = "tpm"
    APPLE = "apple"
    ANDROID_KEY = "android-key"
    FIDO_U2F = "fido-u2f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a statement departs from an honest one.

    :ivar with_root: the root is in ``x5c`` too
    :ivar name_aaguid: the leaf of ``packed`` names the AAGUID
    :ivar leaf_aaguid: 16 bytes that it names instead of the authenticator's
    :ivar leaf_ca: the leaf says that it is a CA
    :ivar security_level: of ``android-key``: 0 software, 1 TEE, 2 StrongBox
    :ivar origin: of ``android-key``: 0 made on the device
    :ivar challenge: of ``android-key``: another one, 32 bytes
    :ivar all_applications: of ``android-key``: the key is not bound to one application
    """

    with_root: bool = False
    name_aaguid: bool = True
    leaf_aaguid: bytes | None = None
    leaf_ca: bool = False
    security_level: int = 1
    origin: int = 0
    challenge: bytes | None = None
    all_applications: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about.

    :ivar data: authenticator data
    :ivar client_hash: SHA-256 of the client data
    """

    key: PrivateKey
    algorithm: int
    aaguid: bytes
    credential_id: bytes
    data: bytes
    client_hash: bytes

    @property
    def signed(self) -> bytes:
        """What most formats sign."""
        return self.data + self.client_hash


def make(fmt: Format, subject: Subject, maker: Maker, shape: Shape) -> tuple[str, dict[str, Any]]:
    """The name of the format and the statement."""
    name = "packed" if fmt is Format.PACKED_SELF else fmt.value
    return name, _MAKERS[fmt](subject, maker, shape)


def _none(_subject: Subject, _maker: Maker, _shape: Shape) -> dict[str, Any]:
    return {}


def _packed_self(subject: Subject, _maker: Maker, _shape: Shape) -> dict[str, Any]:
    return {"alg": subject.algorithm, "sig": sign(subject.key, subject.signed)}


def _packed(subject: Subject, maker: Maker, shape: Shape) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    named = der.octets(shape.leaf_aaguid or subject.aaguid)
    extensions = [_extension(_AAGUID, named)] if shape.name_aaguid else []
    leaf = maker.leaf(key.public_key(), extensions=extensions, ca=shape.leaf_ca)
    return {"alg": -7, "sig": sign(key, subject.signed), "x5c": _x5c(leaf, maker, shape)}


def _u2f(subject: Subject, maker: Maker, _shape: Shape) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    cose = _cose(subject)
    point = b"\x04" + cose[-2] + cose[-3]
    signed = b"\0" + subject.data[:32] + subject.client_hash + subject.credential_id + point
    leaf = maker.leaf(key.public_key(), by_root=True)
    return {"sig": sign(key, signed), "x5c": [leaf.public_bytes(Encoding.DER)]}


def _tpm(subject: Subject, maker: Maker, shape: Shape) -> dict[str, Any]:
    key = _attestation_identity_key()
    area = _public_area(subject)
    info = _certify_info(hashlib.sha256(subject.signed).digest(), b"\0\x0b" + hashlib.sha256(area).digest())
    name = x509.RelativeDistinguishedName(
        [x509.NameAttribute(x509.ObjectIdentifier(oid), value) for oid, value in _TPM_NAME]
    )
    extensions: list[tuple[ExtensionType, bool]] = [
        (x509.ExtendedKeyUsage([_AIK]), False),
        (x509.SubjectAlternativeName([x509.DirectoryName(x509.Name([name]))]), True),
    ]
    leaf = maker.leaf(key.public_key(), x509.Name([]), extensions, ca=shape.leaf_ca)
    return {
        "ver": "2.0",
        "alg": -257,
        "x5c": _x5c(leaf, maker, shape),
        "sig": sign(key, info),
        "certInfo": info,
        "pubArea": area,
    }


@cache
def _attestation_identity_key() -> rsa.RSAPrivateKey:
    """One for all: as in a TPM it stays the same."""
    return rsa.generate_private_key(65537, 2048)


def _public_area(subject: Subject) -> bytes:
    """TPMT_PUBLIC of the credential's key, its name hashed with SHA-256."""
    cose, null = _cose(subject), b"\0\x10"
    attributes = (1 << 18).to_bytes(4, "big")
    if isinstance(subject.key, rsa.RSAPrivateKey):
        bits = subject.key.key_size.to_bytes(2, "big")
        return b"\0\x01\0\x0b" + attributes + _2b(b"") + null + null + bits + bytes(4) + _2b(cose[-1])
    curve = b"\0\x03"
    unique = _2b(cose[-2]) + _2b(cose[-3])
    return b"\0\x23\0\x0b" + attributes + _2b(b"") + null + null + curve + null + unique


def _certify_info(extra: bytes, name: bytes) -> bytes:
    clock, firmware = bytes(16) + b"\x01", bytes(8)
    return b"\xffTCG\x80\x17" + _2b(b"") + _2b(extra) + clock + firmware + _2b(name) + _2b(b"")


def _2b(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _apple(subject: Subject, maker: Maker, shape: Shape) -> dict[str, Any]:
    nonce = hashlib.sha256(subject.signed).digest()
    content = der.sequence(der.explicit(1, der.octets(nonce)))
    leaf = maker.leaf(subject.key.public_key(), extensions=[_extension(_APPLE_NONCE, content)])
    return {"x5c": _x5c(leaf, maker, shape)}


def _android_key(subject: Subject, maker: Maker, shape: Shape) -> dict[str, Any]:
    purpose = der.explicit(_PURPOSE, der.item(0x31, der.integer(2)))
    shared = [der.explicit(_ALL_APPLICATIONS, b"\x05\0")] if shape.all_applications else []
    kept = [purpose, *shared, der.explicit(_ORIGIN, der.integer(shape.origin))]
    level = der.integer(shape.security_level, tag=0x0A)
    lists = [der.sequence(*kept), der.sequence()]
    if shape.security_level:
        lists.reverse()
    challenge = der.octets(shape.challenge or subject.client_hash)
    description = der.sequence(
        der.integer(300), level, der.integer(300), level, challenge, der.octets(b""), *lists
    )
    leaf = maker.leaf(subject.key.public_key(), extensions=[_extension(_KEY_DESCRIPTION, description)])
    return {
        "alg": subject.algorithm,
        "sig": sign(subject.key, subject.signed),
        "x5c": _x5c(leaf, maker, shape),
    }


def _extension(oid: x509.ObjectIdentifier, content: bytes) -> tuple[ExtensionType, bool]:
    return x509.UnrecognizedExtension(oid, content), False


def _cose(subject: Subject) -> Mapping[int, Any]:
    return CoseKey.for_alg(subject.algorithm).from_cryptography_key(subject.key.public_key())


def _x5c(leaf: Certificate, maker: Maker, shape: Shape) -> list[bytes]:
    chain = [leaf, maker.intermediate, *([maker.root] if shape.with_root else [])]
    return [certificate.public_bytes(Encoding.DER) for certificate in chain]


_MAKERS: Final[Mapping[Format, Callable[[Subject, Maker, Shape], dict[str, Any]]]] = {
    Format.NONE: _none,
    Format.PACKED_SELF: _packed_self,
    Format.PACKED: _packed,
    Format.FIDO_U2F: _u2f,
    Format.TPM: _tpm,
    Format.APPLE: _apple,
    Format.ANDROID_KEY: _android_key,
}
