"""The seal in the record of a master key, without I/O."""

from __future__ import annotations

import hmac

from servicekit.master_keys import derived_key
from servicekit.row_macs import RowBinding

_SEAL_LABEL = b"powerauth-core master key record 1"


def seal(master_key: bytes, binding: RowBinding) -> str:
    """What shows that a holder of the key has stored this binding; hexadecimal."""
    key = derived_key(master_key, _SEAL_LABEL)
    return hmac.digest(key, binding.value.encode(), "sha256").hex()


def is_sealed(master_key: bytes, binding: RowBinding, stored: str) -> bool:
    """Whether the seal is the one of this binding."""
    return hmac.compare_digest(seal(master_key, binding).encode(), stored.encode())
