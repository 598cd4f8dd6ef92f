"""Counting attempts, each in a transaction of its own: what is refused counts too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from powerauth_core.attempts import repository, rules
from powerauth_core.attempts.rules import WIDELY, WINDOW, Tally, Tiers
from powerauth_core.kernel.passkey_errors import TooManyRequests
from powerauth_protocol.common.encoding import b64url_encode
from servicekit import clock
from servicekit.database import Database

_LONGEST_MEMORY: Final = timedelta(days=366)
"""As long as the longest time after which failures may be forgotten."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What somebody tries from somewhere.

    :ivar subject: for all who try it
    :ivar here: for those of one source
    """

    subject: str
    here: str

    @classmethod
    def of(cls, kind: str, value: str, address: str | None) -> Tried:
        """
        :param kind: says what `value` is, so that no two kinds meet
        :param address: of the client, as text
        """
        digest = b64url_encode(hashlib.sha256(f"{kind}\0{value}".encode()).digest())
        return cls(digest, f"{digest}@{rules.source_of(address)}")


async def check_rate(database: Database, what: str, address: str | None, per_minute: int) -> None:
    """Count a request of a client.

    :param what: is asked for
    :param per_minute: 0: it is not limited
    :raises TooManyRequests: it was more than that in this minute
    """
    if per_minute == 0:
        return
    now = clock.now()
    start = rules.window_start(now)
    async with database.transaction() as session:
        counted = await repository.count(session, f"{what}@{rules.source_of(address)}", start)
    if counted > per_minute:
        raise TooManyRequests(retry_after=max(1, int((start + WINDOW - now).total_seconds())))


async def locked_until(database: Database, tried: Tried) -> datetime | None:
    """Until when it may not be tried from there, naive UTC; None: it may."""
    async with database.read() as session:
        return await repository.locked_until(session, (tried.subject, tried.here), clock.now())


async def count_failure(database: Database, tried: Tried, tiers: Tiers) -> None:
    """Count a failure of the source, and ten of them as one of everybody."""
    now = clock.now()
    async with database.transaction() as session:
        for subject, factor in ((tried.subject, WIDELY), (tried.here, 1)):
            row = await repository.lock(session, subject, now)
            counted = Tally(row.failures, row.first_failure_at, row.locked_until).failed(tiers, now, factor)
            row.failures, row.first_failure_at = counted.failures, counted.first_failure_at
            row.locked_until = counted.locked_until


async def succeeded(database: Database, tried: Tried) -> None:
    """Forget the failures of that source: it was the owner."""
    async with database.transaction() as session:
        await repository.forget(session, tried.here)


async def delete_old(database: Database) -> int:
    """Delete what is not needed any more and return the number of rows."""
    now = clock.now()
    async with database.transaction() as session:
        return await repository.delete_old(session, now - 2 * WINDOW, now - _LONGEST_MEMORY)
