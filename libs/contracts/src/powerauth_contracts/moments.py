"""Moments as the wire carries them, and as columns do: naive, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)
LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which there are no dates."""


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down. A naive ``moment`` is UTC."""
    if moment.tzinfo is not None:
        moment = naive_utc(moment)
    return (moment - _EPOCH) // _MILLISECOND


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
    if moment.tzinfo is UTC:
        return moment.replace(tzinfo=None)
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("timestamp out of range") from None


def isoformat_core(moment: datetime) -> str:
    """The core's text form, ``2024-10-24T07:39:50.123+00:00`` (spec/core-api.md §1)."""
    return naive_utc(moment).isoformat(timespec="milliseconds") + "+00:00"
