"""Format ``android-key``, which the library lacks (WebAuthn Level 3 §8.4, spec/device-trust.md §4.10)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.x509 import Certificate
from fido2.attestation.base import Attestation, AttestationResult, AttestationType
from fido2.cose import CoseKey
from fido2.webauthn import AuthenticatorData

from powerauth_core.passkeys import der
from powerauth_core.passkeys.attestation import certificates
from powerauth_core.passkeys.der import Item
from powerauth_core.passkeys.refusals import StatementInvalid

DESCRIPTION: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")

_PURPOSE, _ALL_APPLICATIONS, _ORIGIN = 1, 600, 702
_SIGN, _GENERATED = 2, 0
_SOFTWARE = 0

Authorizations = Mapping[int | None, Item]


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """What the keystore says of a key.

    :ivar levels: security level of the attestation and of the key: 0 software, 1 TEE, 2 StrongBox
    :ivar software: authorizations that software keeps, by tag
    :ivar hardware: authorizations that the hardware keeps, by tag
    """

    levels: tuple[int, int]
    challenge: bytes
    software: Authorizations
    hardware: Authorizations

    @property
    def in_hardware(self) -> bool:
        """Whether neither the key nor the statement about it is software's."""
        return _SOFTWARE not in self.levels

    def check(self) -> None:
        """The key was made on the device, signs, and is of one application.

        :raises StatementInvalid: ALL_APPLICATIONS, ORIGIN, PURPOSE
        """
        if _ALL_APPLICATIONS in self.software or _ALL_APPLICATIONS in self.hardware:
            raise StatementInvalid("ALL_APPLICATIONS")
        kept = self.hardware if self.in_hardware else {**self.software, **self.hardware}
        if _ORIGIN not in kept or der.single(kept[_ORIGIN].content, der.INTEGER).integer() != _GENERATED:
            raise StatementInvalid("KEY_ORIGIN")
        purposes = der.single(kept[_PURPOSE].content, der.SET).items() if _PURPOSE in kept else []
        if [purpose.integer() for purpose in purposes] != [_SIGN]:
            raise StatementInvalid("PURPOSE")


def describe(leaf: Certificate) -> KeyDescription:
    """Read the key description extension.

    :raises Malformed: it is missing or something else
    """
    items = der.single(certificates.extension(leaf, DESCRIPTION) or b"", der.SEQUENCE).items()
    if len(items) < 8:
        raise StatementInvalid("KEY_DESCRIPTION")
    levels = items[1].integer(), items[3].integer()
    return KeyDescription(levels, items[4].octets(), _authorizations(items[6]), _authorizations(items[7]))


def in_hardware(leaf: Certificate) -> bool:
    """Whether TEE or StrongBox keep the key."""
    return describe(leaf).in_hardware


class AndroidKeyAttestation(Attestation):
    """The procedure of the format; that the leaf's key is the credential's is the caller's to check."""

    FORMAT = "android-key"

    def verify(
        self, statement: Mapping[str, Any], auth_data: AuthenticatorData, client_data_hash: bytes
    ) -> AttestationResult:
        """Check signature, challenge and what the keystore says of the key.

        :raises StatementInvalid: one does not hold; the libraries' errors for what is broken
        """
        (leaf, *_) = certificates.load(statement["x5c"])
        key = CoseKey.for_alg(statement["alg"]).from_cryptography_key(leaf.public_key())
        key.verify(auth_data + client_data_hash, statement["sig"])
        description = describe(leaf)
        if not hmac.compare_digest(description.challenge, client_data_hash):
            raise StatementInvalid("CHALLENGE")
        description.check()
        return AttestationResult(AttestationType.BASIC, statement["x5c"])


def _authorizations(item: Item) -> Authorizations:
    if item.tag != der.SEQUENCE:
        raise StatementInvalid("KEY_DESCRIPTION")
    return {found.explicit: found for found in item.items()}
