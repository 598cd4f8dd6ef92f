"""Ranges of time in queries (spec/cloud-api.md §3.7, §10.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from powerauth_contracts import moments
from servicekit import clock


@dataclass(frozen=True, slots=True)
class Period:
    """An inclusive range of naive UTC moments."""

    start: datetime
    end: datetime

    @property
    def backwards(self) -> bool:
        """Whether it ends before it starts."""
        return self.start > self.end


def period_of(timestamp_from: int | None, timestamp_to: int | None, default_days: int) -> Period:
    """A range from epoch milliseconds: by default the last ``default_days`` days."""
    now = clock.now()
    start = now - timedelta(days=default_days) if timestamp_from is None else moments.from_ms(timestamp_from)
    return Period(start, now if timestamp_to is None else moments.from_ms(timestamp_to))
