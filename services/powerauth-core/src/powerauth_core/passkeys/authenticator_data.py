"""Authenticator data, the bytes that an authenticator signs (WebAuthn Level 3 §6.1)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final

from powerauth_core.passkeys import cbor
from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason, Malformed

_HEADER: Final = 37
_ID_LIMIT: Final = 1023


class Flags(IntFlag):
    """The flags that mean something; bits 1 and 5 are reserved and ignored."""

    UP = 0x01
    UV = 0x04
    BE = 0x08
    BS = 0x10
    AT = 0x40
    ED = 0x80


@dataclass(frozen=True, slots=True)
class AttestedCredential:
    """The credential that a registration makes.

    :ivar id: 1 to 1023 bytes
    :ivar cose_key: the COSE map of its public key
    """

    aaguid: uuid.UUID
    id: bytes
    cose_key: dict[int | str, Any]


@dataclass(frozen=True, slots=True)
class AuthenticatorData:
    """What an authenticator signs.

    :ivar raw: the bytes as they came
    :ivar rp_id_hash: SHA-256 of the RP id, 32 bytes
    :ivar counter: unsigned, 32 bits
    :ivar credential: there exactly with flag AT
    """

    raw: bytes
    rp_id_hash: bytes
    flags: Flags
    counter: int
    credential: AttestedCredential | None

    def check_flags(self, user_verification: bool) -> None:
        """The user was there, was verified if that is required, and no passkey is backed up that can not be.

        :raises CeremonyFailed: USER_PRESENCE, USER_VERIFICATION, FLAGS
        """
        if not self.flags & Flags.UP:
            raise CeremonyFailed(CeremonyReason.USER_PRESENCE)
        if user_verification and not self.flags & Flags.UV:
            raise CeremonyFailed(CeremonyReason.USER_VERIFICATION)
        if self.flags & Flags.BS and not self.flags & Flags.BE:
            raise CeremonyFailed(CeremonyReason.FLAGS)


def parse(data: bytes) -> AuthenticatorData:
    """Read by flags AT and ED; what they announce must fill the bytes exactly.

    :raises Malformed: shorter or longer than its flags say, or broken inside
    """
    if len(data) < _HEADER:
        raise Malformed("authenticatorData: cut off")
    flags = Flags(data[32] & sum(Flags))
    credential, end = _credential(data) if flags & Flags.AT else (None, _HEADER)
    if flags & Flags.ED:
        end = _extensions(data, end)
    if end != len(data):
        raise Malformed("authenticatorData: bytes that no flag announces")
    return AuthenticatorData(data, data[:32], flags, int.from_bytes(data[33:37], "big"), credential)


def _credential(data: bytes) -> tuple[AttestedCredential, int]:
    start = _HEADER + 18
    size = int.from_bytes(data[start - 2 : start], "big")
    if not 1 <= size <= _ID_LIMIT or len(data) <= start + size:
        raise Malformed("authenticatorData: credential id")
    key, end = cbor.decode_at(data, start + size)
    if not isinstance(key, dict):
        raise Malformed("authenticatorData: public key")
    aaguid = uuid.UUID(bytes=data[_HEADER : _HEADER + 16])
    return AttestedCredential(aaguid, data[start : start + size], key), end


def _extensions(data: bytes, start: int) -> int:
    extensions, end = cbor.decode_at(data, start)
    if not isinstance(extensions, dict):
        raise Malformed("authenticatorData: extensions")
    return end
