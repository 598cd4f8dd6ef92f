"""When a subject is locked out, and which window a moment lies in; decisions without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

WINDOW: Final = timedelta(minutes=1)
WIDELY: Final = 10
"""How many times the failures of one source lock a subject out for all (spec/device-trust.md §1.4)."""
UNKNOWN_SOURCE: Final = "unknown"
_IPV4_PREFIX, _IPV6_PREFIX = 24, 56


class Tier(NamedTuple):
    """After so many failures, so long."""

    attempts: int
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Tiers:
    """How a subject is locked out.

    :ivar steps: in the order of their attempts
    :ivar forgotten_after: without a failure being possible: failures in a row are those within it
    """

    steps: Sequence[Tier]
    forgotten_after: timedelta


@dataclass(frozen=True, slots=True)
class Tally:
    """Failures so far; moments in naive UTC."""

    failures: int
    first_failure_at: datetime
    locked_until: datetime | None = None

    def is_locked(self, now: datetime) -> bool:
        """Whether nothing may be tried now."""
        return self.locked_until is not None and now < self.locked_until

    def failed(self, tiers: Tiers, now: datetime, factor: int = 1) -> Tally:
        """After one more failure.

        :param factor: multiplies the attempts of each tier
        """
        counted_since = max(self.first_failure_at, self.locked_until or self.first_failure_at)
        kept = self.failures > 0 and now < counted_since + tiers.forgotten_after
        failures = self.failures + 1 if kept else 1
        first = self.first_failure_at if kept else now
        locked_until = self.locked_until
        for step in tiers.steps:
            last = step is tiers.steps[-1]
            if failures == step.attempts * factor or (last and failures > step.attempts * factor):
                locked_until = now + step.duration
        return Tally(failures, first, locked_until)


def window_start(now: datetime) -> datetime:
    """The beginning of the minute that a moment lies in."""
    return now.replace(second=0, microsecond=0)


def source_of(address: str | None) -> str:
    """What failures of one client count as: the /24 of an IPv4, the /56 of an IPv6 address."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return UNKNOWN_SOURCE
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    prefix = _IPV6_PREFIX if isinstance(parsed, IPv6Address) else _IPV4_PREFIX
    return str(ip_network((parsed, prefix), strict=False))
