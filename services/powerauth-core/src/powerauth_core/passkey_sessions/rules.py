"""What a session is known by, and what strangers are told of users who may not exist; no I/O."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from powerauth_contracts.enums import SignatureType
from powerauth_protocol.common.encoding import b64encode, b64url_encode

LIFE: Final = timedelta(minutes=5)
"""Of a registration; a sign-in's is asked for."""
KEPT: Final = timedelta(hours=24)
"""How long a session is kept after its end (spec/device-trust.md §9.3)."""
SIGN_IN_TEMPLATE: Final = "passkey_login"
SIGN_IN_DATA: Final = "A2"
SIGN_IN_FAILURES: Final = 5
SIGN_IN_FACTORS: Final = (
    SignatureType.POSSESSION,
    SignatureType.POSSESSION_KNOWLEDGE,
    SignatureType.POSSESSION_BIOMETRY,
)

_ID_BYTES: Final = 32
_DECOY_SIZES: Final = (16, 20, 32)
"""Bytes; of a longer id that nobody has the special model's short one is looked for too."""
_DECOY_TRANSPORTS: Final = (("internal",), ("internal", "hybrid"), ("usb",), ("nfc", "usb"))


class Purpose(StrEnum):
    """What a session was begun for."""

    REGISTRATION = "REGISTRATION"
    ASSERTION = "ASSERTION"


@dataclass(frozen=True, slots=True)
class SessionId:
    """What the browser has, b64u of 32 bytes, and what is stored of it."""

    text: str = field(repr=False)

    @classmethod
    def new(cls) -> SessionId:
        """A random one."""
        return cls(b64url_encode(secrets.token_bytes(_ID_BYTES)))

    @property
    def hash(self) -> str:
        """Hex of its SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Offered:
    """A passkey that a browser is told of.

    :ivar id: Base64 of the credential id
    """

    id: str
    transports: tuple[str, ...]


def decoys(key: bytes, application_id: str, user_id: str) -> list[Offered]:
    """One to three passkeys that nobody has: for the same user always the same ones.

    :param key: which nobody outside knows
    """
    return list(_decoys(hmac.digest(key, f"{application_id}\0{user_id}".encode(), "sha256")))


def _decoys(seed: bytes) -> Iterator[Offered]:
    for number in range(1 + seed[0] % 3):
        kind = hmac.digest(seed, bytes([number]), "sha256")
        content = hmac.digest(seed, bytes([number, 0]), "sha512")
        size = _DECOY_SIZES[kind[0] % len(_DECOY_SIZES)]
        yield Offered(b64encode(content[:size]), _DECOY_TRANSPORTS[kind[1] % len(_DECOY_TRANSPORTS)])
