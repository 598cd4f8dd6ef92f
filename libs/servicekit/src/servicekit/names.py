"""Names of rows and events that nobody needs to foresee, and that protect nothing."""

from __future__ import annotations

import os
from random import Random

_VERSION_4 = 0x4 << 76 | 0x2 << 62
_RANDOM = ((1 << 128) - 1) ^ (0xF << 76 | 0x3 << 62)
# Its own, since anybody may seed that of the module, and then the same names come again.
_numbers = Random()  # noqa: S311 they protect nothing
# Forked workers would go on with the same numbers.
os.register_at_fork(after_in_child=_numbers.seed)


def unique_name() -> str:
    """A UUID of version 4 (RFC 9562 §5.4).

    Whoever must not guess it gets another one: the operating system's randomness costs three times as much.
    """
    digits = f"{_numbers.getrandbits(128) & _RANDOM | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
