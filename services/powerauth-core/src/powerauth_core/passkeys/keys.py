"""Public keys of credentials: COSE keys of the three algorithms that a policy can allow
(spec/device-trust.md §4.1, §4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fido2 import cbor as plain_cbor
from fido2.cose import CoseKey

from powerauth_core.passkeys import cbor
from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason, Malformed
from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_decode, b64url_encode
from powerauth_protocol.common.errors import EncodingError

ES256: Final = -7
EDDSA: Final = -8
RS256: Final = -257

_SHA256: Final = hashes.SHA256()
_ECDSA: Final = ec.ECDSA(_SHA256)
_STORED_COSE = "cose:"
_RSA_BITS = range(2048, 4097)


@dataclass(frozen=True, slots=True)
class CredentialKey:
    """A key that passed the checks of its algorithm.

    :ivar public: the same, made for computing
    """

    cose: CoseKey
    public: PublicKeyTypes = field(compare=False, repr=False)

    @property
    def algorithm(self) -> int:
        """Its COSE identifier."""
        return self.cose.ALGORITHM

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's; False too if it is none at all."""
        try:
            _VERIFY[self.algorithm](self.public, signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def stored(self) -> str:
        """As an activation's device key is stored: the point of 65 bytes, or ``cose:`` and the COSE key."""
        if self.algorithm == ES256:
            return b64encode(b"\x04" + self.cose[-2] + self.cose[-3])
        return _STORED_COSE + b64url_encode(plain_cbor.encode(self.cose))


def parse(members: Mapping[Any, Any], algorithms: frozenset[int]) -> CredentialKey:
    """Check a COSE key whole: type, curve, lengths, that it is a point or a modulus of 2048 to 4096 bits.

    :param algorithms: COSE identifiers that the policy allows
    :raises CeremonyFailed: ALGORITHM or KEY
    """
    algorithm = members.get(3)
    if not isinstance(algorithm, int) or algorithm not in algorithms or algorithm not in _CHECKS:
        raise CeremonyFailed(CeremonyReason.ALGORITHM)
    try:
        public = _CHECKS[algorithm](members)
    except (ValueError, TypeError):
        raise CeremonyFailed(CeremonyReason.KEY) from None
    return CredentialKey(CoseKey.for_alg(algorithm)(members), public)


@lru_cache(maxsize=10_000)
def from_stored(text: str) -> CredentialKey:
    """Read what `CredentialKey.stored` wrote; those used last are remembered, since a text is always one key.

    :raises Malformed: it is something else
    :raises CeremonyFailed: it holds no key
    """
    try:
        if not text.startswith(_STORED_COSE):
            return _of_point(b64decode(text, 65))
        members = cbor.decode(b64url_decode(text.removeprefix(_STORED_COSE)))
    except EncodingError:
        raise Malformed("stored key") from None
    return parse(members, frozenset(_CHECKS))


def _of_point(point: bytes) -> CredentialKey:
    members = {1: 2, 3: ES256, -1: 1, -2: point[1:33], -3: point[33:]}
    return parse(members, frozenset({ES256}))


def same_key(credential: CredentialKey, certified: PublicKeyTypes) -> bool:
    """Whether a certificate is about this credential's key."""
    return _spki(credential.public) == _spki(certified)


def is_p256(key: PublicKeyTypes) -> bool:
    """Whether a certificate's key is one of the curve P-256."""
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _es256(members: Mapping[Any, Any]) -> PublicKeyTypes:
    x, y = _bytes(members.get(-2), 32), _bytes(members.get(-3), 32)
    if (members.get(1), members.get(-1)) != (2, 1):
        raise ValueError("not P-256")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)


def _eddsa(members: Mapping[Any, Any]) -> PublicKeyTypes:
    if (members.get(1), members.get(-1)) != (1, 6):
        raise ValueError("not Ed25519")
    return Ed25519PublicKey.from_public_bytes(_bytes(members.get(-2), 32))


def _rs256(members: Mapping[Any, Any]) -> PublicKeyTypes:
    modulus, exponent = members.get(-1), members.get(-2)
    if members.get(1) != 3 or not isinstance(modulus, bytes) or not isinstance(exponent, bytes):
        raise ValueError("not RSA")
    if len(exponent) > 4 or int.from_bytes(modulus, "big").bit_length() not in _RSA_BITS:
        raise ValueError("size of RSA")
    return rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")).public_key()


def _bytes(value: object, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise ValueError("size of a coordinate")
    return value


_CHECKS: Final[Mapping[int, Callable[[Mapping[Any, Any]], PublicKeyTypes]]] = {
    ES256: _es256,
    EDDSA: _eddsa,
    RS256: _rs256,
}
_VERIFY: Final[Mapping[int, Callable[[Any, bytes, bytes], None]]] = {
    ES256: lambda key, signature, message: key.verify(signature, message, _ECDSA),
    EDDSA: lambda key, signature, message: key.verify(signature, message),
    RS256: lambda key, signature, message: key.verify(signature, message, PKCS1v15(), _SHA256),
}
"""What raises `InvalidSignature` unless a signature is of a key, by algorithm."""
