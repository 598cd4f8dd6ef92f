"""The one source of time. Every timestamp in the product is UTC; in columns it is stored without a zone.

Callers import the module (``from servicekit import clock``) and call ``clock.now()``, so that a test can
move time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)


def now() -> datetime:
    """The current time as a naive UTC datetime, microsecond precision: the form stored in columns."""
    return datetime.now(UTC).replace(tzinfo=None)


def now_ms() -> int:
    """The current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down. A naive ``moment`` is UTC."""
    return (naive_utc(moment) - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """A naive UTC datetime.

    :raises ValueError: when the moment lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError("timestamp out of range") from None


def naive_utc(moment: datetime) -> datetime:
    """The same moment as naive UTC. A naive input is taken as UTC already.

    :raises ValueError: when the conversion leaves the years 1 to 9999.
    """
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("timestamp out of range") from None


def isoformat_core(moment: datetime) -> str:
    """The core's text form, ``2024-10-24T07:39:50.123+00:00`` (spec/core-api.md §1)."""
    return naive_utc(moment).isoformat(timespec="milliseconds") + "+00:00"
