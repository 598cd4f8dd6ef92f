"""What is compared of a fingerprint, and how much it says (spec/device-trust.md §6.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Stability(StrEnum):
    """How long a member of one device stays what it is."""

    STABLE = "stable"
    DRIFTING = "drifting"
    VOLATILE = "volatile"


class Member(NamedTuple):
    """A member that is compared."""

    stability: Stability
    weight: int


def _all(stability: Stability, weight: int, *names: str) -> dict[str, Member]:
    return dict.fromkeys(names, Member(stability, weight))


WEB: Final = "web"
MEMBERS: Final = {
    **_all(Stability.STABLE, 3, "model", "manufacturer", "hardware", "cpuAbi", "totalMemoryMb"),
    **_all(Stability.STABLE, 3, "totalStorageGb", "screen"),
    **_all(Stability.STABLE, 10, "vendorId", "mediaDrmId"),
    **_all(Stability.DRIFTING, 2, "osName", "osVersion", "securityPatch", "buildFingerprint"),
    **_all(Stability.VOLATILE, 1, "carrier", "simCountry", "networkType"),
    **_all(Stability.DRIFTING, 1, "locale", "timezone", "fonts", "keyboards", "accessibility"),
    **_all(Stability.VOLATILE, 1, "appVersion", "installId", "installSource"),
    **_all(Stability.DRIFTING, 2, "web.userAgent", "web.languages", "web.canvas", "web.webgl", "web.audio"),
    **_all(Stability.DRIFTING, 2, "web.fonts", "web.colorDepth", "web.hardwareConcurrency", "web.platform"),
}
"""By name; those of `web` behind a dot."""

STABLE: Final = frozenset(name for name, member in MEMBERS.items() if member.stability is Stability.STABLE)
