"""The one source of time. Every timestamp in the product is UTC; in columns it is stored without a zone.

Callers import the module (``from servicekit import clock``) and call ``clock.now()``, so that a test can
move time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current time as a naive UTC datetime, microsecond precision: the form stored in columns."""
    return datetime.now(UTC).replace(tzinfo=None)


def now_ms() -> int:
    """The current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
