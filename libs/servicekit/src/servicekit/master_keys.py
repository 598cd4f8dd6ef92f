"""The master keys that a service knows, and which of them a stored value was made with (D34).

A value of the key that the database was first used with stands as it is, in the original's form. One of a
later key begins with that key's id: ``0123456789abcdef:`` and the value. Nothing is ever tried: CBC without a
MAC does not tell a wrong key from a right one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_ID_LENGTH = 16
_MARK = ":"  # no character of Base64
_PREFIX_LENGTH = KEY_ID_LENGTH + len(_MARK)
_DERIVED_BYTES = 32
_CHECK_LABEL = b"powerauth-core key check value 1"
UNNAMED = ""
"""Stands for the key of values without an id."""


def derived_key(master_key: bytes, label: bytes) -> bytes:
    """A key of its own for each purpose: HKDF-SHA-256, 32 bytes."""
    return HKDF(SHA256(), _DERIVED_BYTES, salt=None, info=label).derive(master_key)


def key_check(master_key: bytes) -> str:
    """The key check value: 32 bytes derived from the key, hexadecimal; gives nothing of the key away."""
    return derived_key(master_key, _CHECK_LABEL).hex()


def key_id(master_key: bytes) -> str:
    """The key's public name: the first 16 characters of its key check value."""
    return key_check(master_key)[:KEY_ID_LENGTH]


def id_of(stored: str) -> str:
    """Id of the key that a stored value was made with, as the value says; `UNNAMED` if it does not."""
    return stored[:KEY_ID_LENGTH] if stored[KEY_ID_LENGTH:_PREFIX_LENGTH] == _MARK else UNNAMED


def without_id(stored: str) -> str:
    """A stored value without the id of its key."""
    return stored[_PREFIX_LENGTH:] if id_of(stored) else stored


class MasterKeys:
    """The key that is written with, and all that are read.

    :ivar current: 16 bytes, or None: nothing is encrypted or bound
    :ivar current_id: its id; empty without a key
    :ivar unnamed: id of the key that values without an id were made with; None: there are no such values
    """

    def __init__(
        self, current: bytes | None, previous: Iterable[bytes] = (), *, unnamed: str | None = UNNAMED
    ) -> None:
        """
        :param previous: keys that are read beside the current one, 16 bytes each
        :param unnamed: id of the key of values without an id; empty: the current one
        """
        self.current = current
        self.current_id = UNNAMED if current is None else key_id(current)
        known = [*([] if current is None else [current]), *previous]
        self._by_id = {key_id(key): key for key in known}
        self.unnamed = self.current_id if unnamed == UNNAMED else unnamed
        self.prefix = UNNAMED if self.unnamed == self.current_id else f"{self.current_id}{_MARK}"
        """What a value of the current key begins with."""

    def __iter__(self) -> Iterator[bytes]:
        """All keys, the current one first."""
        return iter(self._by_id.values())

    def known(self, check: str) -> bytes | None:
        """The key with this key check value, if it is known."""
        key = self._by_id.get(check[:KEY_ID_LENGTH])
        return key if key is not None and key_check(key) == check else None

    def beside(self, unnamed: str | None) -> MasterKeys:
        """The same keys in a database whose values without an id are of another one."""
        return MasterKeys(self.current, [key for key in self if key != self.current], unnamed=unnamed)

    def opening(self, stored: str) -> tuple[bytes | None, str]:
        """The key that opens a stored value, None if it is not known here, and the value without its id."""
        return self._by_id.get(id_of(stored) or self.unnamed or UNNAMED), without_id(stored)

    def is_current(self, stored: str) -> bool:
        """Whether a stored value is of the current key, by what it says."""
        return id_of(stored) == self.prefix[:KEY_ID_LENGTH]

    def derived(self, label: bytes) -> Callable[[str], bytes | None]:
        """What finds the key derived of a stored value's own master key; None if that is not known."""
        by_id = {name: derived_key(key, label) for name, key in self._by_id.items()}
        if self.unnamed in by_id:
            by_id[UNNAMED] = by_id[self.unnamed or UNNAMED]
        return lambda stored: by_id.get(id_of(stored))
