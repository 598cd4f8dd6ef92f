"""Whose time it is: replicas of a service go by the clock of their database where their machine's is wrong.

A machine that is half a minute ahead would end operations early, take work over that others still do, refuse
proximity codes that another replica has just shown, and date statements into the future. What all replicas
have in common is the database, so its clock decides, as it does for leases (:mod:`servicekit.leases`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from servicekit import clock, logs, metrics
from servicekit.database import Database
from servicekit.errors import Unavailable

TOLERATED = timedelta(seconds=2)
"""Clocks that are kept by NTP differ by less, and nothing depends on it."""
PERIOD_SECONDS = 10.0

_NOW = "SELECT timezone('UTC', clock_timestamp())"
_log = logs.get_logger(__name__)
_difference = metrics.gauge(
    "clock_offset_seconds",
    "How far the database's clock is ahead of this machine's, which is not used above 2 s",
)


@asynccontextmanager
async def keeping_time(database: Database) -> AsyncGenerator[None]:
    """Go by the database's clock where this machine's is wrong, from the begin of the block to its end.

    An SQLite database has none of its own: nothing is done.

    :raises DatabaseUnavailable: it cannot be asked
    """
    if database.dialect != "postgresql":
        yield
        return
    await look(database)
    looking = asyncio.create_task(_look_now_and_then(database), name="timekeeping")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def look(database: Database) -> None:
    """Compare the clocks, and correct ours if need be.

    :raises DatabaseUnavailable: the database cannot be asked
    """
    asked, started = clock.uncorrected(), time.monotonic()
    async with database.driver() as driver:
        theirs = await driver.fetchval(_NOW)
    # It was read at some moment between the question and its answer.
    uncertain = timedelta(seconds=(time.monotonic() - started) / 2)
    ahead: timedelta = theirs - asked - uncertain
    _difference.set(ahead.total_seconds())
    if abs(ahead - clock.correction()) - uncertain <= TOLERATED:
        return
    wrong = abs(ahead) - uncertain > TOLERATED
    clock.correct(ahead if wrong else timedelta())
    told = (
        "this machine's clock is wrong, the database's is used"
        if wrong
        else "this machine's clock is right again"
    )
    _log.warning(told, seconds=round(ahead.total_seconds(), 1))


async def _look_now_and_then(database: Database) -> None:
    while True:
        await asyncio.sleep(PERIOD_SECONDS)
        try:
            await look(database)
        except Unavailable as error:
            _log.warning("clock not compared", reason=str(error))
        except Exception:
            _log.exception("clock not compared")
