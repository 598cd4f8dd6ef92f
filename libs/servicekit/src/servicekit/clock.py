"""The one source of time. Every timestamp in the product is UTC; in columns it is stored without a zone.

Callers import the module (``from servicekit import clock``) and call ``clock.now()``, so that a test can
move time. It is this machine's time, unless that is wrong: then it is the database's
(`servicekit.timekeeping`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_correction = timedelta()


def now() -> datetime:
    """The current time as a naive UTC datetime, microsecond precision: the form stored in columns."""
    moment = uncorrected()
    return moment + _correction if _correction else moment


def now_ms() -> int:
    """The current time in milliseconds since the epoch."""
    moment = time.time_ns() // 1_000_000
    return moment + _correction // _MILLISECOND if _correction else moment


def uncorrected() -> datetime:
    """What this machine says, as :func:`now`."""
    return datetime.now(UTC).replace(tzinfo=None)


def correction() -> timedelta:
    """How far this process's time is ahead of the machine's."""
    return _correction


def correct(by: timedelta) -> None:
    """Have this process's time be ahead of the machine's.

    :param by: zero: the machine is right
    """
    global _correction  # noqa: PLW0603 - a process has one time
    _correction = by


_MILLISECOND = timedelta(milliseconds=1)
