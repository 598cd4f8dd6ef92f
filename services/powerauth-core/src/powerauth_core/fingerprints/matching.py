"""How alike two fingerprints are, and why (spec/device-trust.md §6.4): a risk signal, never a factor."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from powerauth_core.fingerprints.members import MEMBERS, Stability
from powerauth_core.fingerprints.stored import Seen, Sketch

LEAST_WEIGHT: Final = 9
"""What two have to have in common for any likeness to count: three stable members, or one identifier."""

_NUMBERS = re.compile(r"[0-9]{1,9}")


class Outcome(StrEnum):
    """What a score means."""

    MATCH = "MATCH"
    DRIFT = "DRIFT"
    MISMATCH = "MISMATCH"


class Signal(StrEnum):
    """What rules may look at."""

    DRIFT = "fingerprint_drift"
    MISMATCH = "fingerprint_mismatch"
    OS_DOWNGRADE = "os_downgrade"


_SIGNALS: Final = {Outcome.DRIFT: {Signal.DRIFT}, Outcome.MISMATCH: {Signal.MISMATCH}}


class Compared(NamedTuple):
    """A member that both have."""

    name: str
    stability: Stability
    weight: int
    equal: bool


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Least scores (``fingerprint.match``, ``fingerprint.drift``).

    :raises ValueError: not 0 < drift ≤ match ≤ 1
    """

    match: float = 0.85
    drift: float = 0.60

    def __post_init__(self) -> None:
        if not 0 < self.drift <= self.match <= 1:
            raise ValueError("thresholds: 0 < drift <= match <= 1")


@dataclass(frozen=True, slots=True)
class Likeness:
    """The score with its reasons.

    :ivar score: 0 to 1; 0 for another platform, or too little in common
    :ivar members: what was compared, by name; nothing where the platform differs
    :ivar signals: of matching itself, and the flags that the device says yes to
    """

    score: float
    outcome: Outcome
    members: tuple[Compared, ...]
    signals: frozenset[str]

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of members that differ."""
        return tuple(member.name for member in self.members if not member.equal)


def compare(known: Sketch, shown: Sketch, thresholds: Thresholds = Thresholds()) -> Likeness:
    """How alike what is shown is to what is known. Neither is changed."""
    members = tuple(_compared(known, shown)) if known.platform is shown.platform else ()
    score = _score(members)
    outcome = _outcome(score, thresholds)
    signals = {*_SIGNALS.get(outcome, ()), *shown.flags}
    if members and is_older(shown.os_version, known.os_version):
        signals.add(Signal.OS_DOWNGRADE)
    return Likeness(score, outcome, members, frozenset(signals))


def after(known: Seen, shown: Sketch, likeness: Likeness, now: datetime) -> Seen:
    """What is stored afterwards: a mismatch changes nothing."""
    return known if likeness.outcome is Outcome.MISMATCH else known.again(shown, now)


def best(
    candidates: Iterable[Seen],
    shown: Sketch,
    thresholds: Thresholds = Thresholds(),
) -> tuple[Seen, Likeness] | None:
    """The most alike of some that matches, the one seen last among equals; None: there is none."""
    judged = [(known, compare(known.sketch, shown, thresholds)) for known in candidates]
    matching = [pair for pair in judged if pair[1].outcome is Outcome.MATCH]
    return max(matching, key=lambda pair: (pair[1].score, pair[0].last_seen), default=None)


def is_older(version: str | None, than: str | None) -> bool:
    """Whether a version is lower, number by number; what has no numbers is neither."""
    first, second = (_numbers(each or "") for each in (version, than))
    return bool(first and second) and first < second


def _numbers(version: str) -> list[int]:
    """Without zeros at the end: 17.0 is 17."""
    found = [int(each) for each in _NUMBERS.findall(version)]
    while found and not found[-1]:
        found.pop()
    return found


def _compared(known: Sketch, shown: Sketch) -> Iterable[Compared]:
    for name in sorted(known.components.keys() & shown.components.keys()):
        member = MEMBERS[name]
        one, other = (each.components[name].encode() for each in (known, shown))
        yield Compared(name, member.stability, member.weight, hmac.compare_digest(one, other))


def _score(members: tuple[Compared, ...]) -> float:
    common = sum(member.weight for member in members)
    if common < LEAST_WEIGHT:
        return 0.0
    return sum(member.weight for member in members if member.equal) / common


def _outcome(score: float, thresholds: Thresholds) -> Outcome:
    if score >= thresholds.match:
        return Outcome.MATCH
    return Outcome.DRIFT if score >= thresholds.drift else Outcome.MISMATCH
