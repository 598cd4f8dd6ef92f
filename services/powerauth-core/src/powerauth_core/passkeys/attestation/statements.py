"""Attestation statements: whether one proves what it says, whoever vouches for its key
(spec/device-trust.md §4.10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from cryptography.x509 import Certificate
from fido2.attestation.apple import OID_APPLE, AppleAttestation
from fido2.attestation.base import Attestation
from fido2.attestation.packed import PackedAttestation
from fido2.attestation.u2f import FidoU2FAttestation
from fido2.webauthn import AuthenticatorData

from powerauth_core.passkeys import der, keys
from powerauth_core.passkeys.attestation import certificates, tpm
from powerauth_core.passkeys.attestation.android_key import AndroidKeyAttestation, in_hardware
from powerauth_core.passkeys.attestation.certificates import BROKEN_INPUT
from powerauth_core.passkeys.ceremony import Registered
from powerauth_core.passkeys.refusals import PolicyCode, PolicyRefused, StatementInvalid

_EC_OF_LEAF: Final = (-7, -35, -36)


class Kind(StrEnum):
    """Who signed a statement."""

    NONE = "NONE"
    SELF = "SELF"
    BASIC = "BASIC"
    ATTCA = "ATTCA"
    ANONCA = "ANONCA"


_CERTIFIED: Final[Mapping[str, tuple[Kind, frozenset[str]]]] = {
    "packed": (Kind.BASIC, frozenset({"basic_full", "attca"})),
    "fido-u2f": (Kind.BASIC, frozenset({"basic_full", "attca"})),
    "tpm": (Kind.ATTCA, frozenset({"attca"})),
    "apple": (Kind.ANONCA, frozenset({"anonca"})),
    "android-key": (Kind.BASIC, frozenset({"basic_full"})),
    "android-safetynet": (Kind.BASIC, frozenset({"basic_full"})),
}
"""Formats with certificates: who signed, and what metadata may call that."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that proves what it says.

    :ivar types: what metadata may call it in ``attestationTypes``
    :ivar chain: certificates, leaf first; empty for NONE and SELF
    :ivar in_hardware: False where the statement itself says that software keeps the key
    """

    fmt: str
    kind: Kind
    types: frozenset[str] = frozenset()
    chain: tuple[Certificate, ...] = ()
    in_hardware: bool = True


def verify(registered: Registered) -> Statement:
    """Run the procedure of the statement's format.

    :raises StatementInvalid: it is forged, broken, or of another key
    :raises PolicyRefused: FORMAT: a format that is not taken, ``android-safetynet`` among them
    """
    check = _FORMATS.get(registered.fmt)
    if check is None:
        raise PolicyRefused(PolicyCode.FORMAT)
    try:
        return check(registered)
    except BROKEN_INPUT as error:
        raise StatementInvalid("STATEMENT", type(error).__name__) from None


def recalled(fmt: str, encoded: list[bytes]) -> Statement:
    """A statement verified when its passkey was registered, from the stored chain; for the daily look.

    :param encoded: certificates in DER, leaf first; of ``android-safetynet`` too, though none is new
    :raises StatementInvalid: it is no chain, or a format without certificates
    """
    if fmt not in _CERTIFIED:
        raise StatementInvalid("FORMAT")
    try:
        return _certified(fmt, certificates.load(encoded))
    except BROKEN_INPUT:
        raise StatementInvalid("KEY_DESCRIPTION") from None


def _certified(fmt: str, chain: tuple[Certificate, ...]) -> Statement:
    kind, types = _CERTIFIED[fmt]
    kept = fmt != AndroidKeyAttestation.FORMAT or in_hardware(chain[0])
    return Statement(fmt, kind, types, chain, kept)


def _none(registered: Registered) -> Statement:
    if registered.statement:
        raise StatementInvalid("NOT_EMPTY")
    return Statement("none", Kind.NONE)


def _packed(registered: Registered) -> Statement:
    if "x5c" not in registered.statement:
        _by_library(PackedAttestation(), registered)
        return Statement("packed", Kind.SELF, frozenset({"basic_surrogate"}))
    chain = certificates.load(registered.statement["x5c"])
    if registered.statement.get("alg") not in _EC_OF_LEAF:
        raise StatementInvalid("ALGORITHM")
    certificates.aaguid_of(chain[0])
    _by_library(PackedAttestation(), registered)
    return _certified("packed", chain)


def _u2f(registered: Registered) -> Statement:
    chain = certificates.load(registered.statement.get("x5c"))
    if len(chain) != 1 or not keys.is_p256(chain[0].public_key()) or registered.key.algorithm != keys.ES256:
        raise StatementInvalid("X5C")
    _by_library(FidoU2FAttestation(), registered)
    if registered.aaguid.int:
        raise StatementInvalid("AAGUID", "fido-u2f certifies none")
    return _certified("fido-u2f", chain)


def _tpm(registered: Registered) -> Statement:
    chain = certificates.load(registered.statement.get("x5c"))
    signed = registered.data.raw + registered.client_data.hash
    tpm.verify(registered.statement, chain[0], registered.key, signed)
    return _certified("tpm", chain)


def _apple(registered: Registered) -> Statement:
    chain = certificates.load(registered.statement.get("x5c"))
    _check_apple_nonce(chain[0])
    _by_library(AppleAttestation(), registered)
    if not keys.same_key(registered.key, chain[0].public_key()):
        raise StatementInvalid("KEY")
    return _certified("apple", chain)


def _check_apple_nonce(leaf: Certificate) -> None:
    """The library looks at the end of the extension alone; it has to be the whole of it."""
    sequence = der.single(certificates.extension(leaf, OID_APPLE) or b"", der.SEQUENCE)
    (tagged,) = sequence.items()
    if tagged.explicit != 1 or len(der.single(tagged.content, der.OCTETS).content) != 32:
        raise StatementInvalid("NONCE")


def _android_key(registered: Registered) -> Statement:
    chain = certificates.load(registered.statement.get("x5c"))
    if not keys.same_key(registered.key, chain[0].public_key()):
        raise StatementInvalid("KEY")
    _by_library(AndroidKeyAttestation(), registered)
    return _certified("android-key", chain)


def _by_library(attestation: Attestation, registered: Registered) -> None:
    attestation.verify(
        cast("dict[str, Any]", registered.statement),
        AuthenticatorData(registered.data.raw),
        registered.client_data.hash,
    )


_FORMATS: Final[Mapping[str, Callable[[Registered], Statement]]] = {
    "none": _none,
    "packed": _packed,
    "fido-u2f": _u2f,
    "tpm": _tpm,
    "apple": _apple,
    "android-key": _android_key,
}
"""Without ``android-safetynet``: old records are judged by their chain (`trust`), none is made anew."""
