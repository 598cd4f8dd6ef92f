"""Attempts that count nothing share rows of the audit (D15): the first one of an activation, a client address
and a minute has a row of its own, those that repeat it have one together, with their number.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from powerauth_core.verification.jobs import ActivationFacts, Decision, LockedActivation, Outcome
from servicekit import metrics
from servicekit.logs import get_logger

log = get_logger(__name__)

_REMEMBERED = 10_000
_WAITING = 10_000
ADDRESSES = 16
"""Addresses of one activation that are told apart at a time; the others share one row."""
OTHER_ADDRESSES = "others"

_repeated = metrics.counter(
    "powerauth_signature_attempts_repeated",
    "Signature attempts that count nothing and share a row of the audit, by outcome",
    {"outcome": tuple(Outcome)},
)


@dataclass(slots=True)
class Repeated:
    """Attempts after the first one of an activation, an address and a minute.

    :ivar minute: the minute, as its start
    :ivar before: the activation as the last of them found it
    :ivar last: what was decided about the last of them
    :ivar count: how many they are
    """

    activation: LockedActivation = field(repr=False)
    address: str
    minute: datetime
    last: Decision
    count: int = 0

    @property
    def before(self) -> ActivationFacts:
        """The activation as the last attempt found it."""
        return self.last.before


class Samples:
    """What this process has seen of them and not written yet; bounded."""

    def __init__(self, counts: Callable[[], None]) -> None:
        """
        :param counts: is told when there may be something to write
        """
        self._counts = counts
        self._open: OrderedDict[tuple[str, str], Repeated] = OrderedDict()
        self._addresses: Counter[str] = Counter()
        self._finished: list[Repeated] = []

    def __bool__(self) -> bool:
        """Whether there may be something to write, now or when a minute is over."""
        return bool(self._open or self._finished)

    def is_first(self, activation: LockedActivation, address: str, decision: Decision, now: datetime) -> bool:
        """Whether an attempt has a row of its own; if not, it is counted here."""
        minute = now.replace(second=0, microsecond=0)
        key = self._key(activation.activation_id, address)
        seen = self._open.get(key)
        if seen is not None and seen.minute == minute:
            seen.activation, seen.last = activation, decision
            seen.count += 1
            _repeated.labels(decision.outcome.value).inc()
            return False
        if seen is not None:
            self._finish(key)
        self._open[key] = Repeated(activation, key[1], minute, decision)
        self._addresses[key[0]] += 1
        self._counts()
        if len(self._open) > _REMEMBERED:
            self._finish(next(iter(self._open)))
        return True

    def finished(self, now: datetime) -> Sequence[Repeated]:
        """What is to be written: all of minutes before `now`. It stays until `written`."""
        over = now - timedelta(minutes=1)
        for key in [key for key, seen in self._open.items() if seen.minute <= over]:
            self._finish(key)
        return tuple(self._finished)

    def written(self, rows: Sequence[Repeated]) -> None:
        """Forget what `finished` gave; it is in the database."""
        del self._finished[: len(rows)]

    def _key(self, activation_id: str, address: str) -> tuple[str, str]:
        key = (activation_id, address)
        if key in self._open or self._addresses[activation_id] < ADDRESSES:
            return key
        return activation_id, OTHER_ADDRESSES

    def _finish(self, key: tuple[str, str]) -> None:
        seen = self._open.pop(key)
        self._addresses[key[0]] -= 1
        if not self._addresses[key[0]]:
            del self._addresses[key[0]]
        if seen.count and len(self._finished) < _WAITING:
            self._finished.append(seen)
        elif seen.count:
            log.error("attempts_not_audited", attempts=seen.count, activation_id=key[0])
