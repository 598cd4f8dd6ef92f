"""Keys of the chains: what is computed with them, and nothing else (docs/audit.md)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic_core import PydanticSerializationError, to_json

MAC_BYTES = 32
FIRST_LINK = bytes(MAC_BYTES)
"""What the first row of a chain is bound to."""

_LABEL = b"powerauth-core signature audit chain 1: "


class Sealed(StrEnum):
    """Kinds of sealed records; part of what is sealed, so that none can stand for another."""

    HEAD = "head"
    ANCHOR = "anchor"
    REGISTRY = "registry"
    UNCHAINED = "unchained"
    CHECKPOINT = "checkpoint"
    DROPPED = "dropped"


def head_facts(
    chain_id: str,
    number: int,
    key_id: str,
    opened: datetime,
    last: datetime,
    closed: datetime | None,
    position: int,
    mac: bytes,
) -> tuple[object, ...]:
    """What the seal of a head covers."""
    return chain_id, number, key_id, opened, last, closed, position, mac.hex()


def anchor_facts(chain_id: str, position: int, mac: bytes) -> tuple[object, ...]:
    """What the seal of an anchor covers."""
    return chain_id, position, mac.hex()


@dataclass(frozen=True, slots=True)
class ChainKey:
    """One secret's keys. The same secret always gives the same keys.

    :ivar key_id: public name of the secret, 16 characters
    """

    key_id: str
    _rows: bytes = field(repr=False)
    _seals: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        """The keys of a secret: HKDF-SHA-256, a label of its own for each.

        :param secret: at least 16 bytes
        """

        def derived(purpose: bytes) -> bytes:
            return HKDF(SHA256(), MAC_BYTES, salt=None, info=_LABEL + purpose).derive(secret)

        return cls(derived(b"key id")[:8].hex(), derived(b"rows"), derived(b"seals"))

    @classmethod
    def kept(cls, key_id: str, keys: bytes) -> Self:
        """What `kept_form` of the key of this name gave.

        :raises ValueError: that is none
        """
        if len(keys) != 2 * MAC_BYTES:
            raise ValueError("no keys of a chain")
        return cls(key_id, keys[:MAC_BYTES], keys[MAC_BYTES:])

    @property
    def kept_form(self) -> bytes:
        """All that checks need, and nothing of the secret that it was derived from; 64 bytes. Secret."""
        return self._rows + self._seals

    def row_mac(self, previous: bytes, chain_id: str, position: int, content: Sequence[Any]) -> bytes:
        """HMAC-SHA-256 over the predecessor's MAC (32 bytes) and the compact JSON array of place and content.

        :param content: all audited columns in their order: texts, numbers, truth values, None, and times
        :raises ValueError: the content cannot be written as JSON, so nobody has ever computed a MAC over it
        """
        try:
            return hmac.digest(self._rows, previous + to_json((chain_id, position, *content)), "sha256")
        except PydanticSerializationError as error:
            raise ValueError("not the content of an audit row") from error

    def seal(self, kind: Sealed, *facts: Any) -> bytes:
        """HMAC-SHA-256 over the compact JSON array of kind and facts; 32 bytes."""
        return hmac.digest(self._seals, to_json((kind, *facts)), "sha256")

    def sealed(self, seal: bytes | None, kind: Sealed, *facts: Any) -> bool:
        """Whether the seal is the one of these facts."""
        return seal is not None and hmac.compare_digest(seal, self.seal(kind, *facts))


class ChainKeys:
    """The key that new chains are written with, and the earlier ones that old chains are checked with."""

    def __init__(self, secrets: Iterable[bytes], kept: Iterable[ChainKey] = ()) -> None:
        """
        :param secrets: the present one first
        :param kept: keys of secrets that are not configured any more
        :raises ValueError: there is no secret
        """
        derived = [ChainKey.derive(secret) for secret in secrets]
        if not derived:
            raise ValueError("no secret")
        self.current = derived[0]
        self._by_id = {key.key_id: key for key in (*kept, *derived)}

    @classmethod
    def of(cls, secrets: Sequence[bytes], kept: Iterable[ChainKey] = ()) -> Self | None:
        """The keys of the settings' secrets and the kept ones, None if rows are not chained."""
        return cls(secrets, kept) if secrets else None

    def by_id(self, key_id: str) -> ChainKey | None:
        """The key of this name, None if it is not known here."""
        return self._by_id.get(key_id)
