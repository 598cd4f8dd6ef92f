"""Names of rows and events that nobody needs to foresee, and that protect nothing."""

from __future__ import annotations

from random import getrandbits

_VERSION_4 = 0x4 << 76 | 0x2 << 62
_RANDOM = ((1 << 128) - 1) ^ (0xF << 76 | 0x3 << 62)


def unique_name() -> str:
    """A UUID of version 4 (RFC 9562 §5.4).

    Whoever must not guess it gets another one: the operating system's randomness costs three times as much.
    """
    digits = f"{getrandbits(128) & _RANDOM | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
