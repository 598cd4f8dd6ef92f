"""Recovery codes and PUKs (spec/protocol-v3.md §3.4, §3.5)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from powerauth_protocol.common.encoding import require_length
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.kdf import kdf_bytes, x963
from powerauth_protocol.v3 import activation_code

NONCE_LENGTH = 32
ACTIVATION_SECRET_LENGTH = 16
MAX_PUK_COUNT = 100

_ATTEMPTS = 20
_PUK_MASK = (1 << 40) - 1


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """A recovery code with its PUKs. Nonce and indexes must be neither stored nor logged.

    :ivar code: formatted as an activation code
    :ivar puks: 10 digits each, in order
    :ivar nonce: 32 bytes
    :ivar indexes: derivation index of each PUK, signed 64-bit numbers
    """

    code: str = field(repr=False)
    puks: tuple[str, ...] = field(repr=False)
    nonce: bytes = field(repr=False)
    indexes: tuple[int, ...] = field(repr=False)

    @property
    def puk_derivation_indexes(self) -> Mapping[int, int]:
        """Derivation indexes by PUK number from 1, as a printing centre gets them."""
        return dict(enumerate(self.indexes, start=1))


def generate(secret: bytes, puk_count: int) -> RecoveryCode:
    """Make a recovery code with distinct PUKs.

    :param secret: 16 random bytes for an activation's code, the 32-byte ECDH result for a postcard
    :param puk_count: 1 to 100
    :raises EncodingError: wrong number of PUKs, or no distinct PUK in 20 attempts
    """
    if not 1 <= puk_count <= MAX_PUK_COUNT:
        raise EncodingError("1 to 100 PUKs")
    nonce = os.urandom(NONCE_LENGTH)
    code, base = _code_and_base(secret, nonce)
    puks: list[str] = []
    indexes: list[int] = []
    for _ in range(puk_count):
        index = _unused_index(base, puks)
        indexes.append(index)
        puks.append(_puk(base, index))
    return RecoveryCode(code, tuple(puks), nonce, tuple(indexes))


def derive(secret: bytes, nonce: bytes, indexes: Sequence[int]) -> RecoveryCode:
    """Derive the same code and PUKs again, as a printing centre does.

    :param nonce: 32 bytes
    :param indexes: signed 64-bit derivation indexes, in PUK order
    :raises EncodingError: wrong length of the nonce, or an index out of range
    """
    code, base = _code_and_base(secret, require_length(nonce, NONCE_LENGTH))
    return RecoveryCode(code, tuple(_puk(base, index) for index in indexes), nonce, tuple(indexes))


def _code_and_base(secret: bytes, nonce: bytes) -> tuple[str, bytes]:
    derived = x963(secret, nonce, activation_code.RANDOM_LENGTH + 16)
    code = activation_code.generate(derived[: activation_code.RANDOM_LENGTH])
    return code, derived[activation_code.RANDOM_LENGTH :]


def _unused_index(base: bytes, used: Sequence[str]) -> int:
    for _ in range(_ATTEMPTS):
        index = int.from_bytes(os.urandom(8), "big", signed=True)
        if _puk(base, index) not in used:
            return index
    raise EncodingError("no unused PUK found")


def _puk(base: bytes, index: int) -> str:
    try:
        encoded = index.to_bytes(8, "big", signed=True)
    except OverflowError:
        raise EncodingError("derivation index out of range") from None
    value = int.from_bytes(kdf_bytes(base, encoded)[8:16], "big") & _PUK_MASK
    return f"{value % 10**10:010d}"
