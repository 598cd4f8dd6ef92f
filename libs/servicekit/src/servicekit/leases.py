"""Leases: who may do a piece of work now, as rows with an end (D27).

Unlike a lock of the database a lease needs no connection of its own, so it works through a pooler and is
not lost with a connection; it ends by itself when its owner is gone. Its clock is the database's.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Column, MetaData, String, Table

from servicekit import logs
from servicekit.database import Database, DatabaseUnavailable, UtcTimestamp
from servicekit.errors import Unavailable

_log = logs.get_logger(__name__)

TABLE_NAME = "job_lease"
LEASE_SECONDS = 30.0
"""How long after the end of its owner the work stays undone at most."""

_RENEWALS = 3
"""How often a lease is renewed within its time."""


# By the driver: jobs come every few seconds for ever, and most of them find nothing to do. The clock is not
# that of the transaction's begin, which may have waited for a lock.
_NOW = "timezone('UTC', clock_timestamp())"
_TAKE = f"""INSERT INTO {TABLE_NAME} AS l (name, owner, valid_until) VALUES ($1, $2, {_NOW} + $3::interval)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, valid_until = excluded.valid_until
WHERE l.valid_until < {_NOW} OR l.owner = excluded.owner RETURNING owner"""  # noqa: S608 our names
_RENEW = f"""UPDATE {TABLE_NAME} SET valid_until = {_NOW} + $3::interval
WHERE name = $1 AND owner = $2 RETURNING owner"""  # noqa: S608 our names
_GIVE_BACK = f"DELETE FROM {TABLE_NAME} WHERE name = $1 AND owner = $2"  # noqa: S608 our name


def lease_table(metadata: MetaData) -> Table:
    """``job_lease`` in a service's metadata: who is doing what, and until when."""
    return Table(
        TABLE_NAME,
        metadata,
        Column("name", String(64), primary_key=True, doc="What is being done."),
        Column("owner", String(64), nullable=False, doc="The process that does it."),
        Column(
            "valid_until", UtcTimestamp, nullable=False, doc="Until when it may, by the database's clock."
        ),
    )


class LeaseLost(Unavailable):
    """The lease could not be renewed in time: somebody else may have it."""


class Leases:
    """The leases of one database; on PostgreSQL only."""

    def __init__(self, database: Database, seconds: float = LEASE_SECONDS) -> None:
        """
        :param seconds: how long a lease is valid unless it is renewed
        """
        self._database = database
        self._seconds = seconds
        # Whether the database knows that they are given up, or taken, is not known here: whoever they are of
        # takes them again before they expire.
        self._left: dict[str, str] = {}

    async def take(self, name: str) -> Lease | None:
        """The lease of this name, or ``None`` while somebody has it.

        :raises DatabaseUnavailable: it cannot be asked for
        """
        owner, asked = self._left.pop(name, None) or secrets.token_hex(16), time.monotonic()
        try:
            async with self._database.driver() as driver:
                taken = await driver.fetchval(_TAKE, name, owner, timedelta(seconds=self._seconds))
        except BaseException:
            self._left[name] = owner
            raise
        if taken is None:
            return None
        return Lease(self, name, owner, self._seconds, asked + self._seconds)

    async def renew(self, lease: Lease) -> bool:
        """Extend a lease; ``False`` when somebody else has it.

        :raises DatabaseUnavailable: that is not known
        """
        async with self._database.driver() as driver:
            renewed = await driver.fetchval(_RENEW, lease.name, lease.owner, timedelta(seconds=lease.seconds))
        return renewed is not None

    async def give_back(self, lease: Lease) -> None:
        """Let others have it."""
        try:
            async with self._database.driver() as driver:
                await driver.execute(_GIVE_BACK, lease.name, lease.owner)
        except Unavailable as error:
            self._left[lease.name] = lease.owner
            _log.warning("lease not given back", lease=lease.name, reason=str(error))


@dataclass(slots=True)
class Lease:
    """A lease that this process holds.

    :ivar valid_until: moment of :func:`time.monotonic`, never later than the database's
    """

    leases: Leases
    name: str
    owner: str
    seconds: float
    valid_until: float

    async def during(self, work: Awaitable[object]) -> None:
        """Do the work while renewing the lease, then give it back.

        :raises LeaseLost: it could not be renewed; the work was cancelled
        """
        working = asyncio.ensure_future(work)
        renewing = asyncio.create_task(self._renew_until_lost())
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise LeaseLost(f"lease of {self.name} lost")
            working.result()
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            await asyncio.shield(self.leases.give_back(self))

    async def _renew_until_lost(self) -> None:
        while True:
            await asyncio.sleep(self.seconds / _RENEWALS)
            asked = time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, self.valid_until - asked)):
                    renewed = await self.leases.renew(self)
            except (DatabaseUnavailable, TimeoutError) as error:
                _log.warning("lease not renewed", lease=self.name, reason=str(error))
                if time.monotonic() >= self.valid_until:
                    return
            else:
                if not renewed:
                    return
                self.valid_until = asked + self.seconds
